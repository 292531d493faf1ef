"""Cells in bulk: a published table typed as text, its columns again on other data, read by another measure, or with
tuned settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bench.errors import BenchError
from bench.spec import best_settings
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure
from bench.spec.model import Model, tuned
from bench.spec.table import COUNTED, Cell, Fact
from bench.spec.task import Task

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

    The first line holds the column names, every other line a row name and its cells, separated by ``|``. ``n/a`` is not
    applicable, ``-`` and ``N.A.`` are not reported (each needs a text: in ``legend``, keyed by the sign, or in
    ``notes``, keyed by (row, column)); everything else is the published text. ``models`` and ``tasks`` map row or
    column names; a cell is runnable where both are given. ``facts`` maps columns, rows or (row, column) pairs of cells
    that need no training. ``measure`` and ``unit`` hold for all columns or map column names; a cell may carry its unit
    ("85.1k" in unit "k"). ``waiting`` says for a column, a row or a printed name what the cells wait for; ``note`` goes
    on every cell without another. Where printed names repeat, ``key`` maps the columns that tell the rows apart to how
    they read in the row's name: with ``{"Parameters": "{}"}`` a row printed "LIF*" is named "LIF* | 85.1k". Raises
    ``BenchError`` for a row with a wrong number of cells and for notes without a cell.
    """
    models, tasks, notes, legend, waiting, key = (
        models or {},
        tasks or {},
        notes or {},
        legend or {},
        waiting or {},
        key or {},
    )
    facts = facts or {}
    lines = [[part.strip() for part in line.split("|")] for line in text.strip("\n").splitlines() if line.strip()]
    (_, *columns), *body = lines
    cells = []
    for name, *values in body:
        if len(values) != len(columns):
            raise BenchError(f"row {name!r} has {len(values)} cells under {len(columns)} columns")
        printed = dict(zip(columns, values, strict=True))
        row = " | ".join(
            [name, *(form.format(printed[column]) for column, form in key.items() if printed[column] != "n/a")]
        )
        for column, value in printed.items():
            absent = ABSENT.get(value, "")
            said = notes.get((row, column), legend.get(value, "") if absent else "")
            if not absent:
                said = said or waiting.get(column) or waiting.get(row) or waiting.get(name) or note
            units = unit if isinstance(unit, str) else unit.get(column, "")
            fact = (
                None if absent == "not applicable" else facts.get((row, column)) or facts.get(column) or facts.get(row)
            )
            read = None if fact else measure.get(column) if isinstance(measure, Mapping) else measure
            published = None if absent else value.removesuffix(units)
            task, model = tasks.get(column) or tasks.get(row), models.get(row) or models.get(column)
            cells.append(Cell(row, column, published, units, task, model, read, absent, said, fact))
    known = {(c.row, c.column) for c in cells}
    if extra := set(notes) - known:
        raise BenchError(f"notes for cells that the grid does not have: {sorted(extra)}")
    return tuple(cells)


def on_other_data(cells: tuple[Cell, ...], *tasks: Task) -> tuple[Cell, ...]:
    """``cells`` and, after them, those that can run or are counted in the data again, with each of ``tasks`` that is
    ``instead_of`` theirs: a stand-in, a subset, …

    Nothing is published for them. The new columns carry the data's name: "N-MNIST" becomes "N-MNIST (simulated)", "1ms"
    becomes "1ms, N-MNIST (simulated)".
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
                more.append(
                    Cell(cell.row, task.title, task=task, absent=cell.absent or "not applicable", note=note, extra=True)
                )
    return cells + tuple(more)


def read_by(cells: tuple[Cell, ...], of: str, column: str, measure: Measure, note: str) -> tuple[Cell, ...]:
    """The runnable cells of column ``of`` again as ``column``, read by another ``measure`` for which nothing is
    published.
    """
    found = [cell for cell in cells if cell.column == of and cell.runnable]
    return tuple(
        replace(c, column=column, published=None, unit=measure.unit, measure=measure, note=note, extra=True)
        for c in found
    )


def tuned_row(cells: Iterable[Cell], model: Model) -> tuple[Cell, ...]:
    """A row beside that of ``model`` with the settings that were found for it, in the columns of tasks it was tuned
    for.

    Nothing is published for them. A file of another version makes a cell that nothing can run until it is searched
    again.
    """
    row = []
    for cell in cells:
        if cell.model != model or cell.task is None or not best_settings.path(model.name, cell.task.name).exists():
            continue
        runs: Model | None = tuned(model)
        own = Experiment(cell.task, model, 0, "paper")
        try:
            best = best_settings.read(model.name, cell.task.name, own.versions)
            better = best["neuron"].items() - own.config["neuron"].items()
            note = f"{model.name}-{cell.task.name}.toml: " + (
                f"settings of trial {best['trial']} of {best['trials']} at {best['budget']} budget"
                if better
                else (
                    f"none of {best['trials']} trials at {best['budget']} budget did better than the recipe's own"
                    " settings"
                )
            )
        except BenchError as error:
            note = str(error)
            runs = None
        row.append(replace(cell, row=tuned(model).title, model=runs, published=None, absent="", note=note, extra=True))
    return tuple(row)
