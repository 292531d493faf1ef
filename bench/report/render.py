"""Tables from the ledger: CSV (one line a cell), Markdown and LaTeX beside the published numbers, figures, and the
index.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bench import paths
from bench.errors import BenchError
from bench.ledger import store
from bench.ledger.store import Line
from bench.measures import ACCURACY, ENERGY, SILHOUETTE
from bench.papers.registry import PAPERS, TABLES
from bench.report import claims, claims_page, figures
from bench.report.verdict import Finding, find_result
from bench.spec.measure import PROTOCOLS
from bench.spec.table import Table
from bench.spec.task import BUDGETS
from bench.speed import timings

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
    "budget",
    "protocol",
    "data",
    "params",
    "status",
    "verdict",
    "note",
]


STATUSES = ("measured", "ready to run", "data missing", "not reported", "not applicable")


def findings(table: Table, lines: Iterable[Line]) -> list[Finding]:
    lines = list(lines)
    return [find_result(table, cell, lines) for cell in table.cells]


def _digits(f: Finding) -> int:
    return f.cell.measure.digits if f.cell.measure else 2


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def to_csv(table: Table, found: list[Finding]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for f in found:
        c = f.cell
        value, low, high = (_number(number, _digits(f)) for number in (f.value, f.low, f.high))
        writer.writerow(
            [table.id, c.row, c.column, c.measure.name if c.measure else "", c.unit, c.published or "", f.text or value]
            + [low, high, f.n or "", f.budget, f.protocol, f.data, f.params or "", f.status, f.verdict, f.note]
        )
    return out.getvalue()


def _units(table: Table) -> dict[str, str]:
    """Column -> the unit of its measured numbers where all have the same one, "" where not. Facts say their own."""
    found = {
        column: {c.unit for c in table.cells if c.column == column and not c.fact and c.absent != "not applicable"}
        for column in table.columns
    }
    return {column: units.pop() if len(units) == 1 else "" for column, units in found.items()}


def texts(table: Table, found: list[Finding]) -> list[list[str]]:
    """Header and rows for people. A unit other than % is said once in the header, "Energy (nJ), input counted", where
    the whole column has it, else in the cells.
    """
    by_place, units, several = {(f.cell.row, f.cell.column): f for f in found}, _units(table), _several(found)
    header = [""]
    for column in table.columns:
        name, comma, rest = column.partition(", ")
        header.append(f"{name} ({units[column]}){comma}{rest}" if units[column] not in ("", "%") else column)
    rows = [
        [short(f, units[column], several) if (f := by_place.get((row, column))) else "" for column in table.columns]
        for row in table.rows
    ]
    return [header, *([row, *cells] for row, cells in zip(table.rows, rows, strict=True))]


def _several(found: list[Finding]) -> bool:
    """Whether some cells have more seeds than one."""
    return any(f.n > 1 for f in found if f.status == "measured" and not f.text)


def short(f: Finding, said: str = "", several: bool = False) -> str:
    """One cell for people: ``measured ± half interval (published)`` or the published value and why there is no measured
    one.

    The unit is left out if it is the one ``said`` above, or %. † is one seed, where others of the table have
    ``several``.
    """
    published = f.cell.published or "–"
    if f.status == "not applicable":
        return f"n/a ({published})" if f.cell.published else "n/a"
    if f.text:
        same = f.verdict == "equal" and "".join(f.text.split()) == "".join(published.split())
        return f.text if same else f"{f.text}{_mark(f)} ({published}{f.cell.unit if f.cell.published else ''})"
    if f.value is None:
        return f"{f.status} ({published})" if f.status != "not reported" else "not reported"
    half = "" if f.low is None or f.high is None else f" ± {(f.high - f.low) / 2:.{_digits(f)}f}"
    unit = f" {f.cell.unit}" if f.cell.unit not in ("", "%", said) else ""
    one = "†" if several and f.n == 1 else ""
    return f"{f.value:.{_digits(f)}f}{half}{one}{unit}{_mark(f)}{' stale' if f.status == 'stale' else ''} ({published})"


def _mark(f: Finding) -> str:
    """The verdict where it is against the paper, and * for a label in its place: not the paper's budget or data."""
    if f.verdict in ("in interval", "above", "below", "differs"):
        return f" {f.verdict}"
    return "" if f.verdict in ("within", "equal", "") or f.status != "measured" else " *"


