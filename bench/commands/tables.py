"""``list``, ``show`` and ``plan``: what is declared, what is measured, what is missing. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import click

from bench import paths
from bench import plan as planning
from bench.commands.base import as_json, print_json
from bench.commands.selection import expanded, results_option, selected, selection
from bench.errors import BenchError, unknown
from bench.ledger import store
from bench.ledger.index import Index
from bench.measures import MEASURES
from bench.papers.registry import MODELS, PAPERS, TABLES, TASKS, also_published
from bench.report import counts
from bench.report.findings import coverage, find_results
from bench.report.markdown import to_markdown
from bench.spec.table import Table
from bench.spec.task import BUDGETS
from datamodules import sources

KINDS: dict[str, Mapping[str, Any]] = {"models": MODELS, "tasks": TASKS, "measures": MEASURES, "papers": PAPERS}


@click.command("list")
@click.argument("kind", default="tables")
@results_option
@as_json
def list_tables(kind: str, as_json: bool) -> None:
    """All tables and figures and how much of each is measured; or, by KIND, the models, tasks, measures or papers."""
    if kind != "tables":
        return _list_names(kind, as_json)
    index = Index(store.read())
    rows = [_counts(table, index) for table in TABLES.values()]
    if as_json:
        return print_json(rows)
    sums = {name: sum(row["numbers"][name] for row in rows) for name in counts.NAMES}
    for row in [{"table": "table", "numbers": LISTED, "title": "title"}, *rows]:
        click.echo(_listed(row["table"], row["numbers"], row["title"]))
    click.echo(_listed("sum", sums, ""))
    click.echo(
        f"{sums['published']} published numbers: {sums['at_paper_budget']} are measured at the paper's"
        f" budget ({sums['reproduced']} reproduced), {sums['reduced']} at a reduced budget, {sums['no_data']} lack"
        f" their data (python -m bench data status), {sums['not_run']} are not run; beside: stand-ins, subsets and"
        " measures of this suite",
        err=True,
    )


LISTED = {  # heads of the columns
    "published": "published",
    "at_paper_budget": "paper budget",
    "reduced": "reduced",
    "no_data": "no data",
    "not_run": "not run",
    "beside": "beside",
    "computed": "computed",
}


def _listed(table: str, numbers: Mapping[str, Any], title: str) -> str:
    cells = (f"{numbers[name] or '':>{len(head)}}" for name, head in LISTED.items())
    return f"{table:12} {'  '.join(cells)}  {title}".rstrip()


def _counts(table: Table, index: Index) -> dict[str, Any]:
    """Cells of a table by status, as things are at this moment, and its published numbers by verdict."""
    states = coverage(table, index, live=True)
    runnable = sum(cell.runnable for cell in table.cells)
    of_table = counts.of(table, index, live=True)
    numbers = {name: getattr(of_table, name) for name in counts.NAMES}
    return {"table": table.id, "title": table.title, "cells": len(table.cells), "runnable": runnable} | {
        **states,
        "numbers": numbers,
    }


def _list_names(kind: str, as_json: bool) -> None:
    if kind not in KINDS:
        raise unknown("kind of list", kind, ("tables", *KINDS))
    rows = [{"name": name, "title": value.title} for name, value in KINDS[kind].items()]
    if as_json:
        return print_json(rows)
    for row in rows:
        click.echo(f"{row['name']:32} {row['title']}")


@click.command()
@click.argument("table")
@click.argument("row", required=False)
@click.argument("column", required=False)
@click.option("--budget", default="paper", show_default=True, help=f"One of {', '.join(BUDGETS)}.")
@results_option
@as_json
def show(table: str, row: str | None, column: str | None, budget: str, as_json: bool) -> None:
    """A table as it stands, or the resolved recipe of one cell (TABLE ROW COLUMN) and where each value comes from."""
    named = planning.find_table(table)
    if row is None:
        return _show_table(named, as_json)
    cells = [cell for _, cell in selected([table], [row], [column] if column else [], [])]
    if len(cells) > 1:
        raise BenchError(f"name the column too: {', '.join(c.column for c in cells)}")
    cell = cells[0]
    if cell.task is None or cell.model is None:
        raise BenchError(f"{named.id} / {cell.row} / {cell.column} has no recipe: {cell.note}")
    experiment = planning.experiments(cell, budget, 1)[0]
    if as_json:
        fields = {name: getattr(experiment, name) for name in ("config", "sources", "departs")}
        others = [{"paper": v.paper.id, "value": v.value, "note": v.note} for v in also_published(named, cell)]
        return print_json({"experiment": experiment.id, "budget": budget, **fields, "also_published": others})
    click.echo(f"{experiment}  (experiment {experiment.id}; {experiment.versions})")
    if experiment.departs:
        click.echo(f"  departs from the paper: {experiment.departs}")
    for other in also_published(named, cell):
        click.echo(f"  {other.paper.id} prints {other.value} for this cell: {other.note}")
    for name, value in experiment.config.items():
        source = experiment.sources[name]
        click.echo(f"  {name:14} {value}\n{'':17}{source}" if source else f"  {name:14} {value}")


def _show_table(table: Table, as_json: bool) -> None:
    index = Index(store.read())
    findings = find_results(table, index, live=True)
    if as_json:
        fields = ("status", "text", "value", "low", "high", "n", "epochs", "budget", "protocol", "verdict")
        more = ("parted", "date", "commit", "note")
        return print_json(
            [
                {"row": f.cell.row, "column": f.cell.column, "published": f.cell.published}
                | {k: getattr(f, k) for k in (*fields, *more)}
                | {"also_published": {v.paper.id: v.value for v in f.also_published}}
                for f in findings
            ]
        )
    click.echo(to_markdown(table, findings, index).replace("<br>", " "))  # lines of a cell, for a terminal


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
    chosen = selected(expanded(tables), rows, columns, measures)
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


def summary(made: planning.Plan, lines: Iterable[store.Line], workers: int) -> str:
    """A plan for people: how much is done, what is left with its expected time, and what cannot run and why."""
    times = planning.expected_times(lines)
    known = [times.job(job) for job in made.jobs]
    text = [f"{made.done} of {made.cells} cells that can run are done, {len(made.jobs)} experiments to run"]
    if made.jobs and all(known):
        total = planning.clock(sum(s for s in known if s) / workers)
        text[0] += f", about {total} with {workers} worker{'s' if workers > 1 else ''}"
    elif made.jobs:
        text[0] += ", expected time not known yet for all of them"
    elif made.done and paths.results() == paths.COMMITTED:
        text[0] += (
            "; they were measured before and come with the suite (python -m bench show TABLE). To train them again on"
            " this machine, name a folder for the new results: --results DIR"
        )
    for job in made.jobs:
        text.append(f"  {job.experiment}  [{', '.join(m.name for m in job.measures)}]{_needs(job)}")
    if away := sum(bool(job.weights_elsewhere) for job in made.jobs):
        text.append(
            f"{away} of them are trained already, but their weights (named by sha256) are not in {paths.home()}: copy"
            " these folders from the home that has them, or they are trained again"
        )
    for note in dict.fromkeys(c.note for _, c in made.waiting):
        text.append(f"left out, {sum(c.note == note for _, c in made.waiting)} cells: {note}")
    return "\n".join([*text, *missing_data(made)])


def _needs(job: planning.Job) -> str:
    if not job.weights_elsewhere:
        return ""
    return f"  needs weights {job.weights_elsewhere[:12]} of experiments/{job.experiment.id}"


def missing_data(made: planning.Plan) -> list[str]:
    """One line for each data set that what is planned lacks: how many experiments wait for it, and what to do."""
    lines = []
    counts = Counter(job.experiment.config["data"] for job in made.no_data)
    for name, count in counts.items():
        status = sources.status(name)
        damaged = [text for text in status["problems"] if not text.startswith("missing: ")]
        state = f"damaged: {name}" if damaged else f"data missing: {name}"
        reason = f" ({damaged[0]})" if damaged else ""
        advice = f"python -m bench data fetch {name}, or python -m bench data status for where it belongs"
        advice = status["nearby"] or advice
        lines.append(f"{state}{reason}, {count} experiments left out: {advice}")
    return lines
