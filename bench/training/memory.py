"""Memory of a training: its peak in the process or on the GPU, and what is freed stays for the next step."""

from __future__ import annotations

import ctypes
import errno
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

# What torch's errors say where an allocation failed, in small letters
EXHAUSTED = ("can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory", "alloc_failed")

# Options of mallopt(3)
_TRIM_THRESHOLD = -1
_MMAP_MAX = -4


def keep_freed() -> None:
    """Let the C library keep what is freed. Otherwise large tensors go back to the system, which clears their pages
    anew in every step. It holds for the rest of the process, and does nothing where the C library is not glibc.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, -1)  # never


def is_exhausted(error: BaseException) -> bool:
    """Whether ``error`` means that memory ended, on the CPU or a GPU: torch has no class of its own for the CPU."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, MemoryError):  # numpy's own error is one
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in EXHAUSTED)


def reset_peak() -> None:
    """Let the peak begin anew, so that it is that of one experiment and not of the whole process."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):  # Linux only
        Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float:
    """Peak resident memory in MB (allocated device memory on CUDA)."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    with suppress(OSError):
        for row in Path("/proc/self/status").read_text().splitlines():
            if row.startswith("VmHWM:"):
                return round(int(row.split()[1]) / 1024, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 1024), 1)
