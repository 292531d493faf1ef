"""Locks between the processes of one host. The kernel holds them, so the lock of a killed process is free at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


class LockError(OSError):
    """A lock file that cannot be written, or is on a disk without locks; ``strerror`` says which."""


@contextmanager
def locked(path: Path, waiting: Callable[[], None] | None = None, wait: bool = True) -> Iterator[bool]:
    """Hold the lock file ``path`` (created with its folder); yields whether it is held.

    It is not held only with ``wait=False``, while another process holds it. Otherwise this waits without limit, after
    one call of ``waiting``. Raises ``LockError``, never for an error inside the ``with`` block.
    """
    lock = _open(path)
    try:
        held = _acquire(lock, blocking=False)
        if not held and wait:
            if waiting:
                waiting()
            held = _acquire(lock, blocking=True)
        yield held
    finally:
        lock.release()


def _open(path: Path) -> FileLock:
    """The lock on ``path``, not acquired yet. It has no soft fallback, which would outlive a killed process."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    except OSError as error:
        raise LockError(error.errno, error.strerror, str(path)) from None
    return FileLock(path, thread_local=False, fallback_to_soft=False, preserve_lock_file=True)


def _acquire(lock: FileLock, blocking: bool) -> bool:
    """Whether the lock is now held."""
    try:
        lock.acquire(blocking=blocking)
    except Timeout:
        return False
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LockError(getattr(error, "errno", None), f"a disk without locks: {reason}", lock.lock_file) from None
    return True
