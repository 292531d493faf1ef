"""A table as CSV: one line a cell, one value a column. Numbers are numbers, text is in columns of its own."""

from __future__ import annotations

import csv
import io
from typing import Any

from bench.report.text_table import difference, digits
from bench.report.verdict import Finding, published_number
from bench.spec.table import Table

COLUMNS = [
    "table",
    "row",
    "column",
    "measure",
    "unit",
    "published",
    "published_text",
    "also_published",
    "also_published_by",
    "measured",
    "measured_text",
    "difference",
    "ci_low",
    "ci_high",
    "n",
    "seeds",
    "epochs_min",
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
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_values(table, f) for f in findings)
    return out.getvalue()


def _values(table: Table, f: Finding) -> dict[str, Any]:
    """Column -> value of one cell. ``published_text`` is as printed; ``measured_text`` is what a fact says."""
    cell = f.cell
    places = digits(cell)
    published = published_number(cell)
    return {
        "table": table.id,
        "row": cell.row,
        "column": cell.column,
        "measure": cell.measure.name if cell.measure else "",
        "unit": cell.unit,
        "published": "" if published is None else (cell.published or "").replace(",", ""),
        "published_text": cell.published or "",
        "also_published": " ".join(value.value for value in f.also_published),
        "also_published_by": " ".join(value.paper.id for value in f.also_published),
        "measured": _number(f.value, places) or _computed(f),
        "measured_text": f.text,
        "difference": _number(difference(f), places),
        "ci_low": _number(f.low, places),
        "ci_high": _number(f.high, places),
        "n": f.n or "",
        "seeds": " ".join(map(str, f.seeds)),
        "epochs_min": min(f.epochs, default=""),
        "epochs": max(f.epochs, default=""),
        "budget": f.budget,
        "protocol": f.protocol,
        "data": f.data,
        "params": f.params or "",
        "status": f.status,
        "verdict": f.verdict,
        "date": f.date,
        "commit": f.commit,
        "note": f"{f.parted}; {f.note}".strip("; "),
    }


def _computed(f: Finding) -> str:
    """The number that a fact says, in the unit of the published one; empty for words."""
    try:
        number = float(f.text.replace(",", ""))
    except ValueError:
        return ""
    return f"{number / 1000 if f.cell.unit == 'k' else number:.10g}"


def _number(value: float | None, places: int) -> str:
    return "" if value is None else f"{value:.{places}f}"
