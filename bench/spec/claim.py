"""A sentence of a paper as predicates over cells."""

from __future__ import annotations

from dataclasses import dataclass

from bench.spec.measure import Measure
from bench.spec.model import Model
from bench.spec.predicates import Predicate
from bench.spec.table import Cell, Table
from bench.spec.task import Task


@dataclass(frozen=True)
class Condition:
    """``predicate`` of the values of ``cells``, in this order."""

    predicate: Predicate
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Claim:
    """One sentence: it holds where all ``conditions`` do. ``source`` says where we have it from.

    ``budget``: only experiments of this budget answer it; otherwise paper before laptop, never mixed.
    """

    id: str
    section: str
    sentence: str
    conditions: tuple[Condition, ...]
    source: str
    budget: str = ""

    @property
    def paper(self) -> str:
        return self.id.split("-")[0]

    @property
    def cells(self) -> list[Cell]:
        return [cell for condition in self.conditions for cell in condition.cells]


def at(table: Table, row: str, *columns: str) -> tuple[Cell, ...]:
    """Cells of one row of a published table."""
    return tuple(table.cell(row, column) for column in columns)


def down(table: Table, column: str, *rows: str) -> tuple[Cell, ...]:
    """Cells of one column of a published table."""
    return tuple(table.cell(row, column) for row in rows)


def value(task: Task, model: Model, measure: Measure) -> Cell:
    """What no table prints: a value of a figure or of the text."""
    return Cell(model.title, f"{task.title}, {measure.title}", None, measure.unit, task, model, measure)
