"""A table as a Markdown page: its figure, the paper's own cells, other cells below, notes, and what is not measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.report import figures, notes
from bench.report.groups import Group, groups, row_label
from bench.report.text_table import also_legend, cell_text, column_heads, column_units, legend
from bench.report.verdict import Finding
from bench.spec.table import Table
from datamodules.sources import SOURCES

HOW_TO_READ = "[How to read a table](../README.md#how-to-read-a-table)."


def to_markdown(table: Table, findings: list[Finding], lines: Iterable[Line]) -> str:
    """The page of ``table``; references in its notes are filled in from ``lines``, the ledger."""
    paper = table.paper
    page = [f"# {table.id}: {table.title}", "", f"{paper.title} ({paper.authors}, {paper.reference}).", ""]
    if table.draw and figures.is_drawn(findings):
        page += _picture(table)
    for group in groups(table, findings):
        if group.heading:
            page += [f"## {group.heading}", "", group.about, ""]
        page += [*markdown_grid(table, group), "", _below(group), ""]
    page += _also_published(findings)
    page += _not_measured(table, findings)
    page += _notes(table, lines)
    return "\n".join(page)


def _below(group: Group) -> str:
    parts = [legend(group.findings), also_legend(group.findings), "" if group.heading else HOW_TO_READ]
    return " ".join(filter(None, parts))


def markdown_grid(table: Table, group: Group) -> list[str]:
    """The lines of one group's grid. A cell has its value above what the paper printed and the verdict."""
    by_place = {(f.cell.row, f.cell.column): f for f in group.findings}
    units = column_units(group)

    def text(row: str, column: str) -> str:
        f = by_place.get((row, column))
        return "<br>".join(map(_escaped, cell_text(f, units[column]).lines)) if f else "–"

    rows = [[_escaped(row_label(table, group, row)), *(text(row, c) for c in group.titles)] for row in group.rows]
    return [
        f"| | {' | '.join(map(_escaped, column_heads(group)))} |",
        "|" + " --- |" * (len(group.titles) + 1),
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _escaped(text: str) -> str:
    return text.replace("|", "/").replace("*", "\\*").replace("<", "&lt;")


def _picture(table: Table) -> list[str]:
    picture = f"../figures/{table.id}"
    return [
        f"![{table.title}]({picture}.png)",
        "",
        f"[SVG]({picture}.svg) · [PDF]({picture}.pdf) · [data]({picture}.csv)",
        "",
    ]


def _notes(table: Table, lines: Iterable[Line]) -> list[str]:
    if not table.notes:
        return []
    text = notes.markdown(table, Index.of(lines))
    return ["<details>", "<summary>Research notes</summary>", "", text, "", "</details>", ""]


def _also_published(findings: list[Finding]) -> list[str]:
    """What other papers print for cells of the table, and how their recipes differ."""
    values = [value for f in findings for value in f.also_published]
    if not values:
        return []
    lines = [
        f"- {_escaped(value.row)}, {_escaped(value.column)}: {value.value} ({value.paper.id}): {_escaped(value.note)}"
        for value in values
    ]
    return ["## Printed by other papers", "", *lines, ""]


def _not_measured(table: Table, findings: list[Finding]) -> list[str]:
    reasons = Counter(_reason(table, f) for f in findings if f.status != "measured")
    if not reasons:
        return []
    lines = [f"- {n} cell{'s' if n > 1 else ''} {reason}" for reason, n in reasons.items()]
    return ["## Not measured", "", *lines, ""]


def _reason(table: Table, f: Finding) -> str:
    """Why a cell has no value; the CSV says more of it."""
    cell = f.cell
    if f.status == "data missing" and cell.task:
        return f"without data: {SOURCES[cell.task.data].title} is not here (`python -m bench data status`)"
    if f.status == "ready to run" and cell.task:
        if cell.fact:
            return "ready to compute: `python -m bench facts`"
        budget = "laptop" if "laptop" in cell.task.budgets else "paper"
        return f"ready to run: `python -m bench run {table.id} --budget {budget}`"
    return f"{f.status}: {f.note}" if f.note else f.status
