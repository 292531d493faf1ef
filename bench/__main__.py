"""The command line: ``python -m bench``. Nothing here loads torch: training is done by worker processes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from bench import facts as stating
from bench import ledger, paths
from bench import plan as planning
from bench import render as rendering
from bench.commands import Commands, as_json, print_json
from bench.data_commands import data
from bench.errors import BenchError, unknown
from bench.experiment import BUDGETS
from bench.measures import MEASURES
from bench.table import PAPERS, Cell, Table
from bench.tables import TABLES


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Regenerates the tables and figures of two papers on spiking sequence models, measured beside published."""


def selection(command: Callable) -> Callable:
    """The options that choose cells and how they are trained."""
    for option in (
        click.argument("tables", nargs=-1, required=True),
        click.option("--row", "rows", multiple=True, help="Only this row; repeatable."),
        click.option("--column", "columns", multiple=True, help="Only this column; repeatable."),
        click.option("--measure", "measures", multiple=True, help="Only this measure; repeatable."),
        click.option("--budget", default="laptop", show_default=True, help=f"One of {', '.join(BUDGETS)}."),
        click.option("--seeds", default=1, show_default=True, help="Number of seeds: 0, 1, …"),
    ):
        command = option(command)
    return command


def _expanded(names: Iterable[str]) -> tuple[str, ...]:
    """Table names, with a paper's name standing for all of its tables and figures."""
    return tuple(t for name in names for t in ([t.id for t in TABLES.values() if t.paper.id == name] or [name]))


def _selected(tables: Iterable[str], rows: Iterable[str], columns: Iterable[str], measures: Iterable[str]) -> list[tuple[str, Cell]]:
    for name in measures:
        if name not in MEASURES:
            raise unknown("measure", name, MEASURES)
    chosen = [(name, cell) for name in tables for cell in planning.select(planning.find_table(name), rows, columns)]
    return [(name, c) for name, c in chosen if not measures or (c.measure and c.measure.name in measures)]


@cli.command("list")
@as_json
def list_tables(as_json: bool) -> None:
    """All tables and figures of both papers and how much of each is measured."""
    lines = ledger.read()
    rows: list[dict[str, Any]] = []
    for table in TABLES.values():
        counts = rendering.coverage(rendering.findings(table, lines))
        runnable = sum(c.runnable for c in table.cells)
        rows.append({"table": table.id, "title": table.title, "cells": len(table.cells), "runnable": runnable, **counts})
    if as_json:
        return print_json(rows)
    click.echo(f"{'table':12} {'cells':>5} {'measured':>8} {'ready':>6} {'no data':>7} {'nothing':>7}  title")
    for row in rows:
        nothing = row.get("not reported", 0) + row.get("not applicable", 0)
        numbers = f"{row.get('measured', 0):8} {row.get('ready to run', 0):6} {row.get('data missing', 0):7} {nothing:7}"
        click.echo(f"{row['table']:12} {row['cells']:5} {numbers}  {row['title']}")
    total = sum(row["cells"] for row in rows)
    measured = sum(row.get("measured", 0) for row in rows)
    click.echo(
        f"{measured} of {total} cells measured or computed; ready: a command runs it; nothing: not reported or not applicable", err=True
    )


@cli.command()
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
        return print_json({"experiment": experiment.id, "budget": budget, "config": experiment.config, "sources": experiment.sources})
    click.echo(f"{experiment}  (experiment {experiment.id}; {experiment.versions})")
    for name, value in experiment.config.items():
        source = experiment.sources[name]
        click.echo(f"  {name:14} {value}\n{'':17}{source}" if source else f"  {name:14} {value}")


def _show_table(table: Table, as_json: bool) -> None:
    found = rendering.findings(table, ledger.read())
    if as_json:
        fields = ("status", "text", "value", "low", "high", "n", "budget", "protocol", "verdict", "note")
        return print_json(
            [
                {"row": f.cell.row, "column": f.cell.column, "published": f.cell.published} | {k: getattr(f, k) for k in fields}
                for f in found
            ]
        )
    click.echo(rendering.to_markdown(table, found))


@cli.command()
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
        paths.aside()
    tables = _expanded(tables)
    chosen = _selected(tables, rows, columns, measures)
    lines = ledger.read()
    made = planning.make(chosen, budget, seeds, lines)
    if not as_json:
        return click.echo(_summary(made, lines, workers=1))
    jobs = [
        {"experiment": j.experiment.id, "name": str(j.experiment), "measures": [m.name for m in j.measures], "elsewhere": j.elsewhere}
        for j in made.jobs
    ]
    absent = [{"experiment": j.experiment.id, "name": str(j.experiment), "data": j.experiment.config["data"]} for j in made.no_data]
    waiting = [{"table": name, "row": c.row, "column": c.column, "note": c.note} for name, c in made.waiting]
    print_json({"cells": made.cells, "done": made.done, "jobs": jobs, "no_data": absent, "waiting": waiting})


