"""Where things are: results (in git) and home (runs, checkpoints, storage; ignored by git)."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = ROOT / "results"  # the results that come with the suite


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or ROOT / default).expanduser().resolve()


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
