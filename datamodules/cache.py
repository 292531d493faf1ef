"""Packed copies of data sets: one memory-mapped file per split and transform. Loads no torch.

A file is built once and read by every process. It is a prefix (magic, offset and crc of the header), the arrays, and a
JSON header that says how they were made. Its name holds a hash of the header, so a changed transform is another file.
An incomplete or damaged file is built again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import struct
import sys
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from datamodules.locks import locked
from datamodules.sources import SOURCES, DataError

log = logging.getLogger(__name__)
VERSION = 1  # raised when what is packed changes for the same source and settings
_MAGIC = b"BENCHPK1"
_PREFIX = struct.Struct("<8sQI")
_ALIGN = 64


class Damaged(Exception):
    """A cache file that is absent, half-written or changed."""


@dataclass(frozen=True)
class CacheFile:
    """The arrays of one cache file, memory-mapped and read-only, and its header, with the report on the recordings."""

    path: Path
    arrays: Mapping[str, np.ndarray]
    header: Mapping[str, Any]


@dataclass
class Writer:
    """Collects arrays of unknown length, chunk by chunk; only one chunk at a time is in memory."""

    path: Path
    parts: dict[str, tuple[BinaryIO, np.dtype, list[int]]] = field(default_factory=dict)

    def append(self, **chunks: np.ndarray) -> None:
        """Add rows to arrays; dtype and all dimensions but the first are those of the first chunk."""
        for name, chunk in chunks.items():
            if name not in self.parts:
                spool: BinaryIO = self.path.with_name(f"{self.path.name}.{name}").open("w+b")
                self.parts[name] = (spool, chunk.dtype, [0, *chunk.shape[1:]])
            file, dtype, shape = self.parts[name]
            if chunk.dtype != dtype or list(chunk.shape[1:]) != shape[1:]:
                raise ValueError(f"{name}: {chunk.dtype} {chunk.shape} after {dtype} {shape}")
            file.write(np.ascontiguousarray(chunk).data)
            shape[0] += len(chunk)

    def finish(self, header: dict[str, Any]) -> None:
        """Write the whole file, on disk when this returns."""
        crc = 0
        arrays = {}
        with self.path.open("wb") as out:
            out.write(bytes(_ALIGN))
            for name, (file, dtype, shape) in self.parts.items():
                out.write(bytes(-out.tell() % _ALIGN))
                arrays[name] = [dtype.str, shape, out.tell()]
                file.seek(0)
                while chunk := file.read(2**22):
                    crc = zlib.crc32(chunk, crc)
                    out.write(chunk)
            header_offset = out.tell()
            text = json.dumps({**header, "arrays": arrays, "crc": crc}).encode()
            out.write(text)
            out.seek(0)
            out.write(_PREFIX.pack(_MAGIC, header_offset, zlib.crc32(text)))
            out.flush()
            os.fsync(out.fileno())

    def close(self) -> None:
        for file, _, _ in self.parts.values():
            with suppress(OSError):
                file.close()  # on a full disk, writing the rest of the buffer fails, too
            os.unlink(file.name)


def folder() -> Path:
    """``BENCH_HOME/cache``, default ``.bench/cache``."""
    home = os.environ.get("BENCH_HOME") or Path(__file__).resolve().parent.parent / ".bench"
    return Path(home).expanduser().resolve() / "cache"


def _header(path: Path) -> dict[str, Any]:
    """Header of a file, after its own checksum and the file's size. Raises ``Damaged``."""
    try:
        with path.open("rb") as file:
            magic, header_offset, crc = _PREFIX.unpack(file.read(_PREFIX.size).ljust(_PREFIX.size, b"\0"))
            if magic != _MAGIC:
                raise Damaged("half-written")
            file.seek(header_offset)
            text = file.read()
    except (OSError, ValueError) as error:
        raise Damaged(str(error)) from None
    if not text or zlib.crc32(text) != crc:
        raise Damaged("truncated or changed")
    return json.loads(text)


