"""Chosen cells of a table as LaTeX, CSV or Markdown, for a paper of one's own."""

from __future__ import annotations

from collections.abc import Iterable

from bench import plan
from bench.ledger.store import Line
from bench.report.csv_table import to_csv
from bench.report.findings import find_results
from bench.report.groups import undivided
from bench.report.latex import latex_group
from bench.report.markdown import markdown_grid
from bench.report.text_table import also_legend, legend
from bench.spec.table import Cell, Table

FORMATS = ("latex", "csv", "markdown")


def chosen(table: Table, rows: str, columns: str) -> list[Cell]:
    """Cells of the rows and columns that are named, separated by commas, in the table's order. Where no rows, or no
    columns, are named they are the paper's own.

    Raises ``BenchError`` for a name that does not exist.
    """
    named_rows = separated(rows, table.rows)
    named_columns = separated(columns, [*table.columns, *(c.task.name for c in table.cells if c.task)])
    own = [cell for cell in table.cells if not cell.extra] or table.cells
    own_rows = {cell.row for cell in own}
    own_columns = {cell.column for cell in own}
    return [
        cell
        for cell in plan.select(table, named_rows, named_columns)
        if (named_rows or cell.row in own_rows) and (named_columns or cell.column in own_columns)
    ]


def separated(text: str, known: Iterable[str]) -> list[str]:
    """The names in ``text`` between commas. A known name may have commas itself: "SHD,XOR, input whole"."""
    keys = {plan.name_key(name) for name in known}
    parts = [part.strip() for part in text.split(",")] if text else []
    names = []
    while parts:
        ends = (end for end in range(len(parts), 1, -1) if plan.name_key(", ".join(parts[:end])) in keys)
        end = next(ends, 1)
        names.append(", ".join(parts[:end]))
        parts = parts[end:]
    return names


def export(table: Table, cells: Iterable[Cell], ending: str, lines: Iterable[Line]) -> str:
    """``cells`` of ``table`` in one of ``FORMATS``, as ``lines``, the ledger, have them."""
    wanted = {(cell.row, cell.column) for cell in cells}
    findings = [f for f in find_results(table, lines) if (f.cell.row, f.cell.column) in wanted]
    if ending == "csv":
        return to_csv(table, findings)
    group = undivided(table, findings)
    if ending == "latex":
        return latex_group(table, group)
    below = " ".join(filter(None, [legend(findings), also_legend(findings)]))
    return "\n".join([*markdown_grid(table, group), "", below, ""])
