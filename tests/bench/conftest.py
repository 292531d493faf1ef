"""Data that is here, as far as planning looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.sources import MNIST as MNIST_SOURCE


@pytest.fixture
def mnist_here(places: Path) -> None:
    """Files of the right size: enough for planning, which reads no content."""
    for file in MNIST_SOURCE.files:
        path = places / "data" / "mnist" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            out.truncate(file.size)
