"""Where each data set comes from: mirrors, sizes, md5, licence and citation. No torch."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class File:
    """One file of a source, at ``path`` below ``BENCH_DATA/<source>``; ``size`` in bytes."""

    path: str
    size: int
    md5: str


@dataclass(frozen=True)
class Source:
    """A data set. A generated one has no files; ``version`` is raised when the generator or the reading changes."""

    name: str
    title: str
    files: tuple[File, ...] = ()
    mirrors: tuple[str, ...] = ()  # folders: the file's last name is appended
    licence: str = ""
    citation: str = ""
    samples: Mapping[str, int] = field(default_factory=dict)
    kind: str = "full"  # full | subset | stand-in: the last two never enter a published column without that label
    version: int = 1

    @property
    def identity(self) -> list:
        """What the data hash is made of: plain types, the same on every machine."""
        return [self.name, self.version, [f.md5 for f in self.files]]


MNIST = Source(
    "mnist",
    "MNIST",
    files=(
        File("raw/train-images-idx3-ubyte.gz", 9912422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        File("raw/train-labels-idx1-ubyte.gz", 28881, "d53e105ee54ea40749a09fcbcd1e9432"),
        File("raw/t10k-images-idx3-ubyte.gz", 1648877, "9fb629c4189551a2d022fa330f9573f3"),
        File("raw/t10k-labels-idx1-ubyte.gz", 4542, "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ),
    licence="CC BY-SA 3.0",
    citation="LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition. Proc. IEEE 86(11), 1998",
    samples={"train": 60_000, "test": 10_000},
)
XOR = Source(
    "delayed-xor",
    "delayed spiking XOR (generated)",
    licence="generated here",
    citation="Zheng et al.: Temporal dendritic heterogeneity incorporated with spiking neural networks. Nat. Commun. 15, 2024 (generator)",
)

SOURCES = {s.name: s for s in (MNIST, XOR)}


def folder(name: str) -> Path:
    """Where the files of source ``name`` are looked for: ``BENCH_DATA/<name>``, default ``data/<name>``."""
    root = os.environ.get("BENCH_DATA") or Path(__file__).resolve().parent.parent / "data"
    return Path(root).expanduser().resolve() / name


def missing(name: str) -> list[File]:
    """Files of source ``name`` that are absent or of another size (their md5 is checked when they are read)."""
    here = folder(name)
    return [f for f in SOURCES[name].files if not (here / f.path).is_file() or (here / f.path).stat().st_size != f.size]


class DataError(Exception):
    """Data that is missing, damaged or cannot be had; the message says which file and what to do."""


def read(source: Source, path: str) -> bytes:
    """Content of one file of ``source``, after its md5. Raises ``DataError`` when it is absent, truncated or not the published file."""
    file = next(f for f in source.files if f.path == path)
    where = folder(source.name) / path
    advice = f"get it with: python -m bench data fetch {source.name} (or put the original file there by hand)"
    try:
        content = where.read_bytes()
    except OSError as error:
        raise DataError(f"{source.title}: cannot read {where} ({error.strerror}); {advice}") from None
    if len(content) != file.size:
        raise DataError(f"{source.title}: {where} has {len(content)} bytes, the original {file.size}: truncated or another file; {advice}")
    if (md5 := hashlib.md5(content).hexdigest()) != file.md5:
        raise DataError(f"{source.title}: {where} has md5 {md5}, the original {file.md5}: damaged or another file; {advice}")
    return content


def status(name: str) -> dict[str, Any]:
    """State of one source as plain types: generated, present, partial or missing, with what is wrong with each file."""
    source = SOURCES[name]
    problems = []
    for file in source.files:
        where = folder(name) / file.path
        if not where.is_file():
            problems.append(f"missing: {where} ({file.size:,} bytes, md5 {file.md5})")
        else:
            try:
                read(source, file.path)
            except DataError as error:
                problems.append(str(error))
    state = "present" if not problems else "missing" if len(problems) == len(source.files) else "partial"
    return {
        "name": name,
        "title": source.title,
        "state": state if source.files else "generated",
        "folder": str(folder(name)) if source.files else None,
        "licence": source.licence,
        "citation": source.citation,
        "problems": problems,
        "mirrors": list(source.mirrors),
    }


def fetch(name: str, say: Callable[[str], None]) -> None:
    """Download what is missing or damaged of ``name``, mirror by mirror. Raises ``DataError`` with what each mirror answered."""
    source = SOURCES[name]
    for file in source.files:
        try:
            read(source, file.path)
            continue
        except DataError:
            pass
        answers = []
        for mirror in source.mirrors:
            url = mirror + Path(file.path).name
            say(f"{source.title}: {url}")
            try:
                with urllib.request.urlopen(url, timeout=20) as answer:
                    content = answer.read(file.size + 1)
            except (OSError, http.client.HTTPException) as error:
                answers.append(f"{url}: {getattr(error, 'reason', None) or error}")
                continue
            if len(content) == file.size and hashlib.md5(content).hexdigest() == file.md5:
                _keep(folder(name) / file.path, content)
                break
            answers.append(f"{url}: answered {len(content)} bytes that are not the original file")
        else:
            tried = "; ".join(answers) or "it has no mirror"
            raise DataError(f"{source.title}: {file.path} could not be downloaded ({tried}); put it by hand at {folder(name) / file.path}")
    say(f"{source.title}: complete in {folder(name)}" if source.files else f"{source.title}: nothing to download")


def _keep(path: Path, content: bytes) -> None:
    """Write ``path`` whole or not at all."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as out:
            temporary = out.name
            out.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            with suppress(OSError):
                os.unlink(temporary)
        raise DataError(f"cannot write {path} ({error.strerror}): free some space or set BENCH_DATA") from None
