"""Big buffers, reused: fresh pages cost as much as the arithmetic done in them."""

from __future__ import annotations

import os
import weakref
from threading import RLock

import numpy as np
import torch
from torch import Tensor

KEEP = 1 << 30  # bytes held back for reuse at most
_free: list[np.ndarray] = []
_lock = RLock()  # reentrant: a buffer may come back in the middle of a request, through the garbage collector


def _renew() -> None:
    global _lock
    _lock = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def empty(*shape: int, dtype: torch.dtype) -> Tensor:
    """A contiguous tensor of undefined content whose memory comes back here once nothing refers to it, its views included."""
    kind = np.float64 if dtype == torch.float64 else np.float32
    count = int(np.prod(shape)) if shape else 1
    size = max(count * np.dtype(kind).itemsize, 1)
    buffer = _take(size)
    # torch holds this very array for as long as the tensor's storage lives, so its end is the storage's end.
    array = buffer[:size].view(kind).reshape(shape) if count else np.empty(shape, kind)
    weakref.finalize(array, _give, buffer).atexit = False
    return torch.from_numpy(array)


def zeros(*shape: int, dtype: torch.dtype) -> Tensor:
    return empty(*shape, dtype=dtype).zero_()


def _take(size: int) -> np.ndarray:
    with _lock:
        fitting = [i for i, buffer in enumerate(_free) if size <= buffer.nbytes <= size + size // 4 + 4096]
        if fitting:
            return _free.pop(min(fitting, key=lambda i: _free[i].nbytes))
    raw = np.empty(size + 64, np.uint8)
    return raw[-raw.ctypes.data % 64 :]  # on a cache line: no two workers share one


def _give(buffer: np.ndarray) -> None:
    with _lock:
        _free.append(buffer)
        while sum(b.nbytes for b in _free) > KEEP:
            _free.pop(0)
