"""Options that choose cells and how they are trained, for all commands that take them. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

from bench import plan as planning
from bench.errors import unknown
from bench.measures import MEASURES
from bench.papers.registry import TABLES
from bench.spec.table import Cell
from bench.spec.task import BUDGETS


def selection(command: Callable) -> Callable:
    """The options that choose cells and how they are trained."""
    for option in (
        click.argument("tables", nargs=-1, required=True),
        click.option("--row", "rows", multiple=True, help="Only this row; repeatable."),
        click.option("--column", "columns", multiple=True, help="Only this column; repeatable."),
        click.option("--measure", "measures", multiple=True, help="Only this measure; repeatable."),
        click.option("--budget", default="laptop", show_default=True, help=f"One of {', '.join(BUDGETS)}."),
        click.option("--seeds", default=1, show_default=True, help="Number of seeds: 0, 1, …"),
    ):
        command = option(command)
    return command


def expanded(names: Iterable[str]) -> tuple[str, ...]:
    """Table names, with a paper's name standing for all of its tables and figures."""
    return tuple(t for name in names for t in ([t.id for t in TABLES.values() if t.paper.id == name] or [name]))


def selected(
    tables: Iterable[str], rows: Iterable[str], columns: Iterable[str], measures: Iterable[str]
) -> list[tuple[str, Cell]]:
    for name in measures:
        if name not in MEASURES:
            raise unknown("measure", name, MEASURES)
    chosen = [(name, cell) for name in tables for cell in planning.select(planning.find_table(name), rows, columns)]
    return [(name, c) for name, c in chosen if not measures or (c.measure and c.measure.name in measures)]