def _summary(made: planning.Plan, lines: list[ledger.Line], workers: int) -> str:
    from sweeps.progress import clock

    known = [planning.expected_seconds(job, lines) for job in made.jobs]
    text = [f"{made.done} of {made.cells} cells that can run are done, {len(made.jobs)} experiments to run"]
    if made.jobs and all(known):
        text[0] += f", about {clock(sum(s for s in known if s) / workers)} with {workers} worker{'s' if workers > 1 else ''}"
    elif made.jobs:
        text[0] += ", expected time not known yet for all of them"
    for job in made.jobs:
        needs = f"  needs weights {job.elsewhere[:12]} of experiments/{job.experiment.id}" if job.elsewhere else ""
        text.append(f"  {job.experiment}  [{', '.join(m.name for m in job.measures)}]{needs}")
    if away := sum(bool(job.elsewhere) for job in made.jobs):
        text.append(
            f"{away} of them are trained already, but their weights (named by sha256) are not in {paths.home()}: copy these folders from "
            "the home that has them, or they are trained again"
        )
    for name in dict.fromkeys(j.experiment.config["data"] for j in made.no_data):
        count = sum(j.experiment.config["data"] == name for j in made.no_data)
        text.append(f"data missing: {name} ({count} experiments left out): python -m bench data status")
    for note in dict.fromkeys(c.note for _, c in made.waiting):
        text.append(f"left out, {sum(c.note == note for _, c in made.waiting)} cells: {note}")
    return "\n".join(text)


def _override(text: str) -> tuple[str, Any]:
    key, mark, value = text.partition("=")
    if not mark:
        raise BenchError(f"--set takes name=value, got {text!r}")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def training(command: Callable) -> Callable:
    """The options of a command that trains what is missing."""
    for option in (
        selection,
        click.option("--workers", type=int, help="Processes. [default: number of cores, at most one an experiment]"),
        click.option(
            "--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Change a setting: exploratory, never enters a table."
        ),
        click.option("--available", is_flag=True, help="Ask only for what can run here: missing data is said, and no failure."),
        click.option("--profile", is_flag=True, help="Print where the time of each experiment went."),
    ):
        command = option(command)
    return command


@cli.command()
@training
@click.option("--threads", default=1, show_default=True, help="Threads of each process; results depend on it in the last digits.")
def run(**options: Any) -> None:
    """Train and measure what is missing of TABLES, then render them. Exit code 0 only if all that was asked for finished."""
    train(**options)


