"""A table as CSV: one line a cell."""

from __future__ import annotations

import csv
import io

from bench.report.text_table import digits
from bench.report.verdict import Finding
from bench.spec.table import Table

COLUMNS = [
    "table",
    "row",
    "column",
    "measure",
    "unit",
    "published",
    "measured",
    "ci_low",
    "ci_high",
    "n",
    "epochs",
    "budget",
    "protocol",
    "data",
    "params",
    "status",
    "verdict",
    "date",
    "commit",
    "note",
]


def to_csv(table: Table, findings: list[Finding]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for f in findings:
        cell = f.cell
        value, low, high = (_number(number, digits(cell)) for number in (f.value, f.low, f.high))
        measure = cell.measure.name if cell.measure else ""
        writer.writerow(
            [table.id, cell.row, cell.column, measure, cell.unit, cell.published or "", f.text or value, low, high]
            + [f.n or "", _epochs(f), f.budget, f.protocol, f.data, f.params or "", f.status, f.verdict]
            + [f.date, f.commit, f"{f.parted}; {f.note}".strip("; ")]
        )
    return out.getvalue()


def _epochs(f: Finding) -> str:
    """Epochs trained; of seeds that differ, the fewest and the most."""
    return "–".join(dict.fromkeys(map(str, f.epochs[:1] + f.epochs[-1:])))


def _number(value: float | None, places: int) -> str:
    return "" if value is None else f"{value:.{places}f}"
