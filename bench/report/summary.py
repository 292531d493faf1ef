"""What a run prints at its end: one line for each cell, measured beside published, as aligned plain text."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.verdict import VERDICTS as MEASURED_VERDICTS
from bench.report.verdict import Finding, published_number

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
    digits = _digits(f)
    half = "" if f.half is None else f" ± {f.half:.{digits}f}"
    parted = f" [{f.parted}]" if f.parted else ""
    return f"{f.value:.{digits}f}{half}{unit}{parted}"


def _difference(f: Finding) -> str:
    """Measured minus published, in the cell's unit."""
    published = published_number(f.cell)
    if f.value is None or published is None or f.status != "measured":
        return "–"
    return f"{f.value - published:+.{_digits(f)}f}"


def _digits(f: Finding) -> int:
    return f.cell.measure.digits if f.cell.measure else 2


def _verdict(f: Finding) -> str:
    """The verdict, or why there is none."""
    if f.status != "measured":
        reason = f"{f.status}: {f.note}" if f.note else f.status
        return reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1]}…"
    if f.verdict in VERDICTS:
        return f.verdict
    return f"none: {f.verdict}" if f.verdict else "none: nothing published"