def legend(found: list[Finding]) -> str:
    """Says budget, protocol, seeds and data of the measured cells of one table."""
    measured = [f for f in found if f.status == "measured" and not f.text]
    parts = []
    if any(f.text for f in found):
        parts.append(
            "Without training: computed from the recipes, the built networks and the data (published, where it reads"
            " differently)"
        )
    if measured:
        parts.append("measured ± half of the 95 % interval (published)")
        parts.append(f"Protocol {', '.join(sorted({f.protocol for f in measured}))}")
        parts.append("budget " + "; ".join(f"{b} ({BUDGETS[b]})" for b in sorted({f.budget for f in measured})))
        seeds = sorted({f.n for f in measured})
        parts.append(
            f"{seeds[0]}–{seeds[-1]} seeds a cell"
            if len(seeds) > 1
            else f"{seeds[0]} seed{'s' if seeds[0] > 1 else ''} a cell"
        )
        if 1 in seeds:
            mark = " (†)" if len(seeds) > 1 else ""
            parts.append(
                f"with one seed{mark} the interval, where there is one, is that of the test sample or of a landscape's"
                " directions only"
            )
    if any(f.verdict == "in interval" for f in found):
        parts.append("in interval: only the interval, not the measure's tolerance, reaches the published value")
    if any(_mark(f) == " *" for f in found):
        parts.append("* no verdict: not the paper's budget or not its data, so not a reproduction of the number")
    return ". ".join(parts or ["Nothing measured yet"]) + "."


def to_markdown(table: Table, found: list[Finding]) -> str:
    lines = [
        f"# {table.id}: {table.title}",
        "",
        f"{table.paper.title} ({table.paper.authors}, {table.paper.reference}).",
        "",
    ]
    if table.draw and any(f.status == "measured" for f in found):
        lines += [
            f"![{table.title}](../figures/{table.id}.png)",
            "",
            f"[SVG](../figures/{table.id}.svg) · [data](../figures/{table.id}.csv)",
            "",
        ]
    lines += markdown_grid(table, found)
    lines += ["", legend(found), ""]
    if table.notes:
        lines += ["Notes:", "", *(f"- {note}" for note in table.notes), ""]
    reasons = Counter((f.status, f.note) for f in found if f.status != "measured" and f.note)
    if reasons:
        lines += [
            "Not measured:",
            "",
            *(f"- {n} cell{'s' if n > 1 else ''} {status}: {note}" for (status, note), n in reasons.items()),
            "",
        ]
    details = [f"- {f.cell.row}, {f.cell.column}: {f.note}" for f in found if f.status == "measured" and f.note]
    if details:
        lines += ["Details of measured cells:", "", *details, ""]
    return "\n".join(lines)


def markdown_grid(table: Table, found: list[Finding]) -> list[str]:
    header, *rows = ("| " + " | ".join(map(_cell, line)) + " |" for line in texts(table, found))
    return [header.replace("|  |", "| |", 1), "|" + " --- |" * (len(table.columns) + 1), *rows]


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("*", "\\*")


def _tex(text: str) -> str:
    for plain, escaped in (
        ("\\", r"\textbackslash{}"),
        ("&", r"\&"),
        ("%", r"\%"),
        ("_", r"\_"),
        ("#", r"\#"),
        ("±", r"$\pm$"),
        ("–", "--"),
        ("†", r"\dag{}"),
    ):
        text = text.replace(plain, escaped)
    return text.replace("^", r"\^{}").replace("$\\pm\\$", r"$\pm$")


def to_latex(table: Table, found: list[Finding]) -> str:
    lines = [
        r"% generated by: python -m bench render " + table.id,
        r"\begin{tabular}{l" + "r" * len(table.columns) + "}",
        r"\toprule",
    ]
    header, *rows = (" & ".join(map(_tex, line)) + r" \\" for line in texts(table, found))
    return "\n".join(
        [*lines, header, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}", "% " + _tex(legend(found)), ""]
    )


def coverage(found: list[Finding]) -> dict[str, int]:
    """Number of cells by status."""
    return dict(Counter(f.status for f in found))


def files(tables: Iterable[Table], lines: list[Line]) -> dict[Path, str]:
    """Content of ``results/tables/<table>.{csv,md,tex}`` of ``tables``, and of the index of all tables."""
    out = {}
    for table in tables:
        found = findings(table, lines)
        for ending, make in (("csv", to_csv), ("md", to_markdown), ("tex", to_latex)):
            out[paths.results() / "tables" / f"{table.id}.{ending}"] = make(table, found)
    out[paths.results() / "claims.md"] = claims_page.markdown(claims.judgements(lines))
    out[paths.results() / "README.md"] = index(lines)
    return out


