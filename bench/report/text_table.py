"""A table as text for people: the header, the rows and the legend that Markdown and LaTeX share."""

from __future__ import annotations

from bench.report.verdict import VERDICTS, Finding
from bench.spec.table import Cell, Table
from bench.spec.task import BUDGETS

NO_VERDICT = " *"
ONE_SEED = "†"


def digits(cell: Cell) -> int:
    """Decimals with which a value of ``cell`` is printed."""
    return cell.measure.digits if cell.measure else 2


def text_table(table: Table, findings: list[Finding]) -> list[list[str]]:
    """Header and rows. A unit other than % stands in the header, "Energy (nJ), input counted", where the whole column
    has it, and otherwise in the cells.
    """
    by_place = {(f.cell.row, f.cell.column): f for f in findings}
    units = _column_units(table)

    def text(row: str, column: str) -> str:
        finding = by_place.get((row, column))
        return cell_text(finding, units[column]) if finding else ""

    header = ["", *(_column_title(column, units[column]) for column in table.columns)]
    return [header, *([row, *(text(row, column) for column in table.columns)] for row in table.rows)]


def _column_units(table: Table) -> dict[str, str]:
    """Column -> the unit that all its measured cells share; "" without one. Facts bring their own."""
    units = {
        column: {c.unit for c in table.cells if c.column == column and not c.fact and c.absent != "not applicable"}
        for column in table.columns
    }
    return {column: next(iter(shared)) if len(shared) == 1 else "" for column, shared in units.items()}


def _column_title(column: str, unit: str) -> str:
    name, comma, rest = column.partition(", ")
    return column if unit in ("", "%") else f"{name} ({unit}){comma}{rest}"


def cell_text(f: Finding, column_unit: str = "") -> str:
    """One cell: ``measured ± half interval (published) verdict``, or why nothing is measured and the published value.

    The unit is left out where it is % or that of the column. † marks one seed, * a value that gets no verdict.
    """
    published = f.cell.published or "–"
    if f.status == "not applicable":
        return f"n/a ({published})" if f.cell.published else "n/a"
    if f.text:
        return _fact_text(f, published)
    if f.status == "not reported":
        return "not reported"
    if f.value is None:
        return f"{f.status} ({published})"
    places = digits(f.cell)
    half = "" if f.half is None else f" ± {f.half:.{places}f}"
    parted = f" [{f.parted}]" if f.parted else ""
    dagger = ONE_SEED if f.n == 1 and f.status == "measured" else ""
    unit = "" if f.cell.unit in ("", "%", column_unit) else f" {f.cell.unit}"
    stale = " stale" if f.status == "stale" else ""
    return f"{f.value:.{places}f}{half}{dagger}{unit}{parted}{stale} ({published}){_mark(f)}"


def _fact_text(f: Finding, published: str) -> str:
    if f.verdict == "equal" and "".join(f.text.split()) == "".join(published.split()):
        return f.text
    unit = f.cell.unit if f.cell.published else ""
    return f"{f.text} ({published}{unit}){_mark(f)}"


def _mark(f: Finding) -> str:
    """The verdict; * for a label instead of a verdict: a reduced budget, other data, another recipe."""
    if f.verdict in (*VERDICTS, "differs", "equal"):
        return f" {f.verdict}"
    return NO_VERDICT if f.status == "measured" and f.verdict else ""


def legend(findings: list[Finding]) -> str:
    """Budget, protocol, seeds and data of the measured cells of one table, and what the marks mean."""
    measured = [f for f in findings if f.status == "measured" and not f.text]
    parts = []
    if any(f.text for f in findings):
        parts.append(
            "Without training: computed from the recipes, the built networks and the data (published, where it reads"
            " differently)"
        )
    if measured:
        parts += _measured_legend(measured)
    if any(f.verdict in VERDICTS for f in findings):
        parts.append(
            "reproduced: the interval lies inside the measure's tolerance around the published value; above, below: it"
            " lies outside; inconclusive: neither, or one seed"
        )
    if any(_mark(f) == NO_VERDICT for f in findings):
        parts.append("* no verdict: a reduced budget, other data or another recipe, so no reproduction of the number")
    if any(f.parted for f in findings):
        parts.append("[…] the seeds fall into two groups, so that an interval of their mean says nothing")
    return ". ".join(parts or ["Nothing measured yet"]) + "."


def _measured_legend(measured: list[Finding]) -> list[str]:
    budgets = sorted({f.budget for f in measured})
    seeds = sorted({f.n for f in measured})
    parts = [
        "measured ± half of the 95 % interval (published) verdict",
        f"Protocol {', '.join(sorted({f.protocol for f in measured}))}",
        "budget " + "; ".join(f"{budget} ({BUDGETS[budget]})" for budget in budgets),
    ]
    if len(seeds) > 1:
        parts.append(f"{seeds[0]}–{seeds[-1]} seeds a cell")
    else:
        parts.append(f"{seeds[0]} seed{'s' if seeds[0] > 1 else ''} a cell")
    if 1 in seeds:
        parts.append(
            f"{ONE_SEED} one seed: ± is the error of the test sample (or of a landscape's directions) only and says"
            " nothing about other seeds"
        )
    return parts
