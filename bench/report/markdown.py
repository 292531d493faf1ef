"""A table as a Markdown page: its figure, its cells, the legend, the notes and why cells are not measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.report import figures, notes
from bench.report.text_table import legend, text_table
from bench.report.verdict import Finding
from bench.spec.table import Table


def to_markdown(table: Table, findings: list[Finding], lines: Iterable[Line]) -> str:
    """The page of ``table``; references in its notes are filled in from ``lines``, the ledger."""
    paper = table.paper
    page = [f"# {table.id}: {table.title}", "", f"{paper.title} ({paper.authors}, {paper.reference}).", ""]
    if table.draw and figures.is_drawn(findings):
        page += _picture(table)
    page += [*markdown_grid(table, findings), "", legend(findings), ""]
    page += _notes(table, lines)
    page += _not_measured(findings)
    page += _details(findings)
    return "\n".join(page)


def markdown_grid(table: Table, findings: list[Finding]) -> list[str]:
    """The lines of the grid of cells alone."""
    header, *rows = (list(map(_escaped, line)) for line in text_table(table, findings))
    columns = len(table.columns)
    return [
        f"| | {' | '.join(header[1:])} |",
        "|" + " --- |" * (columns + 1),
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _escaped(text: str) -> str:
    return text.replace("|", "/").replace("*", "\\*")


def _picture(table: Table) -> list[str]:
    picture = f"../figures/{table.id}"
    return [f"![{table.title}]({picture}.png)", "", f"[SVG]({picture}.svg) · [data]({picture}.csv)", ""]


def _notes(table: Table, lines: Iterable[Line]) -> list[str]:
    return ["Notes:", "", notes.markdown(table, Index.of(lines)), ""] if table.notes else []


def _not_measured(findings: list[Finding]) -> list[str]:
    reasons = Counter((f.status, f.note) for f in findings if f.status != "measured" and f.note)
    if not reasons:
        return []
    lines = [f"- {n} cell{'s' if n > 1 else ''} {status}: {note}" for (status, note), n in reasons.items()]
    return ["Not measured:", "", *lines, ""]


def _details(findings: list[Finding]) -> list[str]:
    lines = [f"- {f.cell.row}, {f.cell.column}: {f.note}" for f in findings if f.status == "measured" and f.note]
    return ["Details of measured cells:", "", *lines, ""] if lines else []
