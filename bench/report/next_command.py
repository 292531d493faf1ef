"""The commands that would measure cells, as they are typed."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable
from functools import cache

from bench.papers.registry import TABLES
from bench.spec.table import Cell
from datamodules.sources import SOURCES

Names = tuple[str, str, str]


def deciding_commands(
    cells: Iterable[Cell], known_data: Collection[str], budget: str = "paper", seeds: int = 3
) -> tuple[str, ...]:
    """For each table that has some of ``cells``, the command that trains them. Before it the one that fetches data on
    which the ledger has no results (``known_data`` are the others), so that the text is the same on every machine.
    """
    rows: dict[str, dict[str, list[str]]] = {}
    commands = []
    for cell in cells:
        if not cell.runnable:
            continue
        assert cell.task is not None and cell.model is not None and cell.measure is not None
        if cell.task.data not in known_data and SOURCES[cell.task.data].files:
            commands.append(f"python -m bench data fetch {cell.task.data}  # {SOURCES[cell.task.data].title}")
        place = _places().get((cell.task.name, cell.model.name, cell.measure.name))
        if place:
            table, row, column = place
            chosen = rows.setdefault(table, {"--row": [], "--column": []})
            chosen["--row"].append(row)
            chosen["--column"].append(column)
    for table, options in rows.items():
        named = [f"{option} {shlex.quote(name)}" for option, names in options.items() for name in dict.fromkeys(names)]
        commands.append(" ".join([f"python -m bench run {table}", *named, f"--budget {budget} --seeds {seeds}"]))
    return tuple(dict.fromkeys(commands))


@cache
def _places() -> dict[Names, tuple[str, str, str]]:
    """Task, model and measure -> the first table, row and column that have it."""
    places: dict[Names, tuple[str, str, str]] = {}
    for table in TABLES.values():
        for c in table.cells:
            if c.task and c.model and c.measure and c.runnable:
                places.setdefault((c.task.name, c.model.name, c.measure.name), (table.id, c.row, c.column))
    return places
