"""What the ledger says about the cells of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bench.ledger.store import Line
from bench.report.verdict import Finding, find_result
from bench.spec.table import Table


def find_results(table: Table, lines: Iterable[Line]) -> list[Finding]:
    """One finding a cell, in the table's order."""
    lines = list(lines)
    return [find_result(table, cell, lines) for cell in table.cells]


def coverage(findings: Iterable[Finding]) -> dict[str, int]:
    """Number of cells by status."""
    return dict(Counter(f.status for f in findings))
