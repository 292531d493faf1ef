"""``run``: train and measure what is missing. ``python -m bench`` finds this command through its entry point."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from bench import paths
from bench import plan as planning
from bench.commands.selection import expanded, selected, selection
from bench.commands.tables import summary
from bench.errors import BenchError
from bench.ledger import store
from bench.papers.registry import TABLES
from bench.report import facts as stating
from bench.report import render as rendering
from bench.report.findings import find_results
from bench.report.markdown import markdown_grid
from sweeps import table as sweep


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
            "--set",
            "overrides",
            multiple=True,
            metavar="NAME=VALUE",
            help="Change a setting: exploratory, never enters a table.",
        ),
        click.option(
            "--available", is_flag=True, help="Ask only for what can run here: missing data is said, and no failure."
        ),
        click.option("--profile", is_flag=True, help="Print where the time of each experiment went."),
    ):
        command = option(command)
    return command


@click.command()
@training
@click.option(
    "--threads", default=1, show_default=True, help="Threads of each process; results depend on it in the last digits."
)
def run(**options: Any) -> None:
    """Train and measure what is missing of TABLES, then render them. Exit code 0 only if all that was asked for
    finished.
    """
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
    for name, number in (
        ("workers", cores if workers is None else workers),
        ("threads", 1 if threads is None else threads),
    ):
        if number < 1:
            raise BenchError(f"{name} must be at least 1, got {number}")
    workers = workers or max(1, cores // (threads or 1))
    threads = threads or max(1, cores // workers)
    if workers * threads > cores:
        click.echo(
            f"warning: {workers} workers x {threads} threads on {cores} cores will be slower than fewer", err=True
        )
    tables = expanded(tables)
    chosen = selected(tables, rows, columns, measures)
    changed = tuple(sorted(_override(text) for text in overrides))
    official = not changed and budget != "smoke"
    if not official:
        paths.use_exploratory_ledger()

    def replan() -> planning.Plan:
        return planning.make(chosen, budget, seeds, store.read(), changed)

    sweep.collect(**where)
    made = replan()
    click.echo(summary(made, store.read(), workers), err=True)
    if changed and made.jobs:
        from bench.training import run as training  # loads torch

        training.check(job.experiment for job in made.jobs)
    if made.no_data:
        _record_missing(made)
    outcome = sweep.run(replan, workers, threads, **where) if made.jobs else sweep.Outcome()
    left = replan()
    if official:
        if stating.incomplete(cell for _, cell in chosen):
            from bench.report import census  # loads torch

            census.update(fresh=False)
        store.sort()
        rendering.render((TABLES[name] for name in dict.fromkeys(tables)), store.read())
        folder = paths.results() / "tables"
        click.echo("\n".join(f"rendered {folder / name}.{{csv,md,tex}}" for name in dict.fromkeys(tables)), err=True)
        for name in dict.fromkeys(tables):
            if (picture := paths.results() / "figures" / f"{name}.png").exists():
                click.echo(f"drawn {picture} (and .svg, .csv: the data in it)", err=True)
        for name in dict.fromkeys(tables):
            click.echo("\n".join(markdown_grid(TABLES[name], find_results(TABLES[name], store.read()))))
    if profile:
        _profile(outcome.profiles)
    for identity, reason in outcome.failed.items():
        click.echo(f"not finished: {identity} {reason}", err=True)
    if outcome.stopped:
        click.echo(
            f"stopped by {outcome.stopped}; the same command goes on from each experiment's last epoch", err=True
        )
        sys.exit(75)
    if left.jobs or (left.no_data and not available):
        sys.exit(1)


def _record_missing(made: planning.Plan) -> None:
    """One line an experiment says that its data was not there, so that the table can say so too."""
    from bench.ledger.new_lines import new_lines

    known = {(line.experiment, line.measure) for line in store.read()}
    lines = [
        line
        for job in made.no_data
        for line in new_lines(
            job.experiment, job.measures, "data missing", f"{job.experiment.config['data']} is not in BENCH_DATA"
        )
    ]
    store.append(line for line in lines if (line.experiment, line.measure) not in known)


def _profile(profiles: list[dict[str, Any]]) -> None:
    names = ("total", "steps", "data", "evaluation", "checkpoints", "before_first_step", "outside")
    click.echo("experiment   " + " ".join(f"{name.replace('_', ' '):>17}" for name in names))
    for row in profiles:
        values = [f"{100 * row[n]:15.1f} %" if n == "outside" else f"{row[n]:15.2f} s" for n in names]
        click.echo(f"{row['experiment']:12} " + " ".join(values))
    click.echo("outside = neither a training step with its batch nor evaluation: set-up, logging, checkpoints")
