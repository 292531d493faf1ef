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
)
from datamodules.sources.local import verify as verify_bytes
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


def verify(name: str) -> list[str]:
    """What is wrong with each file of source ``name``, after reading every byte, and for ``nmnist-7`` every event."""
    problems = verify_bytes(name)
    if problems or name != NMNIST_7.name:
        return problems
    from datamodules.sources import event_codes  # loads numpy, which no other source needs

    return event_codes.problems(folder(name))
