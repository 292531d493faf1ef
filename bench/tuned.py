"""Settings that a hyper-parameter search found: ``sweeps/best/<model>-<task>.toml``. No torch."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bench import paths
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.experiment import Model
    from bench.table import Cell


def path(model: str, task: str) -> Path:
    """The file of ``model`` on ``task``, below ``BENCH_BEST`` (default ``sweeps/best``)."""
    return Path(os.environ.get("BENCH_BEST") or paths.ROOT / "sweeps" / "best") / f"{model}-{task}.toml"


def settings(model: str, task: str, versions: str) -> dict[str, Any]:
    """The neuron settings found for ``model`` on ``task``. Raises ``BenchError`` without a file and for one of another version."""
    file = path(model, task)
    search = f"python -m sweeps search {task} {model}"
    if not file.exists():
        raise BenchError(f"{model} has not been tuned for {task}: {search}")
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
        neuron, version = dict(found["neuron"]), str(found["version"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise BenchError(f"{file} is not the result of a search ({error}); write it again: {search}") from None
    if version != versions:
        raise BenchError(f"{file} is for {version}, this is {versions}: {search}")
    return neuron


def row(cells: Iterable[Cell], model: Model, tuned: Model) -> tuple[Cell, ...]:
    """The row of ``tuned`` beside that of ``model``: nothing published; a cell without a search says how to make one."""
    from bench.experiment import Experiment  # it reads settings from here

    found = []
    for cell in cells:
        if cell.model == model and cell.task is not None:
            note, runs = "", cast("Model | None", tuned)
            try:
                settings(model.name, cell.task.name, Experiment(cell.task, model, 0, "paper").versions)
            except BenchError as error:
                note, runs = str(error), None
            found.append(replace(cell, row=tuned.title, model=runs, published=None, note=note))
    return tuple(found)
