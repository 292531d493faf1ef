"""The cells of a table in groups: the paper's own rows and columns first and alone, then other rows, data and measures.

A group of other data or measures has at most ``WIDEST`` columns: a wider one is divided by task, then by reading, such
as "whole" of the column "1ms, whole".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.report.verdict import Finding
from bench.spec.grid import SEPARATOR
from bench.spec.table import Cell, Table
from datamodules.sources import SOURCES

WIDEST = 7
OTHER_ROWS = "Rows that the paper's table does not have"
ABOUT = {
    "subset": "A part of the real data set. It is no test of the published number.",
    "stand-in": "Data simulated in place of the real set. It is no test of the paper.",
    "": "The paper's data, with measures or recipes that the paper's table does not have.",
    OTHER_ROWS: "The paper's data and columns, with models or recipes of this suite.",
}
HEADINGS = {"subset": "On subsets of the data", "stand-in": "On stand-in data", "": "Beside the paper's table"}


@dataclass(frozen=True)
class Group:
    """``titles`` are the columns' names without what the heading says already; the paper's own group has no heading."""

    heading: str
    about: str
    rows: list[str]
    titles: dict[str, str]
    findings: list[Finding]


def undivided(table: Table, findings: Iterable[Finding]) -> Group:
    """All of ``findings`` as one group without a heading."""
    return _group(table, list(findings), "", "", ())


def groups(table: Table, findings: Iterable[Finding]) -> list[Group]:
    """All groups of ``table``; none is empty."""
    findings = list(findings)
    own = undivided(table, (f for f in findings if not f.cell.extra))
    rows = {f.cell.row for f in own.findings}
    columns = {f.cell.column for f in own.findings}
    by_kind: dict[str, list[Finding]] = {}
    for f in findings:
        if f.cell.extra:
            other_row = f.cell.row not in rows and f.cell.column in columns
            by_kind.setdefault(OTHER_ROWS if other_row else data_kind(f.cell), []).append(f)
    made = [own] if own.findings else []
    for kind in sorted(by_kind, key=[OTHER_ROWS, "", "subset", "stand-in"].index):
        parts = [by_kind[kind]] if kind == OTHER_ROWS else list(_divided(by_kind[kind], KEYS))
        headings = [_heading(kind, part) for part in parts]
        for part, (heading, named) in zip(parts, headings, strict=True):
            several = headings.count((heading, named)) > 1
            made.append(_group(table, part, f"{heading}{_range(part) if several else ''}", ABOUT[kind], named))
    return made


def data_kind(cell: Cell) -> str:
    """subset, stand-in, or nothing where the data is the paper's."""
    kind = SOURCES[cell.task.data].kind if cell.task else ""
    return kind if kind in ("subset", "stand-in") else ""


def row_label(table: Table, group: Group, row: str) -> str:
    """The name of ``row`` without the parts that the group's columns print: "SNN" for "SNN | leakage Without".

    A name that would be a number alone keeps its parts.
    """
    first, *rest = row.split(SEPARATOR)
    if first.isdigit():
        return " / ".join([first, *rest])
    texts = set()
    for f in group.findings:
        if f.cell.row == row and f.cell.fact and f.cell.published:
            text = f"{f.cell.published}{f.cell.unit}"
            texts |= {text, f"{f.cell.column.lower()} {text}"}
    return " / ".join([first, *(part for part in rest if part not in texts)])


def _divided(findings: list[Finding], keys: Sequence[Callable[[Cell], Any]]) -> Iterator[list[Finding]]:
    """``findings`` in parts of at most ``WIDEST`` columns: by the first key that is left, else in equal numbers."""
    columns = list(dict.fromkeys(f.cell.column for f in findings))
    if len(columns) <= WIDEST:
        yield findings
        return
    if not keys:
        number = -(-len(columns) // WIDEST)
        size = -(-len(columns) // number)
        for start in range(0, len(columns), size):
            yield [f for f in findings if f.cell.column in columns[start : start + size]]
        return
    parts: dict[Any, list[Finding]] = {}
    for f in findings:
        parts.setdefault(keys[0](f.cell), []).append(f)
    for part in parts.values():
        yield from _divided(part, keys[1:])


def _task(cell: Cell) -> str:
    return cell.task.title if cell.task else ""


def _reading(cell: Cell) -> str:
    """What a column's name says beside the quantity and the data: "whole" of "1ms, whole, N-MNIST (simulated)"."""
    return ", ".join(part for part in cell.column.split(", ")[1:] if part != _data(cell))


def _is_percentage(cell: Cell) -> bool:
    return cell.unit == "%"


def _data(cell: Cell) -> str:
    """The name of the cell's data: "N-MNIST" of the task "N-MNIST, whole recordings"."""
    return cell.task.title.partition(", ")[0] if cell.task else ""


KEYS = (_task, _reading, _is_percentage)


def _heading(kind: str, part: list[Finding]) -> tuple[str, tuple[str, ...]]:
    """The heading of a part, and the parts of column names that it says."""
    if kind == OTHER_ROWS:
        return kind, ()
    data = list(dict.fromkeys(_data(f.cell) for f in part if f.cell.task))
    readings = {_reading(f.cell) for f in part}
    reading = readings.pop() if len(readings) == 1 else ""
    names = [*(data if len(data) <= 3 else []), *([reading] if reading else [])]
    named = tuple(name for text in (*(data if len(data) == 1 else []), reading) for name in text.split(", "))
    return f"{HEADINGS[kind]}{': ' if names else ''}{', '.join(names)}", named


def _range(part: list[Finding]) -> str:
    """The first and the last column, which tell parts with one heading apart."""
    columns = list(dict.fromkeys(f.cell.column.partition(", ")[0] for f in part))
    return f", {columns[0]} to {columns[-1]}"


def _group(table: Table, findings: list[Finding], heading: str, about: str, named: Iterable[str]) -> Group:
    rows = {f.cell.row for f in findings}
    columns = {f.cell.column for f in findings}
    titles = {column: _shortened(column, set(named)) for column in table.columns if column in columns}
    if len(set(titles.values())) < len(titles):
        titles = {column: column for column in titles}
    return Group(heading, about, [row for row in table.rows if row in rows], titles, findings)


def _shortened(column: str, named: set[str]) -> str:
    first, *rest = column.split(", ")
    return ", ".join([first, *(part for part in rest if part not in named)])
