"""What a run prints at its end: one line for each cell, measured beside published, as aligned plain text."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.text_table import difference, digits
from bench.report.verdict import VERDICTS as MEASURED_VERDICTS
from bench.report.verdict import Finding

HEADER = ("row", "column", "measured", "published", "difference", "verdict")
NUMBERS = ("measured", "published", "difference")  # aligned to the right
VERDICTS = (*MEASURED_VERDICTS, "equal", "differs")
LONGEST_REASON = 100  # characters


def summary(findings: Sequence[Finding]) -> str:
    """A header and one line for each finding; empty without any."""
    if not findings:
        return ""
    rows = [HEADER, *(_row(f) for f in findings)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_aligned(row, widths) for row in rows)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        text.rjust(width) if name in NUMBERS else text.ljust(width)
        for name, text, width in zip(HEADER, row, widths, strict=True)
    ]
    return "  ".join(cells).rstrip()


def _row(f: Finding) -> tuple[str, ...]:
    unit = f" {f.cell.unit}" if f.cell.unit else ""
    published = f"{f.cell.published}{unit}" if f.cell.published else "–"
    return f.cell.row, f.cell.column, _measured(f, unit), published, _difference(f), _verdict(f)


def _measured(f: Finding, unit: str) -> str:
    if f.text:
        return f.text
    if f.value is None:
        return "–"
    places = digits(f.cell)
    half = "" if f.half is None else f" ± {f.half:.{places}f}"
    parted = f" [{f.parted}]" if f.parted else ""
    return f"{f.value:.{places}f}{half}{unit}{parted}"


def _difference(f: Finding) -> str:
    """Measured minus published, in the cell's unit."""
    number = difference(f)
    return "–" if number is None else f"{number:+.{digits(f.cell)}f}"


def _verdict(f: Finding) -> str:
    """The verdict, or why there is none."""
    if f.status != "measured":
        reason = f"{f.status}: {f.note}" if f.note else f.status
        return reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1]}…"
    if f.verdict in VERDICTS:
        return f.verdict
    return f"none: {f.verdict}" if f.verdict else "none: nothing published"
