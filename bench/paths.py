"""What environment variables say: where results (in git) and home (runs, checkpoints, storage) are, and numbers."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = ROOT / "results"  # the results that come with the suite
_plugged = False  # whether plug-ins are loaded, which keep their results out of the committed ones


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
    """``BENCH_RESULTS``, default ``results/``: the ledger and the tables rendered from it. Raises ``BenchError`` where
    that is the committed one and plug-ins are loaded.
    """
    folder = _folder("BENCH_RESULTS", "results")
    if _plugged and folder == COMMITTED:
        raise BenchError(f"results with plug-ins do not go into {COMMITTED}: name a folder of yours, --results DIR")
    return folder


def use_own_results(beside: Path) -> None:
    """From here on results go to ``BENCH_RESULTS`` or, where it is not set, to the folder ``results`` in ``beside``.

    Plug-ins are loaded. What the committed results have is read as well, and nothing is written there.
    """
    global _plugged
    _plugged = True
    if not os.environ.get("BENCH_RESULTS"):
        folder = beside / "results"
        os.environ["BENCH_RESULTS"] = str(beside / "own-results" if folder.resolve() == COMMITTED else folder)


def plugged() -> bool:
    """Whether plug-ins are loaded."""
    return _plugged


def below() -> Path | None:
    """The committed results where they are read below those in use: with plug-ins."""
    return COMMITTED if _plugged and results() != exploratory() else None


def present(path: Path) -> Path:
    """``path`` in the results in use or, where it is only in the results ``below``, the same file there."""
    lower = below()
    if lower is None or path.exists():
        return path
    return other if (other := lower / path.relative_to(results())).exists() else path


def home() -> Path:
    """``BENCH_HOME``, default ``.bench/``: checkpoints, the queue's storage, W&B's offline runs and locks."""
    return _folder("BENCH_HOME", ".bench")


def exploratory() -> Path:
    """The ledger of smoke and exploratory runs."""
    return home() / "exploratory"


def use_exploratory_ledger() -> None:
    """From here on this process writes to the ledger of smoke and exploratory runs: they never enter a table."""
    os.environ["BENCH_RESULTS"] = str(exploratory())


def ledger(budget: str) -> Path:
    """The results folder that experiments at ``budget`` belong to."""
    return exploratory() if budget == "smoke" else results()


@contextmanager
def using(results: Path | str | None = None, home: Path | str | None = None) -> Iterator[None]:
    """Use other folders within the ``with`` block; ``None`` leaves a folder as it is."""
    wanted = {"BENCH_RESULTS": results, "BENCH_HOME": home}
    before = {name: os.environ.get(name) for name, folder in wanted.items() if folder is not None}
    os.environ.update({name: str(folder) for name, folder in wanted.items() if folder is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
