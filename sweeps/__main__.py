"""The command line: ``python -m sweeps``. Nothing here loads torch: training is done by worker processes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import click

from bench import paths
from bench.commands.base import Commands, as_json, print_json
from bench.errors import BenchError
from sweeps.commands import Request, train, training
from sweeps.scheduler import Options
from sweeps.study import EXPLORATORY


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Many experiments over processes and hosts: one queue, many workers, the ledger as the truth."""


def queue_options(command: Callable) -> Callable:
    """The options that name a queue."""
    for option in (
        click.option(
            "--storage",
            help=(
                "sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DB or journal:///FILE. [default: BENCH_STORAGE, else"
                " this home]"
            ),
        ),
        click.option(
            "--study", help="Name of the queue in the storage. [default: experiments; in this home one for each ledger]"
        ),
    ):
        command = option(command)
    return command


@cli.command()
@training
@queue_options
@click.option(
    "--threads",
    type=int,
    help="Threads of each process; results depend on it in the last digits. [default: cores / workers]",
)
@click.option("--limit", "limit_s", type=float, metavar="SECONDS", help="The most that one experiment may take.")
@click.option(
    "--detach",
    is_flag=True,
    help="Queue the experiments for workers of other hosts and come back at once; `collect` gets the results.",
)
@click.option("--slurm", is_flag=True, help="Workers are jobs of a Slurm array.")
@click.option(
    "--cluster",
    type=click.Choice(["slurm", "local"]),
    help="As --slurm; local: as processes of this host, to try it out.",
)
@click.option("--hours", default=4.0, show_default=True, help="Time of a Slurm job.")
@click.option(
    "--slurm-option",
    "slurm_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="partition=…, account=…, gpus_per_node=1, …",
)
def table(
    storage: str | None,
    study: str | None,
    limit_s: float | None,
    detach: bool,
    slurm: bool,
    cluster: str | None,
    hours: float,
    slurm_options: tuple[str, ...],
    **options: Any,
) -> None:
    """Train and measure what is missing of TABLES with workers of this host and others, then render them."""
    request = Request(**options)
    if storage and not study and request.exploratory:
        study = EXPLORATORY
    launch = None
    if slurm or cluster:
        from sweeps.slurm import launcher

        texts = dict(text.partition("=")[::2] for text in slurm_options)
        values = {name: int(value) if value.isdigit() else value for name, value in texts.items()}
        launch = launcher(cluster or "slurm", request.workers or 1, request.threads or 1, hours, values)
    train(request, Options(storage, study, limit_s, detach, launch))


