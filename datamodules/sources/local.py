"""What of each data set is on this machine, and whether it is the original."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from datamodules.files import is_junk
from datamodules.sources.manifest import MANIFEST, manifest_problem
from datamodules.sources.nearby import nearby
from datamodules.sources.records import SOURCES, File, Source

HASHED_BYTES = 2**25  # ``status`` hashes files up to this size


class DataError(Exception):
    """Data that is missing, damaged or cannot be had; the message says which file and what to do."""


def data_home() -> Path:
    """The folder of all data: ``BENCH_DATA``, default ``data/``."""
    return Path(os.environ.get("BENCH_DATA") or Path(__file__).resolve().parents[2] / "data").expanduser()


def folder(name: str) -> Path:
    """The folder of source ``name``, below ``data_home()``."""
    return data_home().resolve() / (SOURCES[name].place or name)


def digest(path: Path, content: bool = True, junk: bool = False) -> tuple[int, int, str]:
    """Number of files, bytes and md5 of a file or folder; of a folder, the md5 of its sorted lines "path size md5".

    Without ``content`` nothing is read and the md5 is empty. Files of file managers count with ``junk`` alone. Raises
    ``OSError``.
    """
    if path.is_file():
        return 1, path.stat().st_size, _md5(path) if content else ""
    rows = []
    total = 0
    for parent, _, names in os.walk(path, onerror=_raise, followlinks=True):
        for name in names:
            if not junk and is_junk(name):
                continue
            file = os.path.join(parent, name)
            size = os.stat(file).st_size
            total += size
            name_inside = os.path.relpath(file, path).replace(os.sep, "/")
            rows.append(f"{name_inside} {size} {_md5(Path(file))}\n" if content else name_inside)
    return len(rows), total, hashlib.md5("".join(sorted(rows)).encode()).hexdigest() if content else ""


def _raise(error: OSError) -> None:
    raise error


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def marker(archive: Path) -> Path:
    """The file that marks ``archive`` as unpacked completely. It is written last, after all else is in its place."""
    return archive.parent / f".{archive.name}.complete"


def problem(name: str, file: File, content: bool = False) -> str | None:
    """What is wrong with ``file`` of source ``name``, or ``None``. Without ``content`` only sizes and counts count."""
    path = folder(name) / file.path
    size = f"{file.size:,} bytes, " if file.size else ""
    try:
        if file.unpacks:
            return _unpacked_problem(name, file, path, content)
        if not path.exists():
            return _dangling(path) or f"missing: {path} ({size}md5 {file.md5})"
        count, total, md5 = digest(path, content)
    except OSError as error:
        culprit = Path(error.filename or path)
        return _dangling(culprit) or f"cannot read {culprit} ({error.strerror})"
    if file.count is not None and count != file.count:
        return f"{path} holds {count:,} files, the original {file.count:,}: incomplete or another set"
    if file.size is not None and total != file.size:
        return f"{path} has {total} bytes, the original {file.size}: truncated or another file"
    if content and md5 != file.md5:
        return f"{path} has md5 {md5}, the original {file.md5}: damaged or another file"
    return None


def _dangling(path: Path) -> str:
    """What to know of a link to nothing; empty for anything else."""
    if not path.is_symlink() or path.exists():
        return ""
    return f"{path} is a link to {os.readlink(path)}, which is not there"


def _unpacked_problem(name: str, file: File, archive: Path, content: bool) -> str | None:
    try:
        marked = json.loads(marker(archive).read_text())
        unpacked = marked["content"] if marked["md5"] == file.md5 else {}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        unpacked = {}
    if set(unpacked) != set(file.unpacks):
        if archive.exists():
            return f"{archive} is there but not unpacked: python -m bench data fetch {name} checks and unpacks it"
        return _dangling(archive) or f"missing: {archive} (md5 {file.md5})"
    for part, (count, size, md5) in unpacked.items():
        path = archive.parent / part
        if not path.exists():
            return _dangling(path) or f"missing: {path}, unpacked from {archive.name}"
        if content or path.is_file():
            original = (count, size, md5 if content else "")
            if all(digest(path, content, junk) != original for junk in (False, True)):
                return f"{path} is not what {archive.name} holds: truncated, damaged or changed"
    return None


def form(name: str) -> tuple[File, ...]:
    """The files of source ``name`` that are read: of its first form that is here, else the first with half its files.

    Sizes and counts decide. Where no form is here it is the preferred one.
    """
    forms = SOURCES[name].forms
    if len(forms) == 1:
        return forms[0]
    complete = [files for files in forms if not any(problem(name, file) for file in files)]
    return (complete + [files for files in forms if _half_there(name, files)] + [forms[0]])[0]


def forms_here(name: str) -> list[tuple[File, ...]]:
    """Each form of source ``name`` that is here, complete or in good part; the preferred one where none is."""
    forms = SOURCES[name].forms
    return [files for files in forms if files and _half_there(name, files)] or [forms[0]]


def _half_there(name: str, files: tuple[File, ...]) -> bool:
    """Whether half of ``files`` are there or more. Fewer may belong to another source with the same folder."""
    return 2 * sum((folder(name) / file.path).exists() for file in files) >= len(files)


def missing(name: str) -> list[File]:
    """Files of source ``name`` that are absent, of another size or not unpacked (their md5 is checked when they are
    read)."""
    manifest = [File(MANIFEST, None, "")] if _standin_problem(name) else []
    return manifest + [file for file in form(name) if problem(name, file)]


def _standin_problem(name: str) -> str | None:
    """Why a stand-in cannot be used; ``None`` for one that can, and for a source that is no stand-in."""
    source = SOURCES[name]
    if source.kind != "stand-in":
        return None
    reason = manifest_problem(folder(name), source.version, dict(source.samples))
    return f"{reason}; {advice(name)}" if reason else None


def advice(name: str) -> str:
    if SOURCES[name].kind == "stand-in":
        return f"make it with: python -m datamodules.standins {name.removesuffix('-standin')}"
    return f"get it with: python -m bench data fetch {name} (or put the original file there by hand)"


def found_nearby(name: str) -> str:
    """What lies one step beside the place of source ``name``, and what is expected; empty where nothing does."""
    return nearby(SOURCES[name], form(name), data_home().resolve())


def check(name: str) -> None:
    """Read every byte of source ``name``. Raises ``DataError`` when a file is not the original or a stand-in is
    unfinished."""
    if reason := _standin_problem(name):
        raise DataError(f"{SOURCES[name].title}: {reason}")
    for file in form(name):
        if reason := problem(name, file, content=True):
            raise DataError(f"{SOURCES[name].title}: {reason}; {found_nearby(name) or advice(name)}")


def verify(name: str) -> list[str]:
    """What is wrong with each file of source ``name``, of all its forms that are here, after reading every byte."""
    files = [file for files in forms_here(name) for file in files]
    problems = [_standin_problem(name), *(problem(name, file, content=True) for file in files)]
    return [reason for reason in problems if reason]


def read(source: Source, path: str) -> bytes:
    """Content of one file of ``source``, after its md5. Raises ``DataError`` when it is absent, truncated or not the
    published file."""
    file = next(file for files in source.forms for file in files if file.path == path)
    place = folder(source.name) / path
    try:
        content = place.read_bytes()
    except OSError as error:
        reason = _dangling(place) or f"cannot read {place} ({error.strerror})"
        raise DataError(f"{source.title}: {reason}; {found_nearby(source.name) or advice(source.name)}") from None
    if hashlib.md5(content).hexdigest() != file.md5:
        raise DataError(f"{source.title}: {problem(source.name, file, content=True)}; {advice(source.name)}")
    return content


def status(name: str) -> dict[str, Any]:
    """State of one source as plain types: generated, present, partial or missing, with what is wrong with each file.

    Files up to 32 MiB are hashed, of larger ones only sizes and counts are looked at (``verify`` reads everything).
    """
    source = SOURCES[name]
    files = form(name)
    problems = [
        reason
        for file in files
        if (reason := problem(name, file, content=not file.unpacks and (file.size or HASHED_BYTES + 1) <= HASHED_BYTES))
    ]
    if reason := _standin_problem(name):
        problems.append(reason)
    on_disk = source.files or source.kind == "stand-in"
    sizes = [file.size for file in files]
    return {
        "name": name,
        "title": source.title,
        "kind": source.kind,
        "state": _state(problems, len(files)) if on_disk else "generated",
        "folder": str(folder(name)) if on_disk else None,
        "samples": dict(source.samples),
        "omitted": source.shortage(*source.samples),
        "bytes": sum(size for size in sizes if size) if sizes and all(sizes) else None,
        "files": [{"path": file.path, "bytes": file.size, "md5": file.md5} for file in files],
        "licence": source.licence,
        "citation": source.citation,
        "problems": problems,
        "nearby": found_nearby(name) if problems and source.files else "",
        "mirrors": [url for file in source.files if problem(name, file) for url in source.urls(file)]
        if problems
        else [],
    }


def _state(problems: list[str], files: int) -> str:
    if not problems:
        return "present"
    return "missing" if len(problems) >= files else "partial"
