"""Papers, tables and cells: a table is a view over the ledger, declared as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bench.errors import BenchError
from bench.experiment import Measure, Model, Task


@dataclass(frozen=True)
class Paper:
    id: str
    title: str
    authors: str
    reference: str


CELIF = Paper(
    "celif",
    "Unleashing the Potential of Spiking Neural Networks for Sequential Modeling with Contextual Embedding",
    "Chen et al., 2023",
    "arXiv 2308.15150",
)
ROLES = Paper(
    "roles",
    "Understanding the Functional Roles of Modelling Components in Spiking Neural Networks",
    "Yin et al., 2024",
    "arXiv 2403.16674; Neuromorph. Comput. Eng. 4 034009",
)
PAPERS = {p.id: p for p in (CELIF, ROLES)}


COUNTED = ("samples", "classes", "size", "format")  # facts about a data set alone


@dataclass(frozen=True)
class Fact:
    """What a cell says without any training: a function ``name`` of ``bench.facts``, asked about ``of`` (settings, models).

    ``why`` is the reason where the value differs from the published one; a setting has its reason in the recipe's ``sources``.
    """

    name: str
    of: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell: task + model + measure + published value, or a fact in the place of a measure.

    ``published`` is the text as printed ("77.50", "10,420", "N(0.01, 0.01)"), ``None`` where the paper prints nothing.
    Where nothing can be measured ``absent`` is "not reported" (no published value exists) or "not applicable", with the reason in
    ``note``; a cell with neither task nor ``absent`` is not runnable yet and ``note`` says what it waits for.
    """

    row: str
    column: str
    published: str | None = None
    unit: str = ""
    task: Task | None = None
    model: Model | None = None
    measure: Measure | None = None
    absent: str = ""
    note: str = ""
    fact: Fact | None = None
    extra: bool = False  # not in the published table: a stand-in, a subset, a measure of our own

    def __post_init__(self) -> None:
        if self.absent and (self.absent not in ("not reported", "not applicable") or not self.note):
            raise ValueError(f"cell {self.row}/{self.column}: absent must be 'not reported' or 'not applicable', with a note")

    @property
    def runnable(self) -> bool:
        return self.task is not None and self.model is not None and self.measure is not None and self.absent != "not applicable"


@dataclass(frozen=True)
class Table:
    """A published table or figure. ``protocol`` says which value is shown and compared; both are in the ledger.

    A figure has ``draw``, "module:function" of ``bench.figures``; its cells say which results it is drawn from.
    """

    id: str  # paper-number, e.g. roles-6; figures: celif-fig-4
    paper: Paper
    title: str
    cells: tuple[Cell, ...]
    protocol: str = "best_test"
    notes: tuple[str, ...] = ()
    draw: str = ""

    @property
    def rows(self) -> list[str]:
        return list(dict.fromkeys(c.row for c in self.cells))

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(c.column for c in self.cells))

    def cell(self, row: str, column: str) -> Cell:
        return next(c for c in self.cells if (c.row, c.column) == (row, column))


def pictured(
    models: Mapping[str, Model], tasks: Mapping[str, Task], measure: Measure, note: str = "a picture: the paper prints no number"
) -> tuple[Cell, ...]:
    """Cells of a figure: ``models`` by row name, each on ``tasks`` by column name."""
    return tuple(
        Cell(row, column, None, measure.unit, task, model, measure, "not reported", note)
        for column, task in tasks.items()
        for row, model in models.items()
    )


ABSENT = {"n/a": "not applicable", "-": "not reported", "N.A.": "not reported"}


