"""Data sets: where each comes from, what of it is on this machine, and how it gets there. Loads no torch.

``records``: origin and licence; ``local``: the state of the files; ``download`` and ``unpack``: how to get them.
"""

from __future__ import annotations

from collections.abc import Callable

from datamodules.sources.local import (
    DataError,
    check,
    data_home,
    digest,
    folder,
    form,
    forms_here,
    missing,
    problem,
    read,
    status,
    verify,
)
from datamodules.sources.records import MNIST, NMNIST_7, SOURCES, XOR, File, Source

__all__ = [
    "MNIST",
    "NMNIST_7",
    "SOURCES",
    "XOR",
    "DataError",
    "File",
    "Source",
    "check",
    "data_home",
    "digest",
    "fetch",
    "folder",
    "form",
    "forms_here",
    "missing",
    "problem",
    "read",
    "status",
    "verify",
]


def fetch(name: str, report: Callable[[str], None]) -> None:
    """Download, check and unpack what is missing or damaged of ``name``; ``report`` takes lines on its progress.

    Raises ``DataError`` with what each address answered.
    """
    from datamodules.sources import download  # only this command needs the networking modules

    download.fetch(name, report)
