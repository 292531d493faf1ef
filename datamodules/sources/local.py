"""What of each data set is on this machine, and whether it is the original."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from datamodules.sources.records import SOURCES, File, Source

QUICK = 2**25  # bytes: files up to this size are hashed whenever somebody asks


class DataError(Exception):
    """Data that is missing, damaged or cannot be had; the message says which file and what to do."""


def folder(name: str) -> Path:
    """Where the files of source ``name`` are looked for, below ``BENCH_DATA`` (default ``data/``)."""
    root = os.environ.get("BENCH_DATA") or Path(__file__).resolve().parents[2] / "data"
    return Path(root).expanduser().resolve() / (SOURCES[name].place or name)


def digest(path: Path, content: bool = True) -> tuple[int, int, str]:
    """Number of files, bytes and md5 of a file or folder; of a folder, the md5 of its sorted lines "path size md5".

    Without ``content`` nothing is read and the md5 is empty.
    """
    if path.is_file():
        return 1, path.stat().st_size, _md5(path) if content else ""
    rows = []
    total = 0
    for parent, _, names in os.walk(path):
        for name in names:
            file = os.path.join(parent, name)
            size = os.stat(file).st_size
            total += size
            inside = os.path.relpath(file, path).replace(os.sep, "/")
            rows.append(f"{inside} {size} {_md5(Path(file))}\n" if content else inside)
    return len(rows), total, hashlib.md5("".join(sorted(rows)).encode()).hexdigest() if content else ""


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def marker(archive: Path) -> Path:
    """The file that says ``archive`` was unpacked whole: written last, so what a killed unpacking left is never
    used."""
    return archive.parent / f".{archive.name}.complete"


def problem(name: str, file: File, content: bool = False) -> str | None:
    """What is wrong with ``file`` of source ``name``, or ``None``. Without ``content`` only sizes and counts are looked
    at."""
    where = folder(name) / file.path
    size = f"{file.size:,} bytes, " if file.size else ""
    try:
        if file.unpacks:
            return _unpacked_problem(name, file, where, content)
        if not where.exists():
            return f"missing: {where} ({size}md5 {file.md5})"
        count, total, md5 = digest(where, content)
    except OSError as error:
        return f"cannot read {where} ({error.strerror})"
    if file.count is not None and count != file.count:
        return f"{where} holds {count:,} files, the original {file.count:,}: incomplete or another set"
    if file.size is not None and total != file.size:
        return f"{where} has {total} bytes, the original {file.size}: truncated or another file"
    if content and md5 != file.md5:
        return f"{where} has md5 {md5}, the original {file.md5}: damaged or another file"
    return None


def _unpacked_problem(name: str, file: File, archive: Path, content: bool) -> str | None:
    try:
        said = json.loads(marker(archive).read_text())
        known = said["content"] if said["md5"] == file.md5 else {}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        known = {}
    if set(known) != set(file.unpacks):
        if archive.exists():
            return f"{archive} is there but not unpacked: python -m bench data fetch {name} checks and unpacks it"
        return f"missing: {archive} (md5 {file.md5})"
    for part, (count, size, md5) in known.items():
        where = archive.parent / part
        if not where.exists():
            return f"missing: {where}, unpacked from {archive.name}"
        if content or where.is_file():
            found = digest(where, content)
            if found[:2] != (count, size) or (content and found[2] != md5):
                return f"{where} is not what {archive.name} holds: truncated, damaged or changed"
    return None


def missing(name: str) -> list[File]:
    """Files of source ``name`` that are absent, of another size or not unpacked (their md5 is checked when they are
    read)."""
    made = [File("standin.json", None, "")] if _made_problem(name) else []
    return made + [f for f in SOURCES[name].files if problem(name, f)]


def _made_problem(name: str) -> str | None:
    """Why a stand-in that should be in its folder cannot be used; ``None`` for everything else."""
    source = SOURCES[name]
    if source.kind != "stand-in":
        return None
    from datamodules.standins.making import problem as standin_problem

    wrong = standin_problem(folder(name), source.version, dict(source.samples))
    return f"{wrong}; {advice(name)}" if wrong else None


def advice(name: str) -> str:
    if SOURCES[name].kind == "stand-in":
        return f"make it with: python -m datamodules.standins {name.removesuffix('-standin')}"
    return f"get it with: python -m bench data fetch {name} (or put the original file there by hand)"


def check(name: str) -> None:
    """Read every byte of source ``name``. Raises ``DataError`` when a file is not the original or a stand-in is
    unfinished."""
    if wrong := _made_problem(name):
        raise DataError(f"{SOURCES[name].title}: {wrong}")
    for file in SOURCES[name].files:
        if wrong := problem(name, file, content=True):
            raise DataError(f"{SOURCES[name].title}: {wrong}; {advice(name)}")


def verify(name: str) -> list[str]:
    """What is wrong with each file of source ``name``, after reading every byte of it."""
    made = [wrong for wrong in (_made_problem(name),) if wrong]
    return made + [wrong for f in SOURCES[name].files if (wrong := problem(name, f, content=True))]


def read(source: Source, path: str) -> bytes:
    """Content of one file of ``source``, after its md5. Raises ``DataError`` when it is absent, truncated or not the
    published file."""
    file = next(f for f in source.files if f.path == path)
    where = folder(source.name) / path
    try:
        content = where.read_bytes()
    except OSError as error:
        raise DataError(f"{source.title}: cannot read {where} ({error.strerror}); {advice(source.name)}") from None
    if hashlib.md5(content).hexdigest() != file.md5:
        raise DataError(f"{source.title}: {problem(source.name, file, content=True)}; {advice(source.name)}")
    return content


def status(name: str) -> dict[str, Any]:
    """State of one source as plain types: generated, present, partial or missing, with what is wrong with each file.

    Files up to 32 MiB are hashed, of larger ones only sizes and counts are looked at (``verify`` reads everything).
    """
    source = SOURCES[name]
    problems = [
        w for f in source.files if (w := problem(name, f, content=not f.unpacks and (f.size or QUICK + 1) <= QUICK))
    ]
    problems += [wrong for wrong in (_made_problem(name),) if wrong]
    state = "present" if not problems else "missing" if len(problems) >= len(source.files) else "partial"
    on_disk = source.files or source.kind == "stand-in"
    sizes = [f.size for f in source.files]
    return {
        "name": name,
        "title": source.title,
        "kind": source.kind,
        "state": state if on_disk else "generated",
        "folder": str(folder(name)) if on_disk else None,
        "samples": dict(source.samples),
        "bytes": sum(s for s in sizes if s) if sizes and all(sizes) else None,
        "files": [{"path": f.path, "bytes": f.size, "md5": f.md5} for f in source.files],
        "licence": source.licence,
        "citation": source.citation,
        "problems": problems,
        "mirrors": [url for f in source.files if problem(name, f) for url in source.urls(f)],
    }
