"""What the ledger says about the cells of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.papers.registry import also_published
from bench.report.verdict import Finding, find_result, status_of
from bench.spec.table import Table


def find_results(table: Table, lines: Iterable[Line], live: bool = False) -> list[Finding]:
    """One finding a cell, in the table's order; ``live`` as in ``find_result``."""
    index = Index.of(lines)
    return [
        replace(find_result(table, cell, index, live), also_published=also_published(table, cell))
        for cell in table.cells
    ]


def coverage(table: Table, lines: Iterable[Line], live: bool = False) -> dict[str, int]:
    """Number of cells by status; ``live`` as in ``find_result``."""
    index = Index.of(lines)
    return dict(Counter(status_of(table, cell, index, live) for cell in table.cells))
