"""Plug-ins in a folder of the user's, and a process that forgets them after each test."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import datamodules
from bench import measures, paths
from bench.papers import registry
from bench.spec import neuron_identity, own, plugin_source
from datamodules import sources
from tests.conftest import ROOT

MODEL = 'from bench.spec.model import Model\nMINE = Model("mine", "Mine", settings={"leak": 0.23})\n'
ROW = f'from bench.spec.own import Row\n{MODEL}ROW = Row("roles-6", MINE)\n'
EXAMPLE = (ROOT / "examples" / "resonate_and_fire.py").read_text(encoding="utf-8")
NAME = "resonate-and-fire"
Load = Callable[..., Path]


def forget() -> None:
    """Forget what was read of files, as a new process does."""
    for name in [name for name in sys.modules if name in plugin_source.FILES]:
        del sys.modules[name]
    plugin_source.FILES.clear()
    plugin_source._FOLDERS.clear()
    for cached in (plugin_source.text, plugin_source._tree, neuron_identity._about):
        cached.cache_clear()


@cache
def declared() -> list[dict[Any, Any]]:
    """All dictionaries that plug-ins add to."""
    known = registry._REGISTRY
    neurons = sys.modules["lightning_modules.neurons.base"].NEURONS
    of_registry = [known.papers, known.tables, known.tasks, known.models, known.claims, known.files]
    others = [measures.MEASURES, sources.SOURCES, datamodules.MODULES, own.ORIGINS, own.NEURONS, neurons]
    return [*of_registry, *others]


@pytest.fixture
def load(places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """``load(text, name)`` writes and loads a plug-in in a folder outside the checkout; again, as a new process."""
    import lightning_modules.neurons  # noqa: F401

    before = [dict(known) for known in declared()]
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setenv("BENCH_PLUGINS", "")
    monkeypatch.setattr(paths, "_plugged", False)

    def restore() -> None:
        forget()
        registry._REGISTRY.plugged.clear()
        for known, content in zip(declared(), before, strict=True):
            known.clear()
            known.update(content)

    def loaded(text: str, name: str = "mine.py") -> Path:
        restore()
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
        file = folder / name.split("/")[0]
        os.environ["BENCH_PLUGINS"] = ""
        registry.plug_in((str(file),))
        return file

    yield loaded
    restore()


@pytest.fixture
def user(places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder outside the checkout with copies of the examples, for commands that are run there."""
    folder = tmp_path / "user"
    shutil.copytree(ROOT / "examples", folder)
    monkeypatch.delenv("BENCH_RESULTS")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return folder
