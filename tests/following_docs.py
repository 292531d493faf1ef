"""Takes the code from a page of ``docs/`` and puts it into a copy of the suite, as the page says."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from tests.conftest import ROOT

DOCS = ROOT / "docs"
ADDING = DOCS / "adding.md"
PACKAGES = ("bench", "datamodules", "lightning_modules", "sweeps")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
WRITE = re.compile(r"Write `([^`]+)`:$")
CHANGE = re.compile(r"(?:Add to|Put into) `([^`]+)`, (below|above|instead of) the line `([^`]+)`:$")


@dataclass(frozen=True)
class Block:
    """One block of code: its language, and where the paragraph before it says that it goes."""

    language: str
    code: str
    path: str = ""
    place: str = ""  # below, above or instead of the line ``anchor``; empty: a whole file
    anchor: str = ""


def blocks(page: Path) -> Iterator[Block]:
    """All blocks of code of a page, in their order."""
    text = page.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        paragraph = " ".join(text[: fence.start()].rstrip().rpartition("\n\n")[2].split())
        code = dedent(fence[3])
        if whole := WRITE.search(paragraph):
            yield Block(fence[2], code, whole[1])
        elif change := CHANGE.search(paragraph):
            yield Block(fence[2], indented(fence), *change.groups())
        else:
            yield Block(fence[2], code)


def indented(fence: re.Match[str]) -> str:
    """The code without the indentation of its fence: what it has beyond that belongs to the line in the file."""
    return "".join(line.removeprefix(fence[1]) for line in fence[3].splitlines(keepends=True))


def apply(block: Block, suite: Path) -> None:
    """Write or change the file of ``block`` below ``suite``.

    Raises ``ValueError`` unless the line that the page names is there exactly once.
    """
    path = suite / block.path
    if not block.place:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.code, encoding="utf-8")
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if line.strip() == block.anchor]
    if len(places) != 1:
        raise ValueError(f"{block.path} has the line {block.anchor!r} {len(places)} times, the page names it as one")
    first = places[0] + (block.place == "below")
    last = places[0] + (block.place != "above")
    path.write_text("".join([*lines[:first], block.code, *lines[last:]]), encoding="utf-8")


def copy(suite: Path) -> None:
    """Copy the packages, without caches, into ``suite``."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, suite / package, ignore=shutil.ignore_patterns("__pycache__"))
