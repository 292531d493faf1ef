"""Builds cells in bulk: from a published table typed as text, on other data, or with another measure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bench.errors import BenchError
from bench.spec.measure import Measure
from bench.spec.model import Model
from bench.spec.table import COUNTED, Cell, Fact
from bench.spec.task import Task

ABSENT = {"n/a": "not applicable", "-": "not reported", "N.A.": "not reported"}
NONE: Mapping[Any, Any] = {}
SEPARATOR = " | "  # between the parts of a row's name


def grid(
    text: str,
    *,
    models: Mapping[str, Model] = NONE,
    tasks: Mapping[str, Task] = NONE,
    measure: Measure | Mapping[str, Measure] | None = None,
    unit: str | Mapping[str, str] = "",
    note: str = "",
    notes: Mapping[tuple[str, str], str] = NONE,
    legend: Mapping[str, str] = NONE,
    waiting: Mapping[str, str] = NONE,
    key: Mapping[str, str] = NONE,
    facts: Mapping[Any, Fact] = NONE,
) -> tuple[Cell, ...]:
    """Cells from a text matrix that looks like the published table.

    The first line holds the column names. Every other line holds a row name and its cells, separated by ``|``. ``n/a``
    is not applicable, ``-`` and ``N.A.`` are not reported; everything else is the published text. A cell may carry its
    unit ("85.1k" in unit "k").

    - ``models`` and ``tasks`` map names of rows or columns. A cell that has both can run.
    - ``measure`` and ``unit`` hold for all columns, or map column names.
    - ``facts`` map columns, rows or (row, column) pairs of cells that need no training.
    - ``legend`` explains a sign such as ``-``, ``notes`` a single cell by (row, column); an absent cell needs one.
    - ``waiting`` says for a column, a row or a printed name what its cells wait for. ``note`` goes on every cell that
      has no other text.
    - ``key`` tells rows with one printed name apart: it maps columns to the form of their value in the row's name. With
      ``{"Parameters": "{}"}`` a row printed "LIF*" is named "LIF* | 85.1k".

    Raises ``BenchError`` for a row with a wrong number of cells and for notes without a cell.
    """
    cells = []
    for name, row, values in _rows(text, key):
        for column, value in values.items():
            absent = ABSENT.get(value, "")
            cell_unit = unit if isinstance(unit, str) else unit.get(column, "")
            fact = facts.get((row, column)) or facts.get(column) or facts.get(row)
            if absent == "not applicable":
                fact = None
            column_measure = measure.get(column) if isinstance(measure, Mapping) else measure
            explanation = legend.get(value, "")
            if not absent:
                explanation = waiting.get(column) or waiting.get(row) or waiting.get(name) or note
            cells.append(
                Cell(
                    row,
                    column,
                    None if absent else value.removesuffix(cell_unit),
                    cell_unit,
                    tasks.get(column) or tasks.get(row),
                    models.get(row) or models.get(column),
                    None if fact else column_measure,
                    absent,
                    notes.get((row, column)) or explanation,
                    fact,
                )
            )
    if extra := set(notes) - {(cell.row, cell.column) for cell in cells}:
        raise BenchError(f"notes for cells that the grid does not have: {sorted(extra)}")
    return tuple(cells)


def _rows(text: str, key: Mapping[str, str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Of every row of a text matrix: its printed name, its name with the ``key`` columns, its values by column."""
    lines = [[part.strip() for part in line.split("|")] for line in text.splitlines() if line.strip()]
    columns = lines[0][1:]
    for name, *values in lines[1:]:
        if len(values) != len(columns):
            raise BenchError(f"row {name!r} has {len(values)} cells under {len(columns)} columns")
        by_column = dict(zip(columns, values, strict=True))
        parts = [form.format(by_column[column]) for column, form in key.items() if by_column[column] != "n/a"]
        yield name, SEPARATOR.join([name, *parts]), by_column


def on_other_data(cells: tuple[Cell, ...], *tasks: Task, note: str = "") -> tuple[Cell, ...]:
    """``cells``, and after them their copies on each of ``tasks``, which are ``instead_of`` theirs: a stand-in, a
    subset or another form of the recipe. One of ``tasks`` may be instead of another one of them.

    Only cells that can run or are counted in the data have a value there, and nothing is published for them. The new
    columns carry the name of the task: "N-MNIST" becomes "N-MNIST (simulated)", "1ms" becomes "1ms, N-MNIST
    (simulated)". ``note`` goes before what the copies say of the published value.
    """
    by_name = {task.name: task for task in tasks}

    def original(task: Task) -> str:
        return original(by_name[task.instead_of]) if task.instead_of in by_name else task.instead_of

    copies = [
        copy
        for task in tasks
        for cell in cells
        if cell.task is not None
        and cell.task.name == original(task)
        and (copy := _on_other_data(cell, cell.task, task, note))
    ]
    return cells + tuple(copies)


def _on_other_data(cell: Cell, real: Task, task: Task, before: str) -> Cell | None:
    """``cell`` on ``task`` in place of the ``real`` one. ``None`` for a column of settings."""
    if cell.runnable or (cell.fact is not None and cell.fact.name in COUNTED):
        column = task.title if cell.column == real.title else f"{cell.column}, {task.title}"
        data = " on the real data" if task.data != real.data else ""
        note = f"the paper has {cell.published}{data}" if cell.published else cell.note
        note = "; ".join(filter(None, [before, note]))
        return replace(cell, column=column, published=None, task=task, absent="", note=note, extra=True)
    if cell.column == real.title:  # the other rows have this column, so it needs a cell here
        note = cell.note if cell.absent else "the paper describes its own data"
        absent = cell.absent or "not applicable"
        return Cell(cell.row, task.title, task=task, absent=absent, note=note, extra=True)
    return None


def read_by(cells: tuple[Cell, ...], of: str, column: str, measure: Measure, note: str) -> tuple[Cell, ...]:
    """Copies of the runnable cells of column ``of``, in a new ``column`` and read by another ``measure``. Nothing is
    published for them.
    """
    return tuple(
        replace(cell, column=column, published=None, unit=measure.unit, measure=measure, note=note, extra=True)
        for cell in cells
        if cell.column == of and cell.runnable
    )
