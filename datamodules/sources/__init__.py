"""Data sets: where each comes from (``records``), what of it is here (``local``), how it gets here (``download``,
``unpack``). No torch."""

from __future__ import annotations

from collections.abc import Callable

from datamodules.sources.local import DataError, check, digest, folder, missing, problem, read, status, verify
from datamodules.sources.records import MNIST, SOURCES, XOR, File, Source

__all__ = [
    "MNIST", "SOURCES", "XOR", "DataError", "File", "Source", "check", "digest", "fetch", "folder", "missing", "problem", "read", "status",
    "verify",
]  # fmt: skip


def fetch(name: str, say: Callable[[str], None]) -> None:
    """Download, check and unpack what is missing or damaged of ``name``. Raises ``DataError`` with what each address
    answered."""
    from datamodules.sources import download  # networking is loaded by the one command that needs it

    download.fetch(name, say)


from datamodules.standins.records import STANDINS  # noqa: E402 - they need the names above

SOURCES.update(STANDINS)
