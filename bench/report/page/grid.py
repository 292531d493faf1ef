"""Tables as grids of cells: the paper's own rows and columns first, other data and measures in grids of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.report import counts
from bench.report.facts import answer
from bench.report.page.addresses import Addresses
from bench.report.text_table import digits
from bench.report.verdict import VERDICTS, Finding, published_number
from bench.spec.table import Cell, Table
from datamodules.sources import SOURCES

SIGNS = {"reproduced": "✓", "above": "▲", "below": "▼", "inconclusive": "?", "equal": "=", "differs": "≠"}
STATES = {  # status -> (class, sign, words)
    "ready to run": ("ready", "▷", "ready to run"),
    "not run": ("ready", "▷", "not run"),
    "data missing": ("missing", "○", "no data"),
    "not applicable": ("none", "", "n/a"),
    "not reported": ("none", "", "not reported"),
    "stale": ("stale", "↻", "stale"),
}
ONE_SEED = "†"
SPACE = "\N{NO-BREAK SPACE}"  # a value stays on its line
WIDE = 12  # columns from which a grid is divided by data set


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


def number_of(f: Finding) -> float | None:
    """The measured or computed value as a number, ``None`` without one."""
    if f.value is not None or f.cell.fact is None:
        return f.value
    return answer(f.cell).number if f.cell.fact.name == "energy" else None


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
    number = number_of(f)
    published = published_number(f.cell)
    if number is None or published is None or f.status != "measured":
        return ""
    return f"{number - published:+,.{digits(f.cell)}f}".replace("-", "−")


def grid_cell(table: Table, f: Finding, addresses: Addresses) -> GridCell:
    kind = kind_of(f)
    unit = "" if f.cell.unit in ("", "%") or not f.cell.published else f" {f.cell.unit}"
    number = number_of(f)
    _, sign, words = STATES.get(f.status, ("", "", f.status))
    if f.status == "measured":
        words = _verdict_words(f, kind)
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


def _verdict_words(f: Finding, kind: str) -> str:
    if kind in VERDICTS:
        return kind
    if f.verdict in ("equal", "differs"):
        return f.verdict
    if kind == "reduced":
        return f"{f.budget} budget"
    return "another recipe" if "another recipe" in f.verdict else ""


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
    """The paper's own cells as one grid, then those of other data, rows and measures by their data."""
    own = [f for f in findings if not f.cell.extra]
    made = [_grid(table, own, "own", "As the paper prints it", "", addresses)] if own else []
    groups: dict[tuple[str, str], list[Finding]] = {}
    for f in findings:
        if f.cell.extra:
            groups.setdefault((_data_kind(f.cell), ""), []).append(f)
    for (kind, _), group in groups.items():
        for part in _divided(group):
            title, about = _heading(kind, part)
            made.append(_grid(table, part, f"other-{len(made)}", title, about, addresses))
    return made


def _divided(group: list[Finding]) -> list[list[Finding]]:
    """A wide group in parts of one task each."""
    if len({f.cell.column for f in group}) < WIDE:
        return [group]
    parts: dict[str, list[Finding]] = {}
    for f in group:
        parts.setdefault(f.cell.task.title if f.cell.task else "", []).append(f)
    return list(parts.values())


def _data_kind(cell: Cell) -> str:
    return SOURCES[cell.task.data].kind if cell.task else "full"


def _heading(kind: str, group: list[Finding]) -> tuple[str, str]:
    titles = list(dict.fromkeys(f.cell.task.title for f in group if f.cell.task))
    names = f": {', '.join(titles)}" if len(titles) <= 3 else ""
    if kind == "subset":
        return f"On subsets of the data{names}", "A part of the real data set. It is no test of the published number."
    if kind == "stand-in":
        return f"On stand-in data{names}", "Data simulated in place of the real set. It is no test of the paper."
    about = "The paper's data, with rows, measures or recipes that the paper's table does not have."
    return f"Beside the paper's table{names}", about


def _grid(table: Table, findings: Iterable[Finding], name: str, title: str, about: str, addresses: Addresses) -> Grid:
    by_place = {(f.cell.row, f.cell.column): f for f in findings}
    rows = [row for row in table.rows if any(place[0] == row for place in by_place)]
    columns = [column for column in table.columns if any(place[1] == column for place in by_place)]
    cells = [
        (
            row,
            [
                grid_cell(table, by_place[row, column], addresses) if (row, column) in by_place else NO_CELL
                for column in columns
            ],
        )
        for row in rows
    ]
    return Grid(f"{table.id}-{name}", title, about, columns, cells)
