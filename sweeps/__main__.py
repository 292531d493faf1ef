"""The command line: ``python -m sweeps``. Nothing here loads torch: training is done by worker processes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import click

from bench import paths
from bench.__main__ import train, training
from bench.commands import Commands, as_json, print_json
from bench.errors import BenchError


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Many experiments over processes and hosts: one queue, many workers, the ledger as the truth."""


def where(command: Callable) -> Callable:
    """The options that name a queue."""
    for option in (
        click.option(
            "--storage",
            help="sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DB or journal:///FILE. [default: BENCH_STORAGE, else this home]",
        ),
        click.option("--study", help="Name of the queue in the storage. [default: experiments; in this home one for each ledger]"),
    ):
        command = option(command)
    return command


@cli.command()
@training
@where
@click.option("--threads", type=int, help="Threads of each process; results depend on it in the last digits. [default: cores / workers]")
@click.option("--limit", "limit_s", type=float, metavar="SECONDS", help="The most that one experiment may take.")
@click.option(
    "--detach", is_flag=True, help="Queue the experiments for workers elsewhere and come back at once; `collect` gets the results."
)
def table(storage: str | None, study: str | None, **options: Any) -> None:
    """Train and measure what is missing of TABLES with workers here and elsewhere, then render them."""
    if storage and not study and (options["overrides"] or options["budget"] == "smoke"):
        study = "exploratory"
    train(**options, storage=storage, study=study)


@cli.command()
@where
@click.option("--workers", default=1, show_default=True, help="Processes; each has a GPU of its own where there are any.")
@click.option("--threads", type=int, help="Threads of each process. [default: cores / workers]")
@click.option("--linger", default=0.0, show_default=True, metavar="SECONDS", help="Wait this long for more when nothing is left.")
@click.option("--hours", type=float, help="Claim nothing that would not end within this time.")
def worker(storage: str | None, study: str | None, workers: int, threads: int | None, linger: float, hours: float | None) -> None:
    """Run what is queued until nothing is left. Needs the storage and the data, nothing else; exit code 75 when told to stop."""
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
@where
@click.option("--watch", is_flag=True, help="Again every two seconds, until nothing is left.")
@as_json
def status(storage: str | None, study: str | None, watch: bool, as_json: bool) -> None:
    """Done, running, failed and left per table; who runs what; what a worker refused."""
    from sweeps.status import every, text

    while True:
        found = every(storage, study)
        if as_json:
            print_json(found)
        else:
            if watch and sys.stdout.isatty():
                click.clear()
            click.echo("\n\n".join(f"queue {one['study']}\n{text(one)}" for one in found) or "nothing is queued")
        if not watch or not any(one["running"] or any(t["left"] for t in one["tables"].values()) for one in found):
            return
        time.sleep(2.0)


@cli.command()
@where
def collect(storage: str | None, study: str | None) -> None:
    """Write into the ledger what workers have finished since the last time."""
    from sweeps.table import collect as collecting

    if study == "exploratory":
        os.environ["BENCH_RESULTS"] = str(paths.home() / "exploratory")
    click.echo(f"{collecting(storage, study)} experiments collected into {paths.results() / 'runs'}", err=True)


if __name__ == "__main__":
    cli(prog_name="python -m sweeps")
