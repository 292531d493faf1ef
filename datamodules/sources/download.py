"""Getting data sets: resumed downloads, mirror by mirror, nothing kept that is not the original."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from datamodules.locks import locked
from datamodules.sources.local import DataError, advice, folder, problem
from datamodules.sources.records import SOURCES, File
from datamodules.sources.unpack import unpack

TIMEOUT = 30  # seconds without a byte
CHUNK = 2**20
TRIES = 5  # connections to one address in a row that bring something but not all

Say = Callable[[str], None]


class _Refused(Exception):
    """An address did not give the file; the message says what it answered."""


class _Lost(Exception):
    """A connection could not be made or broke."""


def fetch(name: str, say: Say) -> None:
    """Download, check and unpack what is missing or damaged of ``name``. Raises ``DataError`` with what each address
    answered."""
    source = SOURCES[name]
    here = folder(name)
    if source.kind == "stand-in":
        raise DataError(f"{source.title} is not downloaded; {advice(name)}")
    if not source.files:
        return say(f"{source.title}: nothing to download")
    try:
        with locked(here / ".fetch.lock", lambda: say(f"{source.title}: another process is fetching it, waiting")):
            for file in source.files:
                if problem(name, file, content=True) is None:
                    continue
                if not _whole(here / file.path, file):
                    _download(name, file, say)
                if file.unpacks:
                    say(f"{source.title}: unpacking {file.path}")
                    unpack(here / file.path, file)
    except OSError as error:
        raise DataError(
            f"{source.title}: cannot write below {here} ({error.strerror}): free some space or set BENCH_DATA"
        ) from None
    say(f"{source.title}: complete in {here}")


def _whole(path: Path, file: File) -> bool:
    """Whether the original is there, by its md5; so a file put there by hand is as good as a downloaded one."""
    if not path.is_file() or (file.size is not None and path.stat().st_size != file.size):
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest() == file.md5


def _download(name: str, file: File, say: Say) -> None:
    source = SOURCES[name]
    path = folder(name) / file.path
    part = path.with_name(path.name + ".part")
    answers = []
    for url in source.urls(file) if file.count is None else ():
        say(f"{source.title}: {url}")
        path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):  # the second time from the start: what was there may have come from elsewhere
            resumed = part.exists() and part.stat().st_size > 0
            try:
                _receive(url, part, file, say)
            except _Refused as error:
                answers.append(f"{url}: {error}")
                break
            if _whole(part, file):
                os.replace(part, path)
                return
            size = part.stat().st_size
            part.unlink()
            if not resumed:
                answers.append(f"{url}: answered {size} bytes that are not the original file")
                break
    tried = "; ".join(answers) or "it has no mirror"
    raise DataError(f"{source.title}: {file.path} could not be downloaded ({tried}); put it by hand at {path}")


def _receive(url: str, part: Path, file: File, say: Say) -> None:
    """Append to ``part`` until the server has no more. Raises ``_Refused``; what came so far stays in ``part``."""
    for attempt in range(TRIES):
        before = part.stat().st_size if part.exists() else 0
        try:
            if _connect(url, part, before, file):
                return
        except _Lost as error:
            if not part.exists() or part.stat().st_size <= before or attempt == TRIES - 1:
                raise _Refused(str(error)) from None
        say(f"{file.path}: connection lost after {part.stat().st_size:,} bytes, going on")
    raise _Refused(f"connection lost {TRIES} times")


def _connect(url: str, part: Path, start: int, file: File) -> bool:
    """One connection; whether all the server announced has come."""
    request = urllib.request.Request(url, headers={"User-Agent": "spiking-sequence-benchmarks"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError) and error.code == 416:
            return True  # nothing after what is there: its md5 decides
        raise _Lost(str(getattr(error, "reason", None) or error)) from None
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

    done = start
    with (
        part.open("r+b" if start else "wb") as out,
        tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=Path(file.path).name, disable=None) as bar,
    ):
        out.seek(start)
        out.truncate()
        while chunk := _next(answer):
            if done == 0 and chunk.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
                raise _Refused("answered a web page that is not the original file")
            out.write(chunk)
            done += len(chunk)
            bar.update(len(chunk))
            if file.size is not None and done > file.size:
                raise _Refused(f"answered more than the {file.size} bytes of the original file")
    if done == 0:
        raise _Refused("answered 0 bytes")
    return total is None or done >= total


def _next(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Lost(str(error)) from None
