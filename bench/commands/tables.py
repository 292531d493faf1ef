"""``list``, ``show`` and ``plan``: what is declared, what is measured, what is missing. No torch."""

from __future__ import annotations

from typing import Any

import click

from bench import paths
from bench import plan as planning
from bench.commands.base import as_json, print_json
from bench.commands.selection import expanded, selected, selection
from bench.errors import BenchError
from bench.ledger import store
from bench.papers.registry import TABLES
from bench.report.findings import coverage, find_results
from bench.report.markdown import to_markdown
from bench.spec.table import Table
from bench.spec.task import BUDGETS


@click.command("list")
@as_json
def list_tables(as_json: bool) -> None:
    """All tables and figures of both papers and how much of each is measured."""
    lines = store.read()
    rows: list[dict[str, Any]] = []
    for table in TABLES.values():
        counts = coverage(find_results(table, lines))
        runnable = sum(c.runnable for c in table.cells)
        rows.append(
            {"table": table.id, "title": table.title, "cells": len(table.cells), "runnable": runnable, **counts}
        )
    if as_json:
        return print_json(rows)
    click.echo(f"{'table':12} {'cells':>5} {'measured':>8} {'ready':>6} {'no data':>7} {'nothing':>7}  title")
    for row in rows:
        nothing = row.get("not reported", 0) + row.get("not applicable", 0)
        numbers = (
            f"{row.get('measured', 0):8} {row.get('ready to run', 0):6} {row.get('data missing', 0):7} {nothing:7}"
        )
        click.echo(f"{row['table']:12} {row['cells']:5} {numbers}  {row['title']}")
    total = sum(row["cells"] for row in rows)
    measured = sum(row.get("measured", 0) for row in rows)
    click.echo(
        f"{measured} of {total} cells measured or computed; ready: a command runs it; nothing: not reported or not"
        " applicable",
        err=True,
    )


@click.command()
@click.argument("table")
@click.argument("row", required=False)
@click.argument("column", required=False)
@click.option("--budget", default="paper", show_default=True, help=f"One of {', '.join(BUDGETS)}.")
@as_json
def show(table: str, row: str | None, column: str | None, budget: str, as_json: bool) -> None:
    """A table as it stands, or the resolved recipe of one cell (TABLE ROW COLUMN) and where each value comes from."""
    found = planning.find_table(table)
    if row is None:
        return _show_table(found, as_json)
    cells = planning.select(found, [row], [column] if column else [])
    if len(cells) > 1:
        raise BenchError(f"name the column too: {', '.join(c.column for c in cells)}")
    cell = cells[0]
    if cell.task is None or cell.model is None:
        raise BenchError(f"{found.id} / {cell.row} / {cell.column} has no recipe: {cell.note}")
    experiment = planning.experiments(cell, budget, 1)[0]
    if as_json:
        return print_json(
            {"experiment": experiment.id, "budget": budget, "config": experiment.config, "sources": experiment.sources}
        )
    click.echo(f"{experiment}  (experiment {experiment.id}; {experiment.versions})")
    for name, value in experiment.config.items():
        source = experiment.sources[name]
        click.echo(f"  {name:14} {value}\n{'':17}{source}" if source else f"  {name:14} {value}")


def _show_table(table: Table, as_json: bool) -> None:
    found = find_results(table, store.read())
    if as_json:
        fields = ("status", "text", "value", "low", "high", "n", "budget", "protocol", "verdict", "note")
        return print_json(
            [
                {"row": f.cell.row, "column": f.cell.column, "published": f.cell.published}
                | {k: getattr(f, k) for k in fields}
                for f in found
            ]
        )
    click.echo(to_markdown(table, found))


@click.command()
@selection
@as_json
def plan(
    tables: tuple[str, ...],
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    measures: tuple[str, ...],
    budget: str,
    seeds: int,
    as_json: bool,
) -> None:
    """What is still missing of TABLES: declared minus finished."""
    if budget == "smoke":
        paths.use_exploratory_ledger()
    tables = expanded(tables)
    chosen = selected(tables, rows, columns, measures)
    lines = store.read()
    made = planning.make(chosen, budget, seeds, lines)
    if not as_json:
        return click.echo(summary(made, lines, workers=1))
    jobs = [
        {
            "experiment": j.experiment.id,
            "name": str(j.experiment),
            "measures": [m.name for m in j.measures],
            "weights_elsewhere": j.weights_elsewhere,
        }
        for j in made.jobs
    ]
    absent = [
        {"experiment": j.experiment.id, "name": str(j.experiment), "data": j.experiment.config["data"]}
        for j in made.no_data
    ]
    waiting = [{"table": name, "row": c.row, "column": c.column, "note": c.note} for name, c in made.waiting]
    print_json({"cells": made.cells, "done": made.done, "jobs": jobs, "no_data": absent, "waiting": waiting})


def summary(made: planning.Plan, lines: list[store.Line], workers: int) -> str:
    known = [planning.expected_seconds(job, lines) for job in made.jobs]
    text = [f"{made.done} of {made.cells} cells that can run are done, {len(made.jobs)} experiments to run"]
    if made.jobs and all(known):
        text[0] += (
            f", about {planning.clock(sum(s for s in known if s) / workers)} with {workers}"
            f" worker{'s' if workers > 1 else ''}"
        )
    elif made.jobs:
        text[0] += ", expected time not known yet for all of them"
    for job in made.jobs:
        needs = (
            f"  needs weights {job.weights_elsewhere[:12]} of experiments/{job.experiment.id}"
            if job.weights_elsewhere
            else ""
        )
        text.append(f"  {job.experiment}  [{', '.join(m.name for m in job.measures)}]{needs}")
    if away := sum(bool(job.weights_elsewhere) for job in made.jobs):
        text.append(
            f"{away} of them are trained already, but their weights (named by sha256) are not in {paths.home()}: copy"
            " these folders from the home that has them, or they are trained again"
        )
    for name in dict.fromkeys(j.experiment.config["data"] for j in made.no_data):
        count = sum(j.experiment.config["data"] == name for j in made.no_data)
        text.append(f"data missing: {name} ({count} experiments left out): python -m bench data status")
    for note in dict.fromkeys(c.note for _, c in made.waiting):
        text.append(f"left out, {sum(c.note == note for _, c in made.waiting)} cells: {note}")
    return "\n".join(text)
