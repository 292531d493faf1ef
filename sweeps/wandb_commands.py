"""``python -m sweeps wandb``: W&B sweeps of tables and searches."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from bench import paths
from bench.commands.base import Commands
from bench.commands.selection import expanded
from bench.errors import BenchError, unknown
from bench.ledger import store
from bench.papers.registry import MODELS, TABLES, TASKS
from bench.plan import find_table
from bench.spec.task import BUDGETS
from bench.training import wandb_mode
from sweeps import wandb_sweeps

MOST_ARGUMENTS = 500  # runs that one call of wandb gets: a system limits the length of a command


@click.group(cls=Commands)
def wandb() -> None:
    """W&B sweeps of tables and searches, and uploading what was tracked offline."""


@wandb.command()
@click.argument("table", required=False)
@click.option("--row", "rows", multiple=True, help="Only this row of TABLE; repeatable.")
@click.option("--column", "columns", multiple=True, help="Only this column of TABLE; repeatable.")
@click.option("--budget", help="Budget of each training. [default: paper]")
@click.option("--seeds", type=int, help="Number of seeds: 0, 1, … [default: 3]")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, not to the terminal.")
@click.option("--all", "every", is_flag=True, help="Also cells whose data is not on this host.")
@click.option("--check", is_flag=True, help="Write nothing; fail where a file is not what the declarations give.")
def write(
    table: str | None,
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    budget: str | None,
    seeds: int | None,
    out: Path | None,
    every: bool,
    check: bool,
) -> None:
    """Write the sweep of TABLE, or of a part of it. Without TABLE: sweeps/wandb/TABLE.yaml for every table."""
    if table is None:
        if rows or columns or budget or seeds or out or every:
            raise BenchError("name a table: the files in sweeps/wandb have all cells and take no options")
        return _write_all(check)
    if check:
        raise BenchError("--check takes no table: it compares the files in sweeps/wandb")
    selection = wandb_sweeps.Selection(
        find_table(table), rows, columns, budget or "paper", 3 if seeds is None else seeds
    )
    text = selection.yaml(every)
    if not every and (absent := selection.without_data()):
        click.echo(f"left out, data missing: {', '.join(absent)}; --all writes their cells too", err=True)
    if out is None:
        return click.echo(text, nl=False)
    store.write(out, text)
    click.echo(f"written to {out}; next: wandb sweep {out}", err=True)


def _write_all(check: bool) -> None:
    """Write the committed files, or ``check`` them."""
    if check and (differing := wandb_sweeps.differing()):
        raise BenchError(f"not what the tables declare: {', '.join(differing)}; run: python -m sweeps wandb write")
    if not check:
        click.echo(f"{wandb_sweeps.write()} sweeps in {wandb_sweeps.folder()}", err=True)


@wandb.command("space")
@click.argument("task")
@click.argument("model")
@click.option("--budget", default="laptop", show_default=True)
def wandb_space(task: str, model: str, budget: str) -> None:
    """Print the sweep that searches MODEL's neuron on TASK."""
    for kind, name, known in (("task", task, TASKS), ("model", model, MODELS)):
        if name not in known:
            raise unknown(kind, name, known, f"python -m bench list {kind}s")
    click.echo(wandb_sweeps.search_yaml(task, model, budget), nl=False)


@wandb.command("run")
@click.option("--table", "table_id", required=True)
@click.option("--cell", required=True, help="task/model")
@click.option("--seed", type=int, required=True)
@click.option("--budget", required=True)
@click.option("--threads", default=1, show_default=True)
def wandb_run(table_id: str, cell: str, seed: int, budget: str, threads: int) -> None:
    """Run one experiment of a table's sweep into the ledger: W&B agents call this."""
    job = wandb_sweeps.job(table_id, cell, seed, budget)
    if budget == "smoke":
        paths.use_exploratory_ledger()
    lines = wandb_sweeps.run(job, threads)
    click.echo(
        "\n".join(f"{line.experiment} {line.measure} {line.protocol}: {line.status} {line.value}" for line in lines)
    )
    sys.exit(int(any(line.status not in ("ok", "not applicable") for line in lines)))  # W&B takes no bool


@wandb.command("trial", context_settings={"ignore_unknown_options": True})
@click.option("--task", required=True)
@click.option("--model", required=True)
@click.option("--budget", required=True)
@click.argument("settings", nargs=-1, type=click.UNPROCESSED)
def wandb_trial(task: str, model: str, budget: str, settings: tuple[str, ...]) -> None:
    """Run one training of a search, with --NAME=VALUE for the neuron and no ledger line: W&B agents call this."""
    from bench.measures import ACCURACY
    from bench.training import run as training
    from sweeps.search_space import Subject, experiment

    subject = Subject.of(task, model, budget)
    values = {}
    for text in settings:
        name, mark, value = text.removeprefix("--").partition("=")
        if not mark or name not in subject.space:
            raise BenchError(f"{text!r} is not --NAME=VALUE of one of {', '.join(subject.space)}")
        values[name] = wandb_sweeps.setting(name, value, subject.space[name])
    chosen = experiment(subject.task, subject.model, budget, values)
    lines, _ = training.run(chosen, (ACCURACY,), 1, kind="search")
    click.echo(f"{chosen.id}: {lines[0].status} {lines[0].error}")
    sys.exit(int(lines[0].status != "ok"))  # W&B takes no bool


@wandb.command("sync")
def wandb_sync() -> None:
    """Upload offline runs, each once: what was uploaded before is left out."""
    runs = wandb_sweeps.offline()
    if not runs:
        return click.echo("nothing to upload", err=True)
    command = [str(Path(sys.executable).parent / "wandb"), "sync", "--yes"]
    parts = (runs[i : i + MOST_ARGUMENTS] for i in range(0, len(runs), MOST_ARGUMENTS))
    environment = {"WANDB_DIR": str(paths.home() / "wandb"), **os.environ}  # for wandb's own logs
    codes = [subprocess.run([*command, *map(str, part)], env=environment).returncode for part in parts]
    sys.exit(max(codes, key=abs))


@wandb.command("workspace")
@click.argument("tables", nargs=-1)
@click.option("--budget", default="", help="Of runs at this budget. [default: all but smoke]")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the definition to this file only.")
def wandb_workspace(tables: tuple[str, ...], budget: str, out: Path | None) -> None:
    """Make a saved view of the project: TABLES (all without names) measured and published, learning curves, energy and
    robustness, with the seeds of a model as one group.
    """
    from sweeps import wandb_workspace as workspace

    if budget and budget not in BUDGETS:
        raise unknown("budget", budget, BUDGETS)
    chosen = [find_table(name) for name in expanded(tables)] or list(TABLES.values())
    if out is not None:
        store.write(out, workspace.definition(chosen, budget))
        return click.echo(f"written to {out}", err=True)
    click.echo(workspace.save(chosen, budget), err=True)


@wandb.command("push")
def wandb_push() -> None:
    """Upload results as a new version of the artifact "results", with its tables and figures in a run of job type
    "results".
    """
    from sweeps import wandb_results

    click.echo(wandb_mode.settle(), err=True)
    click.echo(wandb_results.push(), err=True)
