"""A pool of large buffers that are reused, since fresh pages cost as much as the arithmetic done in them."""

from __future__ import annotations

import os
import weakref
from math import prod
from threading import RLock

import numpy as np
import torch
from torch import Tensor

MAX_HELD_BYTES = 1 << 30  # bytes held back for reuse at most
_free: dict[int, list[np.ndarray]] = {}  # by size, the size used longest ago first
_lent: dict[int, tuple[weakref.ref, np.ndarray]] = {}  # by the reference's id: a reference to an array cannot be hashed
_held_bytes = 0
_lock = RLock()  # reentrant: a buffer may come back in the middle of a request, through the garbage collector


def _renew_lock() -> None:
    global _lock
    _lock = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def empty(*shape: int, dtype: torch.dtype) -> Tensor:
    """A contiguous tensor of undefined content. Its memory returns to the pool with its last reference or view."""
    kind, itemsize = (np.float64, 8) if dtype == torch.float64 else (np.float32, 4)
    size = prod(shape) * itemsize
    if not size:
        return torch.empty(shape, dtype=dtype)
    buffer = _take(size)
    # torch holds this very array for as long as the tensor's storage lives, so its end is the storage's end.
    array = buffer[:size].view(kind).reshape(shape)
    loan = weakref.ref(array, _give_back)
    _lent[id(loan)] = loan, buffer
    return torch.from_numpy(array)


def zeros(*shape: int, dtype: torch.dtype) -> Tensor:
    return empty(*shape, dtype=dtype).zero_()


def contiguous(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_contiguous() else empty(*tensor.shape, dtype=tensor.dtype).copy_(tensor)


def _take(size: int) -> np.ndarray:
    global _held_bytes
    unit = max(64, (1 << size.bit_length()) >> 4)  # few sizes, so that a buffer fits again: at most an eighth too large
    size = -(-size // unit) * unit
    with _lock:
        buffers = _free.get(size)
        if buffers:
            _held_bytes -= size
            return buffers.pop()
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64  # on a cache line: no two workers share one
    return raw[start : start + size]


def _give_back(loan: weakref.ref) -> None:
    global _held_bytes
    _, buffer = _lent.pop(id(loan))
    with _lock:
        buffers = _free[buffer.nbytes] = _free.pop(buffer.nbytes, [])
        buffers.append(buffer)
        _held_bytes += buffer.nbytes
        while _held_bytes > MAX_HELD_BYTES:
            oldest = next(iter(_free))
            if not _free[oldest]:
                del _free[oldest]
            else:
                _held_bytes -= _free[oldest].pop(0).nbytes
