"""What an experiment means for the tables, for its W&B run: the cells that it serves, measured beside published."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from bench.errors import BenchError
from bench.ledger import store
from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.papers.registry import TABLES
from bench.report.verdict import SHOWN_BUDGETS, find_result, published_number
from bench.spec.experiment import Experiment
from bench.spec.model import Model
from bench.spec.table import Cell, Table
from bench.spec.task import Task


def compared(experiment: Experiment, lines: Iterable[Line]) -> dict[str, float | str]:
    """``cell/<table>/<row>/<column>/…`` of each cell with a result: measured, published and difference (in the
    measure's unit), verdict (or why there is none) and seeds.

    ``lines`` are new ones of ``experiment``. The ledger's own are added as far as it can be read, so that other seeds
    count. Empty for an experiment that enters no table.
    """
    if experiment.overrides or experiment.budget not in SHOWN_BUDGETS:
        return {}
    lines = list(lines)
    known: list[Line] = []
    with suppress(BenchError):
        new = {(line.experiment, line.measure, line.protocol) for line in lines}
        known = [x for x in _ledger(experiment) if (x.experiment, x.measure, x.protocol) not in new]
    index = Index([*known, *lines])
    measures = {line.measure for line in lines if line.status == "ok"}
    found: dict[str, float | str] = {}
    for table in TABLES.values():
        for cell in table.cells:
            if (
                serves(experiment.task, experiment.model, cell)
                and cell.measure is not None
                and cell.measure.name in measures
            ):
                found |= _cell(table, cell, experiment.budget, index)
    return found


def cell_key(table: Table, cell: Cell, name: str) -> str:
    """The key of a W&B summary that has ``name`` (measured, published, …) of ``cell``. W&B takes "." for nesting."""
    return f"cell/{table.id}/{cell.row}/{cell.column}/{name}".replace(".", "_")


def places(task: Task, model: Model) -> dict[str, list[str]]:
    """Where tables have the results of ``model`` on ``task``: in lists of equal length, the paper, table, row, column
    and measure of each cell, and what is published there ("" for nothing).
    """
    found: dict[str, list[str]] = {n: [] for n in ("paper", "table", "row", "column", "measure", "published")}
    for table in TABLES.values():
        for cell in table.cells:
            if serves(task, model, cell) and cell.measure is not None:
                paper = table.id.partition("-")[0]
                values = (paper, table.id, cell.row, cell.column, cell.measure.name, cell.published or "")
                for column, value in zip(found.values(), values, strict=True):
                    column.append(value)
    return found


def serves(task: Task, model: Model, cell: Cell) -> bool:
    """Whether ``cell`` shows results of ``model`` on ``task``."""
    if cell.task is None or cell.model is None:
        return False
    return (cell.task.name, cell.model.name) == (task.name, model.name)


def _ledger(experiment: Experiment) -> list[Line]:
    return store.read(only=[experiment.task.name])


def _cell(table: Table, cell: Cell, budget: str, index: Index) -> dict[str, float | str]:
    """Nothing where the table shows a result of another budget."""
    finding = find_result(table, cell, index)
    if finding.status != "measured" or finding.value is None or finding.budget != budget:
        return {}
    published = published_number(cell)
    values: dict[str, float | str] = {"measured": finding.value, "verdict": finding.verdict, "seeds": finding.n}
    if published is not None:
        values |= {"published": published, "difference": finding.value - published}
    return {cell_key(table, cell, name): value for name, value in values.items()}