def train(
    tables: tuple[str, ...],
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    measures: tuple[str, ...],
    budget: str,
    seeds: int,
    workers: int | None,
    threads: int | None,
    overrides: tuple[str, ...],
    available: bool,
    profile: bool,
    **where: Any,
) -> None:
    """What ``run`` does; ``threads=None`` is cores / workers, ``where`` goes on to ``sweeps.table.run``."""
    cores = os.cpu_count() or 1
    for name, number in (("workers", cores if workers is None else workers), ("threads", 1 if threads is None else threads)):
        if number < 1:
            raise BenchError(f"{name} must be at least 1, got {number}")
    workers = workers or max(1, cores // (threads or 1))
    threads = threads or max(1, cores // workers)
    if workers * threads > cores:
        click.echo(f"warning: {workers} workers x {threads} threads on {cores} cores will be slower than fewer", err=True)
    tables = _expanded(tables)
    chosen = _selected(tables, rows, columns, measures)
    changed = tuple(sorted(_override(text) for text in overrides))
    official = not changed and budget != "smoke"
    if not official:
        paths.aside()

    def replan() -> planning.Plan:
        return planning.make(chosen, budget, seeds, ledger.read(), changed)

    from sweeps import table as sweep

    sweep.collect(**where)
    made = replan()
    click.echo(_summary(made, ledger.read(), workers), err=True)
    if changed and made.jobs:
        from bench import run as training  # loads torch

        training.check(job.experiment for job in made.jobs)
    if made.no_data:
        _record_missing(made)
    outcome = sweep.run(replan, workers, threads, **where) if made.jobs else sweep.Outcome()
    left = replan()
    if official:
        if stating.lacking(cell for _, cell in chosen):
            from bench import census  # loads torch

            census.update(fresh=False)
        ledger.sort()
        rendering.render((TABLES[name] for name in dict.fromkeys(tables)), ledger.read())
        folder = paths.results() / "tables"
        click.echo("\n".join(f"rendered {folder / name}.{{csv,md,tex}}" for name in dict.fromkeys(tables)), err=True)
        for name in dict.fromkeys(tables):
            if (picture := paths.results() / "figures" / f"{name}.png").exists():
                click.echo(f"drawn {picture} (and .svg, .csv: the data in it)", err=True)
        for name in dict.fromkeys(tables):
            click.echo("\n".join(rendering.markdown_grid(TABLES[name], rendering.findings(TABLES[name], ledger.read()))))
    if profile:
        _profile(outcome.profiles)
    for identity, reason in outcome.failed.items():
        click.echo(f"not finished: {identity} {reason}", err=True)
    if outcome.stopped:
        click.echo(f"stopped by {outcome.stopped}; the same command goes on from each experiment's last epoch", err=True)
        sys.exit(75)
    if left.jobs or (left.no_data and not available):
        sys.exit(1)


def _record_missing(made: planning.Plan) -> None:
    """One line an experiment says that its data was not there, so that the table can say so too."""
    from bench.lines import lines as lines_of

    known = {(line.experiment, line.measure) for line in ledger.read()}
    lines = [
        line
        for job in made.no_data
        for line in lines_of(job.experiment, job.measures, "data missing", f"{job.experiment.config['data']} is not in BENCH_DATA")
    ]
    ledger.append(line for line in lines if (line.experiment, line.measure) not in known)


def _profile(profiles: list[dict[str, Any]]) -> None:
    names = ("total", "steps", "data", "evaluation", "checkpoints", "before_first_step", "outside")
    click.echo("experiment   " + " ".join(f"{name.replace('_', ' '):>17}" for name in names))
    for row in profiles:
        values = [f"{100 * row[n]:15.1f} %" if n == "outside" else f"{row[n]:15.2f} s" for n in names]
        click.echo(f"{row['experiment']:12} " + " ".join(values))
    click.echo("outside = neither a training step with its batch nor evaluation: set-up, logging, checkpoints")


@cli.command()
@click.argument("tables", nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing; fail if the files differ from what the ledger gives.")
def render(tables: tuple[str, ...], check: bool) -> None:
    """Write results/tables/, results/figures/ and results/README.md from the ledger (all where none is named)."""
    chosen = [planning.find_table(name) for name in tables] or list(TABLES.values())
    if check:
        differing = rendering.differing(chosen, ledger.read())
        if differing:
            raise BenchError("not what the ledger gives: " + ", ".join(map(str, differing)) + "; run: python -m bench render")
        return
    ledger.sort()
    rendering.render(chosen, ledger.read())
    click.echo(f"rendered {len(chosen)} tables and figures into {paths.results()}", err=True)


@cli.command()
@click.argument("other", type=click.Path(exists=True, file_okay=False))
@as_json
def compare(other: str, as_json: bool) -> None:
    """Values of this ledger beside those of another results folder OTHER, for experiments in both."""
    mine = {(line.experiment, line.measure, line.protocol): line for line in ledger.read() if line.status == "ok"}
    os.environ["BENCH_RESULTS"] = other
    rows: list[dict[str, Any]] = []
    for line in ledger.read():
        here = mine.get((line.experiment, line.measure, line.protocol))
        if here is None or line.status != "ok" or here.value is None or line.value is None:
            continue
        equal = here.checkpoint_sha256 == line.checkpoint_sha256
        name = f"{line.task}/{line.model}/{line.budget}/{line.seed} {line.measure} {line.protocol}"
        rows.append({"name": name, "here": here.value, "other": line.value, "difference": here.value - line.value, "weights_equal": equal})
    if as_json:
        return print_json(rows)
    for row in rows:
        weights = "equal weights" if row["weights_equal"] else "other weights"
        click.echo(f"{row['name']:60} {row['here']:9.3f} {row['other']:9.3f} {row['difference']:+8.3f}  {weights}")
    click.echo(f"{len(rows)} results in both", err=True)


@cli.command()
@click.argument("papers", nargs=-1)
@as_json
def claims(papers: tuple[str, ...], as_json: bool) -> None:
    """Whether what PAPERS claim holds (roles, celif; both where none is named): on their own numbers, real data, subsets, stand-ins."""
    from bench import claims as claiming
    from bench.claims import report

    for paper in papers:
        if paper not in PAPERS:
            raise unknown("paper", paper, PAPERS)
    judged = claiming.judgements(ledger.read(), papers or tuple(PAPERS))
    if as_json:
        found = [j for judgements in judged.values() for j in judgements]
        keys = ("data", "verdict", "budget", "text")
        about = ("id", "section", "sentence", "source")
        return print_json([{k: getattr(j.claim, k) for k in about} | {k: getattr(j, k) for k in keys} for j in found])
    for paper, judgements in judged.items():
        click.echo(report.plain(judgements))
        click.echo(f"{paper}: {report.counts(judgements)}", err=True)


@cli.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if facts.csv is not what the code and the data here give.")
@as_json
def facts(check: bool, as_json: bool) -> None:
    """Compute what tables say without training: parameter counts from the built networks, data sets from the files that are here."""
    from bench import census  # loads torch

    if check:
        if differing := census.differing():
            raise BenchError("results/facts.csv is out of date: " + "; ".join(differing) + "; run: python -m bench facts")
        return
    known = census.update()
    if as_json:
        return print_json([{"fact": q.fact, "of": q.of, "subject": q.subject, "value": value} for q, value in sorted(known.items())])
    for question, value in sorted(known.items()):
        click.echo(f"{question.fact:12} {question.of:18} {question.subject:40} {value}")


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def speed(arguments: tuple[str, ...]) -> None:
    """Time whole training steps beside the plain loop and other libraries, reading, and sweeping; `speed --help` for its options."""
    from bench import speed as measuring

    failed = measuring.main(list(arguments))
    if not {"-h", "--help"} & set(arguments):
        rendering.render([], ledger.read())
    sys.exit(failed)


cli.add_command(data)


if __name__ == "__main__":
    cli(prog_name="python -m bench")
