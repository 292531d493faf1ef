"""Research notes: Markdown files in a paper's folder, printed below the tables that name them.

``Table.notes`` names files of ``bench/papers/<paper>/notes/``, without ``.md``; several tables may show one file. A
number that stems from the ledger is a reference, which rendering fills in and ``render --check`` verifies:

| reference | what is printed |
| --- | --- |
| ``{{roles-6 | Baseline | MNIST}}`` | the cell's value: the mean over its seeds, at the digits of its measure |
| ``{{roles-6 | Baseline | MNIST | seed=0 | protocol=last | budget=laptop | digits=1}}`` | one seed; another protocol |
| ``{{celif-1 | TCN / Convolution / 70.0k | Seq-MNIST | epoch=1}}`` | the test accuracy after that epoch |
| ``{{roles-6 | Without reset | XOR | seed=0 | show=epoch}}`` | the epoch of the value, or what else ``show`` names |
| ``{{min: roles-7 | * | MNIST}}`` | the smallest value of several cells; also ``max`` |
| ``{{spread: roles-6 | * | MNIST}}`` | the largest value minus the smallest |
| ``{{difference: roles-6 | With recurrence; Baseline | MNIST}}`` | the first value minus the second |
| ``{{best: roles-7 | * | MNIST}}`` | the row with the largest value, or the column where one row is named |
| ``{{values: roles-6 | Without reset | XOR | seed=*}}`` | all values: 97.59, 98.18 and 88.97 |
| ``{{min: roles-6 | * | MNIST | minus=published}}`` | each value minus the published one |
| ``{{experiment 80f38ba180ab | accuracy}}`` | a line of an experiment whose recipe no table has any more |

Rows and columns are named as in ``python -m bench show``: case does not count, and "/" stands for "|". ``;`` separates
several, ``*`` stands for all rows of the published table. A line end counts as a blank. The budget is the paper's where
it is measured, else laptop; the protocol is that of the table. ``seed=*`` takes the values of all seeds one by one.
``epoch`` reads the stored history (``bench.ledger.histories``). ``show=seeds`` is their number; its other values
are fields of the ledger's lines: epoch, epochs (trained), n_test, params, spike_rate. A cell without training
(``Fact``) prints its text.

A cell that the ledger does not have, or has only of another version, prints "not measured". A table, row, column or
option that does not exist is a ``BenchError`` with file and line.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from bench import papers
from bench.errors import BenchError, unknown
from bench.ledger.index import Index
from bench.paths import ROOT
from bench.report.references import plain, resolve
from bench.spec.table import Table

_REFERENCE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_CONTINUED = re.compile(r"(?<!\n)\n(?!\n|\s*- |\||#)\s*")  # the line end within a paragraph, list item or table row


def path(paper: str, name: str) -> Path:
    """Where the notes ``name`` of a paper are."""
    package = sys.modules.get(f"{papers.__name__}.{paper}")  # of a plug-in it lies elsewhere
    folder = Path(package.__path__[0]) if package else Path(papers.__path__[0]) / paper
    return folder / "notes" / f"{name}.md"


def source(table: Table) -> str:
    """The notes of ``table`` with their references as they are written, on one line."""
    return " ".join(" ".join(_read(table, name).split()) for name in table.notes)


def markdown(table: Table, index: Index) -> str:
    """The notes of ``table`` with their references filled in, files one below the other.

    A paragraph, list item or table row is one line, so that a table row may have several lines in its file.
    """
    parts = [fill(_read(table, name), path(table.paper.id, name), index) for name in table.notes]
    return "\n\n".join(_CONTINUED.sub(" ", part.strip()) for part in parts)


def _read(table: Table, name: str) -> str:
    where = path(table.paper.id, name)
    if not where.exists():
        known = sorted(file.stem for file in where.parent.glob("*.md"))
        raise unknown(f"file of {table.id} in {_short(where.parent)}", name, known)
    return where.read_text(encoding="utf-8")


def _short(where: Path) -> Path:
    return where.relative_to(ROOT) if where.is_relative_to(ROOT) else where


def fill(text: str, where: Path, index: Index) -> str:
    """``text`` of the file ``where`` with its references filled in. Raises ``BenchError`` with file and line."""

    def value(match: re.Match[str]) -> str:
        try:
            return resolve(match[1], index)
        except BenchError as error:
            raise BenchError(f"{_line(text, match.start(), where)}: {{{{{plain(match[1])}}}}}: {error}") from None

    without = _REFERENCE.sub(lambda match: re.sub(r"[{}]", " ", match[0]), text)
    if stray := re.search(r"\{\{|\}\}", without):
        raise BenchError(f"{_line(text, stray.start(), where)}: {stray[0]} belongs to no reference")
    return _REFERENCE.sub(value, text)


def _line(text: str, start: int, where: Path) -> str:
    return f"{_short(where)}:{text.count(chr(10), 0, start) + 1}"
