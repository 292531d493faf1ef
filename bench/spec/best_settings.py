"""Reads the settings that a hyper-parameter search wrote to ``sweeps/best/<model>-<task>.toml``. Imports no torch."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from bench import paths
from bench.errors import BenchError

REQUIRED = ("version", "trial", "trials", "budget")  # besides the table "neuron"


def path(model: str, task: str) -> Path:
    """The file with the best settings of ``model`` on ``task``, below ``BENCH_BEST`` (default ``sweeps/best``, with
    plug-ins the folder ``best`` of the results).
    """
    default = paths.results() / "best" if paths.plugged() else paths.ROOT / "sweeps" / "best"
    return Path(os.environ.get("BENCH_BEST") or default) / f"{model}-{task}.toml"


def _present(model: str, task: str) -> Path:
    """``path``, or where only the suite has the file, that."""
    file = path(model, task)
    committed = paths.ROOT / "sweeps" / "best" / file.name
    return committed if paths.plugged() and not file.exists() and committed.exists() else file


def settings(model: str, task: str, versions: str) -> dict[str, Any]:
    """The best neuron settings of ``model`` on ``task``. Raises ``BenchError`` as ``read`` does."""
    return dict(read(model, task, versions)["neuron"])


def read(model: str, task: str, versions: str) -> dict[str, Any]:
    """The whole file: ``neuron`` settings, ``version``, number of ``trial`` and ``trials``, ``budget``.

    Raises ``BenchError`` if there is no file, if it is not the result of a search, or if its version is not
    ``versions``. The message has the command that writes it again.
    """
    file = _present(model, task)
    search = f"python -m sweeps search {task} {model}"
    if not file.exists():
        raise BenchError(f"{model} has not been tuned for {task}: {search}")
    try:
        best = tomllib.loads(file.read_text(encoding="utf-8"))
        dict(best["neuron"])
        if missing := [key for key in REQUIRED if key not in best]:
            raise KeyError(", ".join(missing))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise BenchError(f"{file.name} is not the result of a search ({error}); write it again: {search}") from None
    if str(best["version"]) != versions:
        raise BenchError(f"{file.name} is for {best['version']}, this is {versions}: {search}")
    return best