def load(path: Path, content: bool = True) -> CacheFile:
    """Map the arrays of ``path``; with ``content`` after their checksum. Raises ``Damaged``."""
    header = _header(path)
    arrays: dict[str, np.ndarray] = {}
    crc = 0
    for name, (dtype, shape, offset) in header["arrays"].items():
        array = np.memmap(path, dtype, "r", offset, tuple(shape)) if np.prod(shape) else np.empty(shape, dtype)
        arrays[name] = array.view(np.ndarray)
        if content:
            crc = zlib.crc32(np.ascontiguousarray(arrays[name]).data, crc)
    if content and crc != header["crc"]:
        raise Damaged("its checksum is wrong")
    return CacheFile(path, arrays, header)


def obtain(
    source: str, split: str, settings: Mapping[str, Any], build: Callable[[Writer], dict[str, Any]]
) -> CacheFile:
    """The packed ``split`` of ``source`` under ``settings`` (plain types); ``build(writer) -> report`` makes it.

    One process builds while others wait, and removes the files of a killed build. Raises ``DataError`` when the disk is
    full.
    """
    header: dict[str, Any] = {
        "version": VERSION,
        "source": source,
        "identity": SOURCES[source].identity,
        "split": split,
        "settings": dict(settings),
    }
    key = hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()[:12]
    path = folder() / f"{source}-{split}-{key}.pack"
    with suppress(Damaged):
        return load(path)
    try:
        with locked(
            _lock(path), lambda: print(f"waiting for another process that packs {source} {split}", file=sys.stderr)
        ):
            try:
                return load(path)
            except Damaged as error:
                if path.exists():
                    log.warning("cache %s is damaged (%s): built again", path, error)
            for unfinished in _unfinished(path):
                unfinished.unlink()
            print(f"packing {source} {split} into {path}, once", file=sys.stderr)
            writer = Writer(path.with_name(path.name + ".new"))
            try:
                header["report"] = build(writer)
                writer.finish(header)
                os.replace(writer.path, path)
            finally:
                writer.close()
                writer.path.unlink(missing_ok=True)
    except OSError as error:
        free = shutil.disk_usage(folder()).free if folder().exists() else 0
        raise DataError(
            f"cannot write the cache {path} ({error.strerror or error}; {free / 1e9:.1f} GB free): make room "
            "(python -m bench data cache --prune) or set BENCH_HOME"
        ) from None
    return load(path)


def _lock(path: Path) -> Path:
    return path.parent / "locks" / f"{path.name}.lock"


def _unfinished(path: Path) -> list[Path]:
    return list(path.parent.glob(f"{path.name}.new*"))


@dataclass(frozen=True)
class Entry:
    """One cache file as ``data cache`` lists it.

    ``state``: usable, stale (of other data or another version), damaged, building, or left over by a killed build.
    """

    path: Path
    bytes: int
    state: str
    source: str = ""
    split: str = ""
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        return self.state == "usable"


def entries(content: bool = False) -> list[Entry]:
    """All cache files; ``content`` also checks every byte of them."""
    listed = []
    for path in sorted(folder().glob("*.pack*")) if folder().is_dir() else ():
        with suppress(FileNotFoundError):
            listed.append(_entry(path, content))
    return listed


def _entry(path: Path, content: bool) -> Entry:
    size = path.stat().st_size
    if not path.name.endswith(".pack"):
        with locked(_lock(path.with_name(path.name.split(".pack")[0] + ".pack")), wait=False) as free:
            return Entry(path, size, "left over" if free else "building")
    try:
        header = load(path, content).header
    except (Damaged, ValueError, KeyError, TypeError):
        return Entry(path, size, "damaged")
    source = SOURCES.get(header["source"])
    current = source is not None and (header["version"], header["identity"]) == (VERSION, source.identity)
    return Entry(path, size, "usable" if current else "stale", header["source"], header["split"], header["report"])


def prune() -> list[Path]:
    """Delete every file that nothing can use: stale, damaged, or left over by a killed build. Returns their paths."""
    removed = [e.path for e in entries(content=True) if e.state not in ("usable", "building")]
    for path in removed:
        path.unlink(missing_ok=True)
    return removed
