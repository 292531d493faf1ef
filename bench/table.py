"""Papers, tables and cells: a table is a view over the ledger, declared as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Cell:
    """One cell: task + model + measure + published value.

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

    def __post_init__(self) -> None:
        if self.absent and (self.absent not in ("not reported", "not applicable") or not self.note):
            raise ValueError(f"cell {self.row}/{self.column}: absent must be 'not reported' or 'not applicable', with a note")

    @property
    def runnable(self) -> bool:
        return self.task is not None and self.model is not None and self.measure is not None and self.absent != "not applicable"


@dataclass(frozen=True)
class Table:
    """A published table or figure. ``protocol`` says which value is shown and compared; both are in the ledger."""

    id: str  # paper-number, e.g. roles-6; figures: celif-fig-4
    paper: Paper
    title: str
    cells: tuple[Cell, ...]
    protocol: str = "best_test"
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> list[str]:
        return list(dict.fromkeys(c.row for c in self.cells))

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(c.column for c in self.cells))

    def cell(self, row: str, column: str) -> Cell:
        return next(c for c in self.cells if (c.row, c.column) == (row, column))


def grid(
    text: str,
    *,
    models: Mapping[str, Model] | None = None,
    tasks: Mapping[str, Task] | None = None,
    measure: Measure | None = None,
    unit: str = "",
    note: str = "",
    notes: Mapping[tuple[str, str], str] | None = None,
    waiting: Mapping[str, str] | None = None,
) -> tuple[Cell, ...]:
    """Cells from a text matrix that looks like the published table.

    The first line holds the column names, every other line a row name and its cells, separated by ``|``. ``n/a`` is not applicable
    and ``-`` not reported (both need a text in ``notes``, keyed by (row, column)); everything else is the published text. ``models``
    maps row names and ``tasks`` column names; a cell is runnable where both are given. ``waiting`` says for a row or column what its
    cells wait for; ``note`` goes on every cell without another.
    """
    notes = notes or {}
    lines = [[part.strip() for part in line.split("|")] for line in text.strip("\n").splitlines() if line.strip()]
    header, *body = lines
    cells = []
    for row, *values in body:
        if len(values) != len(header) - 1:
            raise BenchError(f"row {row!r} has {len(values)} cells under {len(header) - 1} columns")
        for column, value in zip(header[1:], values, strict=True):
            text = notes.get((row, column)) or (waiting or {}).get(column) or (waiting or {}).get(row) or note
            absent = {"n/a": "not applicable", "-": "not reported"}.get(value, "")
            published = None if absent else value
            cells.append(Cell(row, column, published, unit, (tasks or {}).get(column), (models or {}).get(row), measure, absent, text))
    known = {(c.row, c.column) for c in cells}
    if extra := set(notes) - known:
        raise BenchError(f"notes for cells that the grid does not have: {sorted(extra)}")
    return tuple(cells)
