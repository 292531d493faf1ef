"""A source "toy" of one file, for tests of fetching and unpacking."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from datamodules import sources
from datamodules.sources import File, Source

CONTENT = os.urandom(3 * 2**20 + 17)


def offer(
    monkeypatch: pytest.MonkeyPatch, *urls: str, content: bytes = CONTENT, size: int | None = None, **options
) -> Path:
    """A source "toy" of one file at ``urls``; where it belongs."""
    file = File("toy.zip", size, hashlib.md5(content).hexdigest(), urls, **options)
    monkeypatch.setitem(sources.SOURCES, "toy", Source("toy", "Toy", files=(file,), samples={"train": 1}))
    return sources.folder("toy") / "toy.zip"


def fetch() -> list[str]:
    lines: list[str] = []
    sources.fetch("toy", lines.append)
    return lines
