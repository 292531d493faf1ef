"""Locks between processes of one host, held by the kernel: a killed holder's lock is free at once."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path, waiting: Callable[[], None] | None = None, wait: bool = True) -> Iterator[bool]:
    """Hold the lock file ``path`` (created with its folder); yields whether it is held (``False`` only with
    ``wait=False``).

    ``waiting`` is called once if another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                yield False
                return
            if waiting:
                waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield True
