"""Addresses of storages, and the times that storages and workers are waited for."""

from __future__ import annotations

import os
import re
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
FILE_SCHEMES = ("sqlite", "journal")
FORMS = "sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DATABASE, journal:///FILE"


def grace() -> int:
    """Seconds without a heartbeat after which a worker on another host counts as dead (``BENCH_GRACE``).

    Workers send four heartbeats in this time.
    """
    return round(paths.number("BENCH_GRACE", 120, 1))


def patience() -> float:
    """Seconds that a command waits for a storage that does not answer (``BENCH_PATIENCE``)."""
    return paths.number("BENCH_PATIENCE", 600, 0)


def deaths() -> int:
    """How many workers may die over one experiment before it counts as failed (``BENCH_DEATHS``)."""
    return round(paths.number("BENCH_DEATHS", 3, 1))


def check_variables() -> None:
    """Raises ``BenchError`` for a variable of this module that is no number, before anything is started."""
    for read in (grace, patience, deaths):
        read()


def address(text: str | None = None) -> str:
    """The storage to use: ``text``, else ``BENCH_STORAGE``, else SQLite under ``BENCH_HOME``.

    A plain file name is SQLite, or a journal where it ends in ``.journal``; a file is relative to the working folder
    unless it starts with "/". Raises ``BenchError`` for anything else.
    """
    text = text or os.environ.get("BENCH_STORAGE") or f"sqlite:///{paths.home() / 'queue.db'}"
    scheme, separator, rest = text.partition("://")
    scheme = scheme.removesuffix("+psycopg")
    if not separator and not set(":=@") & set(text):  # what has one of these names a server, or is a mistake
        scheme = "journal" if text.endswith(".journal") else "sqlite"
        rest = f"/{text}"
    if scheme in FILE_SCHEMES and rest.startswith("/") and rest.strip("/"):
        return f"{scheme}:///{Path(rest[1:]).expanduser().resolve()}"
    if scheme != "postgresql" or len(rest) < 2:
        raise BenchError(f"storage {masked(text)!r} is not an address; known: {FORMS}")
    return f"{scheme}://{rest}"


def masked(address: str) -> str:
    """``address`` without its password, wherever it stands: before the host, in the query, or as libpq writes it."""
    text = re.sub(r"(pass\w*\s*=\s*)('[^']*'|[^&\s]*)", r"\1***", address, flags=re.IGNORECASE)
    head, at, host = text.rpartition("@")
    scheme, separator, user = head.rpartition("://") if "://" in head else ("", "", head)
    if not at or ":" not in user:
        return text
    return f"{scheme}{separator}{user.partition(':')[0]}:***@{host}"


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
