"""``Claim``, a sentence of a paper as predicates over cells, and functions that choose the cells."""

from __future__ import annotations

from dataclasses import dataclass

from bench.spec.measure import Measure
from bench.spec.model import Model
from bench.spec.predicates import Predicate
from bench.spec.table import Cell, Table
from bench.spec.task import Task


@dataclass(frozen=True)
class Condition:
    """``predicate`` over the values of ``cells``, which it takes in this order."""

    predicate: Predicate
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Claim:
    """One sentence, which holds if all ``conditions`` hold. ``source`` says where it is taken from.

    Only experiments of ``budget`` answer it. Without one, those of the paper budget answer it, or else those of the
    laptop budget, never both together.
    """

    id: str
    section: str
    sentence: str
    conditions: tuple[Condition, ...]
    source: str
    budget: str = ""

    @property
    def paper(self) -> str:
        """Id of the paper."""
        return self.id.split("-")[0]

    @property
    def cells(self) -> list[Cell]:
        """Cells of all conditions."""
        return [cell for condition in self.conditions for cell in condition.cells]


def row_cells(table: Table, row: str, *columns: str) -> tuple[Cell, ...]:
    """Cells of one row of a table, in the order of ``columns``."""
    return tuple(table.cell(row, column) for column in columns)


def column_cells(table: Table, column: str, *rows: str) -> tuple[Cell, ...]:
    """Cells of one column of a table, in the order of ``rows``."""
    return tuple(table.cell(row, column) for row in rows)


def value(task: Task, model: Model, measure: Measure) -> Cell:
    """A cell that no table prints: a value of a figure or of the text."""
    return Cell(model.title, f"{task.title}, {measure.title}", None, measure.unit, task, model, measure)
