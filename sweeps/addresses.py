"""Addresses of storages, and the times that storages and workers are waited for."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from bench import paths
from bench.errors import BenchError

NETWORK_DISKS = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "glusterfs",
    "fuse.sshfs",
    "afs",
    "9p",
}
FORMS = "sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DATABASE, journal:///FILE"


def grace() -> int:
    """Seconds without a heartbeat after which a worker on another host counts as dead (``BENCH_GRACE``).

    Workers send four heartbeats in this time.
    """
    return int(os.environ.get("BENCH_GRACE", 120))


def patience() -> float:
    """Seconds that a command waits for a storage that does not answer (``BENCH_PATIENCE``)."""
    return float(os.environ.get("BENCH_PATIENCE", 600))


def address(text: str | None = None) -> str:
    """The storage to use: ``text``, else ``BENCH_STORAGE``, else SQLite under ``BENCH_HOME``.

    A plain file name is SQLite, or a journal where it ends in ``.journal``. Raises ``BenchError`` for anything else.
    """
    text = text or os.environ.get("BENCH_STORAGE") or f"sqlite:///{paths.home() / 'queue.db'}"
    if "://" not in text:
        kind = "journal" if text.endswith(".journal") else "sqlite"
        text = f"{kind}:///{Path(text).expanduser().resolve()}"
    scheme, _, rest = text.partition("://")
    scheme = scheme.removesuffix("+psycopg")
    if scheme not in ("sqlite", "postgresql", "journal") or len(rest) < 2:
        raise BenchError(f"storage {masked(text)!r} is not an address; known: {FORMS}")
    return f"{scheme}://{rest}"


def masked(address: str) -> str:
    """``address`` without its password."""
    head, at, tail = address.rpartition("@")
    return f"{head[: head.rfind(':')]}:***@{tail}" if at and ":" in head.partition("://")[2] else address


def is_default(address: str) -> bool:
    """Whether ``address`` is this home's own file, which nobody else uses."""
    return address == f"sqlite:///{paths.home() / 'queue.db'}"


def file_system(folder: Path) -> str:
    """File system type of ``folder`` ("ext4", "nfs4", …), empty where the system does not tell it."""
    with suppress(OSError):
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
        above = [m for m in mounts if folder.is_relative_to(m[1].replace("\\040", " "))]
        return max(above, key=lambda m: len(m[1]))[2] if above else ""
    return ""
