"""Locks between processes of one host: held by the kernel, so a killed holder's lock is free at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import paths
from bench.errors import BenchError
from datamodules.locks import LockError, locked


@contextmanager
def lock(name: str, wait: bool = True) -> Iterator[bool]:
    """Hold the lock ``name`` of this home; yields whether it is held (``False`` only with ``wait=False``)."""
    with _held(paths.home() / "locks" / f"{name}.lock", wait, "BENCH_HOME") as held:
        yield held


@contextmanager
def results_lock(name: str) -> Iterator[None]:
    """Hold the lock ``name`` of the ledger: it lies beside it, for all homes that write there."""
    with _held(paths.results() / ".locks" / f"{name}.lock", True, "BENCH_RESULTS"):
        yield


@contextmanager
def _held(path: Path, wait: bool, variable: str) -> Iterator[bool]:
    try:
        with locked(path, wait=wait) as held:
            yield held
    except LockError as error:
        raise BenchError(
            f"cannot write to {path.parent} ({error.strerror}): set {variable} to a folder you may write to"
        ) from None


def folder_key(folder: Path) -> str:
    """Short name of a folder, for what belongs to it and lies elsewhere."""
    return hashlib.sha256(str(folder).encode()).hexdigest()[:12]
