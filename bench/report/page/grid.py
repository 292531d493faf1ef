"""Tables as grids of cells: the paper's own rows and columns first, other data and measures in grids of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report import counts
from bench.report.groups import Group, groups
from bench.report.page.addresses import Addresses
from bench.report.text_table import ONE_SEED, SIGNS, difference, digits, number_of, verdict_word
from bench.report.verdict import Finding
from bench.spec.table import Table
from datamodules.sources import SOURCES

STATES = {  # status -> (class, sign, words)
    "ready to run": ("ready", "▷", "ready to run"),
    "not run": ("ready", "▷", "not run"),
    "data missing": ("missing", "○", "no data"),
    "not applicable": ("none", "", "n/a"),
    "not reported": ("none", "", "not reported"),
    "stale": ("stale", "↻", "stale"),
}
SPACE = "\N{NO-BREAK SPACE}"  # a value stays on its line


@dataclass(frozen=True)
class GridCell:
    """What a place of a grid prints. ``kind`` is its class: a verdict, "reduced", "label", "fact" or one of ``STATES``.
    ``marks`` are short words such as "subset"; ``link`` is empty where the table has no such cell.
    """

    kind: str
    link: str = ""
    measured: str = ""
    published: str = ""
    difference: str = ""
    sign: str = ""
    words: str = ""
    marks: tuple[str, ...] = ()
    number: str = ""
    title: str = ""


NO_CELL = GridCell("none", words="–", title="the paper has no cell there")


@dataclass(frozen=True)
class Grid:
    """``rows`` are pairs of a name and the cells in the order of ``columns``."""

    id: str
    title: str
    about: str
    columns: list[str]
    rows: list[tuple[str, list[GridCell]]]


def kind_of(f: Finding) -> str:
    """The class of a cell: its verdict, or why it has none."""
    if f.status != "measured":
        return STATES.get(f.status, ("none", "", ""))[0]
    if counts.is_published(f.cell):
        kind = counts.kind(f)
        return {"another_recipe": "label"}.get(kind, kind)
    if f.cell.fact:
        return "fact"
    return "reduced" if f.budget != "paper" else "label"


def measured_text(f: Finding) -> str:
    """The value with half of its interval, the unit where it is not %, and † for one seed; empty without a value."""
    if f.text:
        return f.text
    if f.value is None:
        return ""
    places = digits(f.cell)
    half = "" if f.half is None else f"{SPACE}±{SPACE}{f.half:,.{places}f}"
    unit = "" if f.cell.unit in ("", "%") else f"{SPACE}{f.cell.unit}"
    return f"{f.value:,.{places}f}{half}{unit}{ONE_SEED if f.n == 1 and f.status == 'measured' else ''}"


def difference_text(f: Finding) -> str:
    """Measured minus published, empty where one of them is no number."""
    number = difference(f)
    return "" if number is None else f"{number:+,.{digits(f.cell)}f}".replace("-", "−")


def grid_cell(table: Table, f: Finding, addresses: Addresses) -> GridCell:
    kind = kind_of(f)
    unit = "" if f.cell.unit in ("", "%") or not f.cell.published else f" {f.cell.unit}"
    number = number_of(f)
    _, sign, words = STATES.get(f.status, ("", "", f.status))
    if f.status == "measured":
        words = verdict_word(f)
        sign = SIGNS.get(words, "")
    return GridCell(
        kind,
        addresses.link(table.id, f.cell).partition("#")[2],
        measured_text(f),
        f"{f.cell.published}{unit}" if f.cell.published else "",
        difference_text(f),
        sign,
        words,
        _marks(f),
        "" if number is None else f"{number:.6g}",
        f.note,
    )


def _marks(f: Finding) -> tuple[str, ...]:
    """What the value is not: of the paper's data, of several seeds in one group, comparable with a published number."""
    marks = []
    if f.cell.task is not None and SOURCES[f.cell.task.data].kind != "full":
        marks.append(SOURCES[f.cell.task.data].kind)
    if f.parted:
        marks.append(f"[{f.parted}]")
    if f.status == "measured" and not f.cell.published and not f.cell.extra:
        marks.append("not published")
    return tuple(marks)


def grids(table: Table, findings: Sequence[Finding], addresses: Addresses) -> list[Grid]:
    """The paper's own cells as one grid, then those of other rows, data and measures."""
    return [_grid(table, group, number, addresses) for number, group in enumerate(groups(table, findings))]


def _grid(table: Table, group: Group, number: int, addresses: Addresses) -> Grid:
    by_place = {(f.cell.row, f.cell.column): f for f in group.findings}
    columns = list(group.titles)
    cells = [
        (
            row,
            [
                grid_cell(table, by_place[row, column], addresses) if (row, column) in by_place else NO_CELL
                for column in columns
            ],
        )
        for row in group.rows
    ]
    name = f"other-{number}" if group.heading else "own"
    return Grid(f"{table.id}-{name}", group.heading or "As the paper prints it", group.about, columns, cells)
