"""``Paper``, ``Table``, ``Cell`` and ``Fact``: a table is a view over the ledger, declared as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import BenchError, unknown
from bench.spec.measure import Measure
from bench.spec.model import Model
from bench.spec.task import Task


@dataclass(frozen=True)
class Paper:
    """A paper. ``id`` is the name of its folder in ``bench/papers`` and starts the ids of its tables and claims;
    ``reference`` is where it was published, ``bibtex`` how it is cited.
    """

    id: str
    title: str
    authors: str
    reference: str
    bibtex: str


COUNTED = ("samples", "classes", "size", "format")  # facts that are counted in a data set alone


@dataclass(frozen=True)
class Fact:
    """A value that needs no training, such as a number of parameters: the function ``name`` of ``bench.report.facts``
    computes it.

    ``of`` are the settings or models that it is computed from. Of an "energy" they are the name of its measure, the
    number of time steps and, if it needs any, the published firing rates of the hidden layers. ``why`` is the reason if
    the value differs from the published one; a setting has its reason in the recipe's ``sources``.
    """

    name: str
    of: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell: task, model, measure and published value, or a fact in the place of the measure.

    ``published`` is the text as printed ("77.50", "10,420", "N(0.01, 0.01)") and ``None`` if the paper prints nothing.
    ``absent`` is "not reported" (the paper prints no value) or "not applicable" (nothing can be measured), with the
    reason in ``note``. A cell with neither task nor ``absent`` cannot run yet, and ``note`` says what it waits for.
    Raises ``ValueError`` for another ``absent`` and for one without a note.
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
    own: bool = False  # in a row that a plug-in has added

    def __post_init__(self) -> None:
        if self.absent and (self.absent not in ("not reported", "not applicable") or not self.note):
            raise ValueError(
                f"cell {self.row}/{self.column}: absent must be 'not reported' or 'not applicable', with a note"
            )

    @property
    def runnable(self) -> bool:
        """Whether an experiment can give its value."""
        return (
            self.task is not None
            and self.model is not None
            and self.measure is not None
            and self.absent != "not applicable"
        )


@dataclass(frozen=True)
class Table:
    """A published table or figure. ``protocol`` names the value that is shown and compared; the ledger has all of them.

    ``notes`` names Markdown files of the paper's folder ``notes/``, without ``.md`` (``bench.report.notes``).
    A figure has ``draw``, "module:function" of ``bench.report.figures``. Its cells are the results that it is drawn
    from.
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
        """Names of the rows, in the order of the cells."""
        return list(dict.fromkeys(c.row for c in self.cells))

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in the order of the cells."""
        return list(dict.fromkeys(c.column for c in self.cells))

    def cell(self, row: str, column: str) -> Cell:
        """The cell of ``row`` and ``column``. Raises ``BenchError`` if there is none."""
        found = next((c for c in self.cells if (c.row, c.column) == (row, column)), None)
        if found is None:
            raise BenchError(_no_cell(self, row, column))
        return found


def _no_cell(table: Table, row: str, column: str) -> str:
    """Which name of a cell does not exist, and what is allowed."""
    if row not in table.rows:
        return str(unknown(f"row of {table.id}", row, table.rows))
    if column not in table.columns:
        return str(unknown(f"column of {table.id}", column, table.columns))
    return f"{table.id} has no cell in row {row!r}, column {column!r}"


def figure_cells(
    models: Mapping[str, Model],
    tasks: Mapping[str, Task],
    measure: Measure,
    note: str = "a picture: the paper prints no number",
) -> tuple[Cell, ...]:
    """Cells of a figure: every one of ``models`` (by row name) on every one of ``tasks`` (by column name)."""
    return tuple(
        Cell(row, column, None, measure.unit, task, model, measure, "not reported", note)
        for column, task in tasks.items()
        for row, model in models.items()
    )
