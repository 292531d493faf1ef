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
    return dict(_found(model, task, versions)["neuron"])


def _found(model: str, task: str, versions: str) -> dict[str, Any]:
    file = path(model, task)
    search = f"python -m sweeps search {task} {model}"
    if not file.exists():
        raise BenchError(f"{model} has not been tuned for {task}: {search}")
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
        dict(found["neuron"])
        version, _ = str(found["version"]), (found["trial"], found["trials"], found["budget"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise BenchError(f"{file.name} is not the result of a search ({error}); write it again: {search}") from None
    if version != versions:
        raise BenchError(f"{file.name} is for {version}, this is {versions}: {search}")
    return found


def row(cells: Iterable[Cell], model: Model) -> tuple[Cell, ...]:
    """A row beside that of ``model`` with the settings that were found for it, in the columns of tasks it was tuned for.

    Nothing is published for them. A file of another version makes a cell that nothing can run until it is searched again.
    """
    from bench.experiment import Experiment  # it reads settings from here
    from bench.models import tuned

    found = []
    for cell in cells:
        if cell.model == model and cell.task is not None and path(model.name, cell.task.name).exists():
            runs, own = cast("Model | None", tuned(model)), Experiment(cell.task, model, 0, "paper")
            try:
                best = _found(model.name, cell.task.name, own.versions)
                better = best["neuron"].items() - own.config["neuron"].items()
                note = f"{model.name}-{cell.task.name}.toml: " + (
                    f"settings of trial {best['trial']} of {best['trials']} at {best['budget']} budget"
                    if better
                    else f"none of {best['trials']} trials at {best['budget']} budget did better than the recipe's own settings"
                )
            except BenchError as error:
                note, runs = str(error), None
            found.append(replace(cell, row=tuned(model).title, model=runs, published=None, absent="", note=note, extra=True))
    return tuple(found)
