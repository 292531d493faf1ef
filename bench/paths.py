"""What environment variables say: where results (in git) and home (runs, checkpoints, storage) are, and numbers."""

from __future__ import annotations

import math
import os
from pathlib import Path

from bench.errors import BenchError

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = ROOT / "results"  # the results that come with the suite


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or ROOT / default).expanduser().resolve()


def number(variable: str, default: float, least: float) -> float:
    """The number in an environment variable, ``default`` where it is not set or empty. Raises ``BenchError`` for what
    is no finite number of ``least`` or more.
    """
    text = os.environ.get(variable, "").strip() or str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < least:
        raise BenchError(f"{variable} must be a number of {least:g} or more, got {text!r}")
    return value


def results() -> Path:
    """``BENCH_RESULTS``, default ``results/``: the ledger and the tables rendered from it."""
    return _folder("BENCH_RESULTS", "results")


def home() -> Path:
    """``BENCH_HOME``, default ``.bench/``: checkpoints, the queue's storage, W&B's offline runs, locks, compiled
    kernels.
    """
    return _folder("BENCH_HOME", ".bench")


def exploratory() -> Path:
    """The ledger of smoke and exploratory runs."""
    return home() / "exploratory"


def use_exploratory_ledger() -> None:
    """From here on this process writes to the ledger of smoke and exploratory runs: they never enter a table."""
    os.environ["BENCH_RESULTS"] = str(exploratory())