@cli.command()
@queue_options
@click.option(
    "--workers", default=1, show_default=True, help="Processes; each has a GPU of its own where there are any."
)
@click.option("--threads", type=int, help="Threads of each process. [default: cores / workers]")
@click.option(
    "--linger", default=0.0, show_default=True, metavar="SECONDS", help="Wait this long for more when nothing is left."
)
@click.option("--hours", type=float, help="Claim nothing that would not end within this time.")
def worker(
    storage: str | None, study: str | None, workers: int, threads: int | None, linger: float, hours: float | None
) -> None:
    """Run what is queued until nothing is left. Needs the storage and the data, nothing else; exit code 75 after a
    signal.
    """
    from sweeps.pool import serve
    from sweeps.queue import Queue

    cores = os.cpu_count() or 1
    for name, number in (("workers", workers), ("threads", 1 if threads is None else threads)):
        if number < 1:
            raise BenchError(f"{name} must be at least 1, got {number}")
    if workers > cores:
        click.echo(f"warning: {workers} workers on {cores} cores will be slower than fewer", err=True)
    queue = Queue(storage, study)
    options = {"linger": linger} | ({"until": time.time() + 3600 * hours} if hours is not None else {})
    sys.exit(serve(queue, workers, threads or max(1, cores // workers), options))


@cli.command()
@queue_options
@click.option("--watch", is_flag=True, help="Again every two seconds, until nothing is left.")
@as_json
def status(storage: str | None, study: str | None, watch: bool, as_json: bool) -> None:
    """Done, running, failed and left for each table; who runs what; what a worker refused."""
    from sweeps.status import all_states, is_unfinished, to_text

    while True:
        states = all_states(storage, study)
        if as_json:
            print_json(states)
        else:
            if watch and sys.stdout.isatty():
                click.clear()
            texts = [f"queue {state['study']}\n{to_text(state)}" for state in states]
            click.echo("\n\n".join(texts) or "nothing is queued")
        if not watch or not any(map(is_unfinished, states)):
            return
        time.sleep(2.0)


@cli.command()
@queue_options
def collect(storage: str | None, study: str | None) -> None:
    """Write into the ledger what workers have finished since the last time."""
    from sweeps.collecting import collect_from
    from sweeps.study import Study

    if study and Study(storage, study).kind == EXPLORATORY:
        paths.use_exploratory_ledger()
    click.echo(f"{collect_from(storage, study)} experiments collected into {paths.results() / 'runs'}", err=True)


@cli.command()
@click.argument("task")
@click.argument("model")
@click.option(
    "--trials",
    default=20,
    show_default=True,
    help="The search ends when the study has this many, pruned ones among them.",
)
@click.option("--budget", default="laptop", show_default=True, help="Budget of each training.")
@click.option("--pruner", default="median", show_default=True, help="median, asha or none.")
@click.option("--seed", type=int, help="Of the sampler (TPE).")
@click.option("--threads", default=1, show_default=True, help="Threads of the training.")
@click.option("--storage", help="As of `table`. The same command on the same storage shares the search.")
def search(
    task: str, model: str, trials: int, budget: str, pruner: str, seed: int | None, threads: int, storage: str | None
) -> None:
    """Search the settings of MODEL's neuron on TASK, on validation data, and write the best to
    sweeps/best/MODEL-TASK.toml.
    """
    from sweeps.search import Search, Subject, trial_text

    if trials < 1:
        raise BenchError(f"trials must be at least 1, got {trials}")
    study = Search(Subject.of(task, model, budget), pruner, storage, seed)
    study.run(trials, threads, report=lambda trial: click.echo(trial_text(trial), err=True))
    click.echo(study.summary())
    if budget == "smoke":
        click.echo("smoke results are never used: the settings were not written")
    else:
        click.echo(f"written to {study.export()}")


@cli.group(cls=Commands)
def wandb() -> None:
    """W&B sweeps of tables and searches, and uploading what was tracked offline."""


@wandb.command()
@click.option("--check", is_flag=True, help="Write nothing; fail where a file is not what the declarations give.")
def write(check: bool) -> None:
    """Write sweeps/wandb/TABLE.yaml for every table."""
    from sweeps import wandb_sweeps

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
    from bench.errors import unknown
    from bench.papers.registry import MODELS, TASKS
    from sweeps.wandb_sweeps import search_yaml

    for kind, name, known in (("task", task, TASKS), ("model", model, MODELS)):
        if name not in known:
            raise unknown(kind, name, known)
    click.echo(search_yaml(task, model, budget), nl=False)


@wandb.command("run")
@click.option("--table", "table_id", required=True)
@click.option("--cell", required=True, help="task/model")
@click.option("--seed", type=int, required=True)
@click.option("--budget", required=True)
@click.option("--threads", default=1, show_default=True)
def wandb_run(table_id: str, cell: str, seed: int, budget: str, threads: int) -> None:
    """What an agent of a table's sweep calls: one experiment, into the ledger."""
    from sweeps import wandb_sweeps

    job = wandb_sweeps.job(table_id, cell, seed, budget)
    if budget == "smoke":
        paths.use_exploratory_ledger()
    lines = wandb_sweeps.run(job, threads)
    click.echo(
        "\n".join(f"{line.experiment} {line.measure} {line.protocol}: {line.status} {line.value}" for line in lines)
    )
    sys.exit(any(line.status not in ("ok", "not applicable") for line in lines))


@wandb.command("trial", context_settings={"ignore_unknown_options": True})
@click.option("--task", required=True)
@click.option("--model", required=True)
@click.option("--budget", required=True)
@click.argument("settings", nargs=-1, type=click.UNPROCESSED)
def wandb_trial(task: str, model: str, budget: str, settings: tuple[str, ...]) -> None:
    """What an agent of a search calls: one training with --NAME=VALUE for the neuron; nothing enters the ledger."""
    import json

    from bench.measures import ACCURACY
    from bench.training import run as training
    from sweeps.search import Subject, experiment

    subject = Subject.of(task, model, budget)
    values = {}
    for text in settings:
        name, mark, value = text.removeprefix("--").partition("=")
        if not mark or name not in subject.space:
            raise BenchError(f"{text!r} is not --NAME=VALUE of one of {', '.join(subject.space)}")
        values[name] = (
            json.loads(value) if value.replace(".", "").replace("-", "").replace("e", "").isdigit() else value
        )
    chosen = experiment(subject.task, subject.model, budget, values)
    lines, _ = training.run(chosen, (ACCURACY,), 1)
    click.echo(f"{chosen.id}: {lines[0].status} {lines[0].error}")
    sys.exit(lines[0].status != "ok")


@wandb.command("sync")
def wandb_sync() -> None:
    """Upload offline runs, each once: what was uploaded before is left out."""
    import subprocess
    from pathlib import Path

    from sweeps.wandb_sweeps import offline

    runs = offline()
    if not runs:
        return click.echo("nothing to upload", err=True)
    command = [str(Path(sys.executable).parent / "wandb"), "sync", "--yes", *map(str, runs)]
    sys.exit(subprocess.run(command).returncode)


@cli.command()
@click.option("--storage", help="As of `table`.")
@click.option("--port", default=8080, show_default=True)
def dashboard(storage: str | None, port: int) -> None:
    """optuna-dashboard on the queue and the searches, at http://127.0.0.1:PORT."""
    from sweeps.dashboard import serve

    serve(storage, port)


if __name__ == "__main__":
    cli(prog_name="python -m sweeps")
