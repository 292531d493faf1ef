"""Downloads of data sets: resumed where they stopped, mirror by mirror. Only the original files are accepted."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from datamodules.locks import locked
from datamodules.sources.local import DataError, advice, folder, form, found_nearby, problem
from datamodules.sources.records import SOURCES, File
from datamodules.sources.unpack import unpack

TIMEOUT = 30  # seconds without a byte
CHUNK = 2**20
ATTEMPTS = 5  # connections to one address that each bring a part of the file

Report = Callable[[str], None]


class _Refused(Exception):
    """An address did not give the file; the message says what it answered."""


class _ConnectionLost(Exception):
    """A connection could not be made or broke."""


def fetch(name: str, report: Report) -> None:
    """Download, check and unpack what is missing or damaged of ``name``; ``report`` takes lines on its progress.

    Raises ``DataError`` with what each address answered.
    """
    source = SOURCES[name]
    target = folder(name)
    if source.kind == "stand-in":
        raise DataError(f"{source.title} is not downloaded; {advice(name)}")
    if not source.files:
        return report(f"{source.title}: nothing to download")
    if not _needed(name):  # a folder that is complete may be read-only
        return report(f"{source.title}: complete in {target}")
    if text := found_nearby(name):
        report(f"{source.title}: {text}")
    try:
        with locked(target / ".fetch.lock", lambda: report(f"{source.title}: another process is fetching it, waiting")):
            for file in _needed(name):
                if not _is_original(target / file.path, file):
                    _download(name, file, report)
                if file.unpacks:
                    report(f"{source.title}: unpacking {file.path}")
                    unpack(target / file.path, file)
    except OSError as error:
        raise DataError(
            f"{source.title}: cannot write below {target} ({error.strerror}): {_remedy(error)} or set BENCH_DATA"
        ) from None
    report(f"{source.title}: complete in {target}")


def _remedy(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "get the right to write there"
    return "free some space"


def _needed(name: str) -> list[File]:
    """Files of the preferred form that are missing or damaged; none where another form is complete."""
    files = form(name)
    wrong = [file for file in files if problem(name, file, content=True)]
    return list(SOURCES[name].files) if wrong and files != SOURCES[name].files else wrong


def _is_original(path: Path, file: File) -> bool:
    """Whether ``path`` is the original, by its md5. A file that was copied there by hand is as good as a download."""
    if not path.is_file() or (file.size is not None and path.stat().st_size != file.size):
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest() == file.md5


def _download(name: str, file: File, report: Report) -> None:
    source = SOURCES[name]
    path = folder(name) / file.path
    part = path.with_name(path.name + ".part")
    answers = []
    for url in source.urls(file) if file.count is None else ():
        report(f"{source.title}: {url}")
        path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):  # the second time from the start: an earlier part may belong to another file
            resumed = part.exists() and part.stat().st_size > 0
            try:
                _receive(url, part, file, report)
            except _Refused as error:
                answers.append(f"{url}: {error}")
                break
            if _is_original(part, file):
                os.replace(part, path)
                return
            size = part.stat().st_size
            part.unlink()
            if not resumed:
                answers.append(f"{url}: answered {size} bytes that are not the original file")
                break
    reasons = "; ".join(answers) or "it has no mirror"
    raise DataError(f"{source.title}: {file.path} could not be downloaded ({reasons}); put it by hand at {path}")


def _receive(url: str, part: Path, file: File, report: Report) -> None:
    """Append to ``part`` until the server has sent all. Raises ``_Refused``; ``part`` keeps what was received."""
    for attempt in range(ATTEMPTS):
        start_size = part.stat().st_size if part.exists() else 0
        try:
            if _connect(url, part, start_size, file):
                return
        except _ConnectionLost as error:
            if not part.exists() or part.stat().st_size <= start_size or attempt == ATTEMPTS - 1:
                raise _Refused(str(error)) from None
        report(f"{file.path}: connection lost after {part.stat().st_size:,} bytes, going on")
    raise _Refused(f"connection lost {ATTEMPTS} times")


def _connect(url: str, part: Path, start: int, file: File) -> bool:
    """Append to ``part`` over one connection. Whether the server sent all that it announced."""
    request = urllib.request.Request(url, headers={"User-Agent": "spiking-sequence-benchmarks"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError) and error.code == 416:
            return True  # the server has no more bytes than ``part``; the md5 decides
        raise _ConnectionLost(str(getattr(error, "reason", None) or error)) from None
    with answer:
        if answer.status != 206:
            start = 0
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else None
        if answer.headers.get_content_type() == "text/html":
            raise _Refused("answered a web page that is not the original file")
        if file.size is not None and total is not None and total != file.size:
            raise _Refused(f"answered {total} bytes that are not the original file")
        if total == 0:
            raise _Refused("answered 0 bytes")
        free = shutil.disk_usage(part.parent).free
        if total and total - start > free:
            raise DataError(
                f"{file.path} needs {total - start:,} bytes, {part.parent} has {free:,} free: make room or set "
                "BENCH_DATA"
            )
        return _store(answer, part, start, total, file)


def _store(answer: http.client.HTTPResponse, part: Path, start: int, total: int | None, file: File) -> bool:
    from tqdm import tqdm

    received = start
    with (
        part.open("r+b" if start else "wb") as out,
        tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=Path(file.path).name, disable=None) as bar,
    ):
        out.seek(start)
        out.truncate()
        while chunk := _read_chunk(answer):
            if received == 0 and chunk.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
                raise _Refused("answered a web page that is not the original file")
            out.write(chunk)
            received += len(chunk)
            bar.update(len(chunk))
            if file.size is not None and received > file.size:
                raise _Refused(f"answered more than the {file.size} bytes of the original file")
    if received == 0:
        raise _Refused("answered 0 bytes")
    return total is None or received >= total


def _read_chunk(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _ConnectionLost(str(error)) from None
