"""Settings that a hyper-parameter search found: ``sweeps/best/<model>-<task>.toml``. No torch."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from bench import paths
from bench.errors import BenchError


def path(model: str, task: str) -> Path:
    """The file of ``model`` on ``task``, below ``BENCH_BEST`` (default ``sweeps/best``)."""
    return Path(os.environ.get("BENCH_BEST") or paths.ROOT / "sweeps" / "best") / f"{model}-{task}.toml"


def settings(model: str, task: str, versions: str) -> dict[str, Any]:
    """The neuron settings found for ``model`` on ``task``. Raises ``BenchError`` without a file and for one of another
    version.
    """
    return dict(read(model, task, versions)["neuron"])


def read(model: str, task: str, versions: str) -> dict[str, Any]:
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
