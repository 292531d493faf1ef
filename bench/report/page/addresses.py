"""Addresses of cells that can be cited: ``roles-6/baseline/mnist`` on the page ``roles-6.html``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bench.spec.table import Cell, Table

LONGEST = 60  # characters of a slug, but for the number that tells equal ones apart


def slug(text: str) -> str:
    """``text`` in small letters, digits and hyphens, cut at a hyphen where it is long; "x" where nothing is left."""
    full = re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "x"
    if len(full) <= LONGEST:
        return full
    return full[: LONGEST + 1].rpartition("-")[0] or full[:LONGEST]


def slugs(names: Iterable[str]) -> dict[str, str]:
    """Name -> slug. Names with equal slugs get a number, in their order."""
    made: dict[str, str] = {}
    for name in names:
        base = slug(name)
        number = 1
        while (f"{base}-{number}" if number > 1 else base) in made.values():
            number += 1
        made[name] = f"{base}-{number}" if number > 1 else base
    return made


class Addresses:
    """The pages and addresses of all cells of ``tables``."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._rows = {name: slugs(table.rows) for name, table in tables.items()}
        self._columns = {name: slugs(table.columns) for name, table in tables.items()}
        self._by_cell = {id(cell): (name, cell) for name, table in tables.items() for cell in table.cells}
        self._by_names: dict[tuple[str, str, str], list[tuple[str, Cell]]] = {}
        for name, table in tables.items():
            for cell in table.cells:
                if cell.task and cell.model and cell.measure:
                    names = (cell.task.name, cell.model.name, cell.measure.name)
                    self._by_names.setdefault(names, []).append((name, cell))

    def of(self, table: str, cell: Cell) -> str:
        """The address of ``cell`` of ``table``, which is its id on the table's page."""
        return f"{table}/{self._rows[table][cell.row]}/{self._columns[table][cell.column]}"

    def link(self, table: str, cell: Cell) -> str:
        """``roles-6.html#roles-6/baseline/mnist``."""
        return f"{table}.html#{self.of(table, cell)}"

    def find(self, cell: Cell, paper: str = "") -> str:
        """The link to ``cell``, or to a cell of equal task, model and measure, first among those of ``paper``. Empty
        where no table has it.
        """
        if id(cell) in self._by_cell:
            return self.link(*self._by_cell[id(cell)])
        if cell.task is None or cell.model is None or cell.measure is None:
            return ""
        places = self._by_names.get((cell.task.name, cell.model.name, cell.measure.name), [])
        ordered = sorted(places, key=lambda place: not place[0].startswith(f"{paper}-"))
        return self.link(*ordered[0]) if ordered else ""
