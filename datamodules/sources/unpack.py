"""Unpacking archives: only the named members, only inside the folder, all of them or none."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from datamodules.sources.local import DataError, digest, marker
from datamodules.sources.records import File


def unpack(archive: Path, file: File) -> None:
    """Unpack ``file.unpacks`` from ``archive`` beside it, replacing earlier files. The marker is written last.

    Raises ``DataError`` for an archive that is damaged, lacks a named member or holds a path that points outside.
    """
    scratch = archive.parent / f".{archive.name}.unpacking"
    shutil.rmtree(scratch, ignore_errors=True)  # a killed unpacking left it
    marker(archive).unlink(missing_ok=True)
    try:
        for name, content in _members(archive):
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
                raise DataError(f"{archive} holds {name!r}, which points outside: refused, nothing was unpacked")
            if path.parts[0] not in file.unpacks:
                continue
            if content is None:
                raise DataError(
                    f"{archive} holds {name!r}, which is neither file nor folder: refused, nothing was unpacked"
                )
            target = scratch / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                shutil.copyfileobj(content, out, 2**20)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError) as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise DataError(f"{archive} cannot be unpacked ({error}): damaged") from None
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    if absent := [part for part in file.unpacks if not (scratch / part).exists()]:
        shutil.rmtree(scratch, ignore_errors=True)
        raise DataError(f"{archive} does not hold {', '.join(absent)}: another file under this name")
    contents = {part: digest(scratch / part) for part in file.unpacks}
    for part in file.unpacks:
        _replace(scratch / part, archive.parent / part)
    scratch.rmdir()
    new = marker(archive).with_suffix(".new")
    new.write_text(json.dumps({"md5": file.md5, "content": contents}))
    os.replace(new, marker(archive))


def _replace(new: Path, old: Path) -> None:
    """Move ``new`` to ``old``, which may exist and be a file or a folder."""
    replaced = old.with_name(f".{old.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if old.is_dir():
        os.replace(old, replaced)
    os.replace(new, old)
    shutil.rmtree(replaced, ignore_errors=True)


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    """Name and content of every member but folders; ``None`` for links and devices."""
    if archive.name.endswith(".zip"):
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                if not entry.is_dir():
                    with zipped.open(entry) as content:
                        yield entry.filename, content
    else:
        with tarfile.open(archive) as tarred:
            for member in tarred:
                if not member.isdir():
                    yield member.name, tarred.extractfile(member) if member.isfile() else None
