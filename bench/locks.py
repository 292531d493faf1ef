"""Locks between processes of one host: held by the kernel, so a killed holder's lock is free at once."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import paths
from bench.errors import BenchError


@contextmanager
def lock(name: str, wait: bool = True) -> Iterator[bool]:
    """Hold the lock ``name`` under ``BENCH_HOME/locks``; yields whether it is held (``False`` only with ``wait=False``)."""
    path = paths.home() / "locks" / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a")
    except OSError as error:
        raise BenchError(f"cannot write to {path.parent} ({error.strerror}): set BENCH_HOME to a folder you may write to") from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def folder_key(folder: Path) -> str:
    """Short name of a folder, for locks on it."""
    return hashlib.sha256(str(folder).encode()).hexdigest()[:12]