def grid(
    text: str,
    *,
    models: Mapping[str, Model] | None = None,
    tasks: Mapping[str, Task] | None = None,
    measure: Measure | Mapping[str, Measure] | None = None,
    unit: str | Mapping[str, str] = "",
    note: str = "",
    notes: Mapping[tuple[str, str], str] | None = None,
    legend: Mapping[str, str] | None = None,
    waiting: Mapping[str, str] | None = None,
    key: Mapping[str, str] | None = None,
    facts: Mapping[Any, Fact] | None = None,
) -> tuple[Cell, ...]:
    """Cells from a text matrix that looks like the published table.

    The first line holds the column names, every other line a row name and its cells, separated by ``|``. ``n/a`` is not applicable,
    ``-`` and ``N.A.`` are not reported (each needs a text: in ``legend``, keyed by the sign, or in ``notes``, keyed by (row, column));
    everything else is the published text. ``models`` and ``tasks`` map row or column names; a cell is runnable where both are given.
    ``facts`` maps columns, rows or (row, column) pairs of cells that need no training.
    ``measure`` and ``unit`` hold for all columns or map column names; a cell may carry its unit ("85.1k" in unit "k"). ``waiting`` says
    for a column, a row or a printed name what the cells wait for; ``note`` goes on every cell without another. Where printed names
    repeat, ``key`` maps the columns that tell the rows apart to how they read in the row's name: with ``{"Parameters": "{}"}`` a row
    printed "LIF*" is named "LIF* | 85.1k". Raises ``BenchError`` for a row with a wrong number of cells and for notes without a cell.
    """
    models, tasks, notes, legend, waiting, key = models or {}, tasks or {}, notes or {}, legend or {}, waiting or {}, key or {}
    facts = facts or {}
    lines = [[part.strip() for part in line.split("|")] for line in text.strip("\n").splitlines() if line.strip()]
    (_, *columns), *body = lines
    cells = []
    for name, *values in body:
        if len(values) != len(columns):
            raise BenchError(f"row {name!r} has {len(values)} cells under {len(columns)} columns")
        printed = dict(zip(columns, values, strict=True))
        row = " | ".join([name, *(form.format(printed[column]) for column, form in key.items() if printed[column] != "n/a")])
        for column, value in printed.items():
            absent = ABSENT.get(value, "")
            said = notes.get((row, column), legend.get(value, "") if absent else "")
            if not absent:
                said = said or waiting.get(column) or waiting.get(row) or waiting.get(name) or note
            units = unit if isinstance(unit, str) else unit.get(column, "")
            fact = None if absent == "not applicable" else facts.get((row, column)) or facts.get(column) or facts.get(row)
            read = None if fact else measure.get(column) if isinstance(measure, Mapping) else measure
            published = None if absent else value.removesuffix(units)
            task, model = tasks.get(column) or tasks.get(row), models.get(row) or models.get(column)
            cells.append(Cell(row, column, published, units, task, model, read, absent, said, fact))
    known = {(c.row, c.column) for c in cells}
    if extra := set(notes) - known:
        raise BenchError(f"notes for cells that the grid does not have: {sorted(extra)}")
    return tuple(cells)


def elsewhere(cells: tuple[Cell, ...], *tasks: Task) -> tuple[Cell, ...]:
    """``cells`` and, after them, those that can run or are counted in the data again, with each of ``tasks`` that is ``instead_of`` theirs:
    a stand-in, a subset, …

    Nothing is published for them. The new columns carry the data's name: "N-MNIST" becomes "N-MNIST (simulated)", "1ms" becomes
    "1ms, N-MNIST (simulated)".
    """
    more = []
    for task in tasks:
        for cell in cells:
            if cell.task is None or cell.task.name != task.instead_of:
                continue
            if cell.runnable or (cell.fact is not None and cell.fact.name in COUNTED):
                column = task.title if cell.column == cell.task.title else f"{cell.column}, {task.title}"
                data = " on the real data" if task.data != cell.task.data else ""
                beside = f"the paper has {cell.published}{data}" if cell.published else cell.note
                more.append(replace(cell, column=column, published=None, task=task, absent="", note=beside, extra=True))
            elif cell.column == cell.task.title:  # its column is there, with the other rows
                note = cell.note if cell.absent else "the paper describes its own data"
                more.append(Cell(cell.row, task.title, task=task, absent=cell.absent or "not applicable", note=note, extra=True))
    return cells + tuple(more)


def beside(cells: tuple[Cell, ...], of: str, column: str, measure: Measure, note: str) -> tuple[Cell, ...]:
    """The runnable cells of column ``of`` again as ``column``, read by another ``measure`` for which nothing is published."""
    found = [cell for cell in cells if cell.column == of and cell.runnable]
    return tuple(replace(c, column=column, published=None, unit=measure.unit, measure=measure, note=note, extra=True) for c in found)
