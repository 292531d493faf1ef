"""Data that is not where it belongs but one step beside: another program's layout, or half of an archive and its
content.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from datamodules.files import is_junk
from datamodules.sources.records import SOURCES, File, Source

MOST_FOLDERS = 40  # of a folder that are looked into


def nearby(source: Source, files: tuple[File, ...], home: Path) -> str:
    """What is near the place of the first of ``files`` that is absent, and what is expected; empty where nothing is.

    ``home`` is the folder of all data.
    """
    folder = home / (source.place or source.name)
    file = next((file for file in files if not (folder / file.path).exists()), None)
    if file is None:
        return ""
    place = folder / file.path
    if content := [part for part in file.unpacks if (place.parent / part).exists()]:
        return (
            f"found {place.parent / content[0]} without {place.name}, whose md5 shows that it is the original:"
            f" put {place.name} beside it"
        )
    names = dict.fromkeys((file.path, place.name, place.stem, *file.unpacks))
    for other in (base / name for base in _folders(folder, home) for name in names):
        if other.exists() and other != place:
            return f"found {other}, expected {place}: {_remedy(other, place)}"
    return ""


def _remedy(other: Path, place: Path) -> str:
    if other.name != place.name:
        return f"put the original {place.name} there"
    return "move or link it, with the files beside it"


def _folders(folder: Path, home: Path) -> Iterator[Path]:
    """Where other programs put a data set that belongs into ``folder``, never the folder of another set."""
    others = {home / (source.place or source.name) for source in SOURCES.values()} - {folder}
    yield from (folder, folder / "raw", home, home.parent / folder.name)
    for first in (*_inner(folder), *_inner(home)):
        if first not in others:
            yield from (first, first / "raw")
            if first.name.lower() == folder.name.lower():
                yield from _inner(first)


def _inner(folder: Path) -> list[Path]:
    """The first folders in ``folder``, by name; none where it cannot be read."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if not is_junk(entry.name) and entry.is_dir())
    except OSError:
        return []
    return [folder / name for name in names[:MOST_FOLDERS]]