def pictures(tables: Iterable[Table], lines: list[Line]) -> tuple[dict[Path, str | bytes | None], list[str]]:
    """Content of ``results/figures/`` for the figures among ``tables``, and what says why others cannot be drawn."""
    out: dict[Path, str | bytes | None] = {}
    problems = []
    for table in (t for t in tables if t.draw):
        try:
            out |= figures.files(table, findings(table, lines))
        except BenchError as error:
            problems.append(str(error))
    return out, problems


def render(tables: Iterable[Table], lines: list[Line]) -> None:
    """Write ``files``, then ``pictures``; equal ones are left alone. Raises ``BenchError`` for figures that cannot be
    drawn, at the end.
    """
    tables = list(tables)
    for path, text in files(tables, lines).items():
        store.write(path, text)
    drawn, problems = pictures(tables, lines)
    changed = {
        path.stem for path, content in drawn.items() if _differs(path, content)
    }  # another machine's equal PNG is left alone
    for path, content in drawn.items():
        if content is None:
            path.unlink(missing_ok=True)  # of results that are not current any more
        elif path.stem in changed:
            store.write(path, content)
    if problems:
        raise BenchError("\n".join(problems))


def differing(tables: Iterable[Table], lines: list[Line]) -> list[Path]:
    """Rendered files that are not what the ledger gives. Of a figure, its data and its SVG are compared; its PNG has to
    be there.
    """
    tables = list(tables)
    drawn, problems = pictures(tables, lines)
    if problems:
        raise BenchError("\n".join(problems))
    wanted: dict[Path, str | bytes | None] = {**files(tables, lines), **drawn}
    return [p for p, content in wanted.items() if _differs(p, content)]


def _differs(path: Path, content: str | bytes | None) -> bool:
    if content is None or not path.exists():
        return path.exists() or content is not None
    return isinstance(content, str) and path.read_text(encoding="utf-8") != content


def _speed() -> list[str]:
    """The scan's benchmark as it was last measured, if it was."""
    path = paths.results() / "speed.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    about = (
        f"Median of whole training steps, {rows[0]['threads']} CPU threads; `make speed` measures again. Raw:"
        " [speed.csv](speed.csv)."
    )
    return ["## Speed", "", about, "", timings.markdown(rows), ""]


def index(lines: list[Line]) -> str:
    out = ["# Results", "", "Generated by `python -m bench render` from the ledger in `runs/`; do not edit.", ""]
    out += ["What the papers claim, and whether it holds: [claims.md](claims.md).", ""]
    for paper in PAPERS.values():
        out += [
            f"## {paper.id}: {paper.title}",
            "",
            "| table or figure | title | cells | measured | ready to run | data missing | nothing to measure | other |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        for table in (t for t in TABLES.values() if t.paper is paper):
            counts = coverage(findings(table, lines))
            other = ", ".join(f"{n} {status}" for status, n in sorted(counts.items()) if status not in STATUSES)
            shown = [counts.get("measured", 0), counts.get("ready to run", 0), counts.get("data missing", 0)]
            shown.append(sum(counts.get(status, 0) for status in STATUSES[3:]))
            numbers = " | ".join(map(str, [len(table.cells), *shown]))
            out.append(f"| [{table.id}](tables/{table.id}.md) | {table.title} | {numbers} | {other} |")
        out.append("")
    out += _speed()
    out += [
        "## How to read a table",
        "",
        "- `94.41 ± 0.45 * (94.85)`: measured, half of its 95 % interval, published in brackets.",
    ]
    out += [
        "- `*`: a reduced budget, a subset or stand-in data: not comparable as a reproduction; the CSV's `verdict`"
        " column says which."
    ]
    out += [
        (
            "- no word, in interval, above, below: at the paper's budget on the real data. The published value is"
            f" within the measure's tolerance ({ACCURACY.tolerance:g} point of accuracy, {ENERGY.tolerance:g} nJ,"
            f" {SILHOUETTE.tolerance:g} of a silhouette), further off but in the interval, or further off than both."
        ),
        "- `†`: one seed, in a table where other cells have more. The CSV has the number of seeds of every cell.",
    ]
    out += [f"- protocol `{name}`: {text}." for name, text in PROTOCOLS.items()]
    out += [f"- budget `{name}`: {text}." for name, text in BUDGETS.items()]
    out += [
        (
            "- Interval: Student t over seeds; with one seed, where there is one, that of the test sample (Wilson for"
            " an accuracy) or of a landscape's pairs of directions (says nothing about seeds)."
        ),
        "",
    ]
    return "\n".join(out)
