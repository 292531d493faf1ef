"""``Claim``, a sentence of a paper as predicates over cells, and functions that choose the cells."""

from __future__ import annotations

from dataclasses import dataclass

from bench.spec.measure import Measure
from bench.spec.model import Model
from bench.spec.predicates import Predicate
from bench.spec.table import Cell, Table
from bench.spec.task import Task

SOURCES = {
    "text": "a sentence of the paper",
    "table": "only the numbers of a table",
    "figure": "only a picture",
    "ours": "not in the paper: a question of this suite",
}


@dataclass(frozen=True)
class Part:
    """A part of a claim: ``predicate`` over the values of ``cells``, which it takes in this order. ``name`` tells it
    from the other parts, such as the data set.
    """

    predicate: Predicate
    cells: tuple[Cell, ...]
    name: str = ""


@dataclass(frozen=True)
class Claim:
    """One sentence, which holds if all ``parts`` hold.

    ``section`` is the place in the paper and ``source`` a key of ``SOURCES``. ``reading`` says how the sentence became
    a predicate: tolerances, thresholds, what stands for a word. ``to_the_end``: it is about trainings that ran to the
    end of the paper's budget, and a shorter training makes it true too easily.
    """

    id: str
    section: str
    sentence: str
    parts: tuple[Part, ...]
    source: str = "text"
    reading: str = ""
    to_the_end: bool = False

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ValueError(f"claim {self.id}: source {self.source!r} is not one of {', '.join(SOURCES)}")

    @property
    def paper(self) -> str:
        """Id of the paper."""
        return self.id.split("-")[0]

    @property
    def cells(self) -> list[Cell]:
        """Cells of all parts."""
        return [cell for part in self.parts for cell in part.cells]


def row_cells(table: Table, row: str, *columns: str) -> tuple[Cell, ...]:
    """Cells of one row of a table, in the order of ``columns``. Raises ``BenchError`` as ``Table.cell``."""
    return tuple(table.cell(row, column) for column in columns)


def column_cells(table: Table, column: str, *rows: str) -> tuple[Cell, ...]:
    """Cells of one column of a table, in the order of ``rows``. Raises ``BenchError`` as ``Table.cell``."""
    return tuple(table.cell(row, column) for row in rows)


def value(task: Task, model: Model, measure: Measure) -> Cell:
    """A cell that no table prints: a value of a figure or of the text."""
    return Cell(model.title, f"{task.title}, {measure.title}", None, measure.unit, task, model, measure)
