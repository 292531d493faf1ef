"""Data that is here, as far as planning looks, and an experiment that was trained once for many tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from datamodules.sources import MNIST as MNIST_SOURCE
from tests.conftest import make_places


@pytest.fixture
def mnist_here(places: Path) -> None:
    """Files of the right size: enough for planning, which reads no content."""
    for file in MNIST_SOURCE.files:
        path = places / "data" / "mnist" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            out.truncate(file.size)


XOR_CELL = ("roles-6", "Baseline", "XOR")


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Places in which ``XOR_CELL`` was trained at smoke budget, by the queue. For reading only."""
    from bench import api

    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        make_places(folder, patch)
        api.trained(*XOR_CELL, budget="smoke", train=True)
    return folder


@pytest.fixture
def xor_trained(places: Path, trained_once: Path) -> Path:
    """Own places with weights and exploratory ledger of ``trained_once``."""
    for name in ("experiments", "exploratory"):
        shutil.copytree(trained_once / "home" / name, places / "home" / name)
    return places
