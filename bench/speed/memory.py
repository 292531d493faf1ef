"""Memory of a process in MB, as the operating system reports it."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def largest_mb(processes: int = resource.RUSAGE_SELF) -> float:
    """Largest memory that this process, or with ``RUSAGE_CHILDREN`` one of its children, has held since its start."""
    bytes_per_unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(processes).ru_maxrss * bytes_per_unit / 2**20


def resident_mb() -> float:
    """Memory that this process holds now (Linux only)."""
    return _status_mb("VmRSS")


def peak_mb() -> float:
    """Largest memory that this process has held since ``reset_peak`` (Linux only)."""
    return _status_mb("VmHWM")


def reset_peak() -> None:
    """Let ``peak_mb`` start again from the present memory (Linux only)."""
    Path("/proc/self/clear_refs").write_text("5")


def _status_mb(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return 0.0
