"""Options that choose cells and how they are trained, for all commands that take them. No torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from bench import plan as planning
from bench.errors import BenchError, unknown
from bench.measures import MEASURES
from bench.papers.registry import TABLES
from bench.spec.table import Cell
from bench.spec.task import BUDGETS


def _use_results(context: click.Context, parameter: click.Parameter, folder: str | None) -> str | None:
    """Use ``folder`` as the ledger of this process and its workers, with a home of its own inside."""
    if folder is not None:
        path = Path(folder).expanduser().resolve()
        os.environ["BENCH_RESULTS"] = str(path)
        os.environ["BENCH_HOME"] = str(path / ".bench")
    return folder


results_option = click.option(
    "--results",
    metavar="DIR",
    expose_value=False,
    is_eager=True,
    callback=_use_results,
    help="Use the ledger in DIR, with runs and weights beside it: what is not there yet is trained afresh.",
)


def selection(command: Callable) -> Callable:
    """The options that choose cells and how they are trained."""
    for option in (
        click.argument("tables", nargs=-1, required=True),
        click.option("--row", "rows", multiple=True, help="Only this row; repeatable."),
        click.option(
            "--column", "columns", multiple=True, help="Only this column, by its name or its task's; repeatable."
        ),
        click.option("--measure", "measures", multiple=True, help="Only this measure; repeatable."),
        click.option("--budget", default="laptop", show_default=True, help=f"One of {', '.join(BUDGETS)}."),
        click.option("--seeds", default=1, show_default=True, help="Number of seeds: 0, 1, …"),
        results_option,
    ):
        command = option(command)
    return command


def expanded(names: Iterable[str]) -> tuple[str, ...]:
    """Table names, each once, with a paper's name standing for all of its tables and figures."""
    every = [t for name in names for t in ([t.id for t in TABLES.values() if t.paper.id == name] or [name])]
    return tuple(dict.fromkeys(every))


def selected(
    tables: Iterable[str], rows: Iterable[str], columns: Iterable[str], measures: Iterable[str]
) -> list[tuple[str, Cell]]:
    """(table id, cell) of everything that the options name.

    Raises ``BenchError`` for a name that does not exist, and where no cell has all of what is named.
    """
    tables = list(tables)
    rows = list(rows)
    columns = list(columns)
    measures = list(measures)
    for name in measures:
        if name not in MEASURES:
            raise unknown("measure", name, MEASURES, "python -m bench list measures")
    chosen = [(name, cell) for name in tables for cell in planning.select(planning.find_table(name), rows, columns)]
    if not chosen:
        raise BenchError(_no_cell(tables, rows))
    for name in measures:
        if not any(cell.measure and cell.measure.name == name for _, cell in chosen):
            raise BenchError(_no_measure(name, tables, bool(rows or columns)))
    return [(name, c) for name, c in chosen if not measures or (c.measure and c.measure.name in measures)]


def _no_cell(tables: list[str], rows: list[str]) -> str:
    """What to say where the named rows have no cell in the named columns."""
    columns = [c.column for name in tables for c in planning.select(planning.find_table(name), rows)]
    row = " and ".join(rows)
    return f"{' and '.join(tables)} has no such cell; columns of row {row!r}: {', '.join(dict.fromkeys(columns))}"


def _no_measure(measure: str, tables: list[str], narrowed: bool) -> str:
    """What to say where none of the chosen cells has ``measure``."""
    having = [t.id for t in TABLES.values() if any(c.measure and c.measure.name == measure for c in t.cells)]
    place = "none of these cells" if narrowed else " and ".join(tables)
    verb = "has" if narrowed or len(tables) == 1 else "have"
    what = f"{place} {verb} the measure {measure}" if narrowed else f"{place} {verb} no measure {measure}"
    return f"{what}; tables with it: {', '.join(having) or 'none'}"
