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

try:
    from sweeps.commands import Request, train, training
    from sweeps.scheduler import Options
    from sweeps.study import EXPLORATORY
    from sweeps.wandb_commands import wandb
except BenchError as error:  # a paper's folder breaks a rule of the registry
    sys.exit(f"Error: {error}")


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
    """Done, running, failed and left for each table; who runs what; what a worker refused; searches with their best."""
    from sweeps.search_report import search_text, searches
    from sweeps.status import all_states, is_unfinished, to_text

    while True:
        states = all_states(storage, study)
        trials = searches(storage) if study is None else []
        if as_json:
            print_json([*states, *trials])
        else:
            if watch and sys.stdout.isatty():
                click.clear()
            texts = [f"queue {state['study']}\n{to_text(state)}" for state in states]
            texts += ["\n".join(map(search_text, trials))] if trials else []
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
@click.option("--seeds-per-trial", default=1, show_default=True, help="A trial is the mean over seeds 0, 1, …")
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=RANGE",
    help="Search this setting too: lr=1e-4..1e-1:log, batch_size=32..256, optimiser=adam,sgd; repeatable.",
)
@click.option("--only-params", is_flag=True, help="Leave out the neuron's own search space.")
@click.option("--pruner", default="median", show_default=True, help="median, asha or none.")
@click.option("--seed", type=int, help="Of the sampler (TPE).")
@click.option("--workers", default=1, show_default=True, help="Processes that share the search.")
@click.option("--threads", default=1, show_default=True, help="Threads of each training.")
@click.option("--storage", help="As of `table`. The same command on the same storage shares the search.")
@click.option("--export", is_flag=True, help="Write what counts to sweeps/best/MODEL-TASK.toml, for tuned rows.")
def search(trials: int, seeds_per_trial: int, export: bool, **options: Any) -> None:
    """Search settings of MODEL on TASK, on validation data. The winner is kept below BENCH_HOME. It counts where it
    beats the recipe by more than the interval of its seeds.
    """
    from bench.training import wandb_mode
    from sweeps import search_workers

    for name in ("workers", "threads"):
        if options[name] < 1:
            raise BenchError(f"{name} must be at least 1, got {options[name]}")
    if trials < 1:
        raise BenchError(f"trials must be at least 1, got {trials}")
    request = search_workers.Request(trials=trials, seeds=seeds_per_trial, **options)
    study = request.search()
    click.echo(wandb_mode.settle(), err=True)
    search_workers.run(request, study)
    click.echo(f"{study.table()}\n\n{study.summary()}\n{study.verdict.text}")
    if request.budget == "smoke":
        return click.echo("smoke results are never used: the settings were not written")
    click.echo(f"the winner is in {study.save()}")
    click.echo(f"written to {study.export()}" if export else "tuned rows do not use it; --export writes what counts")


@cli.command()
@click.option("--storage", help="As of `table`.")
@click.option("--port", default=8080, show_default=True)
def dashboard(storage: str | None, port: int) -> None:
    """optuna-dashboard on the queue and the searches, at http://127.0.0.1:PORT."""
    from sweeps.dashboard import serve

    serve(storage, port)


cli.add_command(wandb)

if __name__ == "__main__":
    cli(prog_name="python -m sweeps")
