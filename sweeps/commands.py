"""``run``: train and measure what is missing. ``python -m bench`` finds this command through its entry point."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from bench import paths
from bench import plan as planning
from bench.commands import tables as table_commands
from bench.commands.selection import expanded, selected, selection
from bench.errors import BenchError
from bench.ledger import provenance, store
from bench.ledger.index import Index
from bench.papers.registry import TABLES
from bench.report import facts, render
from bench.report.summary import summary
from bench.report.verdict import find_result
from bench.spec.overrides import parsed
from bench.spec.table import Cell
from sweeps import TOGETHER

if TYPE_CHECKING:
    from sweeps.scheduler import Options, Outcome


@dataclass(frozen=True)
class Request:
    """The options of a command that trains what is missing; ``None``: the number that fits this machine."""

    tables: tuple[str, ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    measures: tuple[str, ...]
    budget: str
    seeds: int
    workers: int | None
    threads: int | None
    overrides: tuple[str, ...]
    available: bool
    profile: bool

    @property
    def exploratory(self) -> bool:
        """Whether its results can enter no table."""
        return bool(self.overrides) or self.budget == "smoke"


def _override(text: str) -> tuple[str, Any]:
    key, mark, value = text.partition("=")
    if not mark:
        raise BenchError(f"--set takes name=value, got {text!r}")
    return key, parsed(value)


def training(command: Callable) -> Callable:
    """The options of a command that trains what is missing: the fields of ``Request``, but for ``threads``."""
    for option in (
        selection,
        click.option(
            "--workers",
            type=int,
            help="Processes. [default: number of GPUs, or else of cores; at most one an experiment]",
        ),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="NAME=VALUE",
            help="Change a setting: exploratory, never enters a table.",
        ),
        click.option(
            "--available",
            is_flag=True,
            help="Run what can run here: missing data is reported and is no failure.",
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
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to train: auto takes a GPU where there is one, cuda refuses to begin without one.",
)
@click.option("--seconds", type=click.FloatRange(1), help="Stop cleanly after this time; the same command goes on.")
@click.option(
    "--together",
    type=click.IntRange(1),
    default=TOGETHER,
    show_default=True,
    help="Seeds, or leaks of a sweep, that a card trains in one launch, at most.",
)
def run(device: str, seconds: float | None, together: int, **options: Any) -> None:
    """Train and measure what is missing of TABLES, then render them. The exit code is 0 only if all of it finished."""
    from sweeps.scheduler import Options  # loads Optuna, which `bench --help` does not need

    _choose(device)
    train(Request(**options), Options(stop_after_s=seconds, together=together))


def _choose(device: str) -> None:
    """Let this command's workers train on ``device``. Raises ``BenchError`` for "cuda" where torch finds no card."""
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if device == "cuda":
        import torch  # in this process it starts nothing on the card

        if not torch.cuda.is_available():
            raise BenchError("torch finds no card here; without --device cuda the CPU trains")


def train(request: Request, options: Options) -> None:
    """Train and measure what is missing, render the tables and print a summary; exits with 75 after a signal, and after
    the time that ``options`` name.
    """
    from sweeps import collecting, scheduler  # load Optuna, which `bench --help` does not need
    from sweeps.worker import PREEMPTED

    workers, threads = _processes(request.workers, request.threads)
    tables = expanded(request.tables)
    chosen = selected(tables, request.rows, request.columns, request.measures)
    overrides = tuple(sorted(_override(text) for text in request.overrides))
    if request.exploratory:
        paths.use_exploratory_ledger()

    def replan() -> planning.Plan:
        return planning.make(chosen, request.budget, request.seeds, store.read(), overrides)

    provenance.rows([])  # a damaged file is refused before anything is trained
    collecting.collect_from(options.storage, options.study)
    plan = replan()
    click.echo(table_commands.summary(plan, store.read(), workers), err=True)
    if overrides and plan.jobs:
        from bench.training import run as training  # loads torch

        training.check(job.experiment for job in plan.jobs)
    outcome = scheduler.run(replan, workers, threads, options) if plan.jobs else scheduler.Outcome()
    if outcome.stopped:
        _print_ends(request, outcome)
        later = "" if request.exploratory else f"; until then: python -m bench render {' '.join(tables)}"
        click.echo(
            f"stopped by {outcome.stopped}; the same command goes on from each experiment's last epoch{later}", err=True
        )
        sys.exit(PREEMPTED)
    left = replan()
    if not request.exploratory:
        _render(tables, chosen)
        _print_summaries(chosen)
    _print_ends(request, outcome)
    for line in table_commands.missing_data(left):
        click.echo(line, err=True)
    if left.jobs or (left.no_data and not request.available):
        sys.exit(1)


def _print_ends(request: Request, outcome: Outcome) -> None:
    """Print profiles, where they were asked for, and what did not finish."""
    if request.profile:
        _print_profiles(outcome.profiles)
    for experiment, reason in outcome.failed.items():
        click.echo(f"not finished: {experiment} {reason}", err=True)


def _processes(workers: int | None, threads: int | None) -> tuple[int, int]:
    """Workers, one a card where there are cards, and threads of each.

    Raises ``BenchError`` for less than one; warns of more than there are cores.
    """
    from sweeps.pool import gpus  # loads the queue's packages

    cores = os.cpu_count() or 1
    cards = len(gpus())
    for name, number in (("workers", workers), ("threads", threads)):
        if number is not None and number < 1:
            raise BenchError(f"{name} must be at least 1, got {number}")
    # trainings that share a card take turns on it, and its memory: more of them than cards gain little
    workers = workers or cards or max(1, cores // (threads or 1))
    threads = threads or max(1, cores // workers)
    if workers * threads > cores:
        click.echo(
            f"warning: {workers} workers x {threads} threads on {cores} cores will be slower than fewer", err=True
        )
    return workers, threads


def _render(tables: Iterable[str], chosen: Iterable[tuple[str, Cell]]) -> None:
    """Write the files of ``tables``, with the facts that their ``chosen`` cells show."""
    if facts.incomplete(cell for _, cell in chosen):
        from bench.report import census  # loads torch

        census.update(fresh=False)
    store.sort()
    render.render((TABLES[name] for name in tables), Index(store.read()))
    for name in tables:
        click.echo(f"rendered {paths.results() / 'tables' / name}.{{csv,md,tex}}", err=True)
    for name in tables:
        if (picture := paths.results() / "figures" / f"{name}.png").exists():
            click.echo(f"drawn {picture} (and .svg, .csv: the data in it)", err=True)


def _print_summaries(chosen: Iterable[tuple[str, Cell]]) -> None:
    """Print the cells that the command asked for, table by table."""
    index = Index(store.read())
    cells: dict[str, list[Cell]] = {}
    for name, cell in chosen:
        cells.setdefault(name, []).append(cell)
    for name, of_table in cells.items():
        click.echo(f"\n{name}: {TABLES[name].title}")
        click.echo(summary([find_result(TABLES[name], cell, index, live=True) for cell in of_table]))


def _print_profiles(profiles: list[dict[str, Any]]) -> None:
    names = ("total", "steps", "data", "evaluation", "checkpoints", "before_first_step", "outside", "tracking")
    click.echo("experiment   " + " ".join(f"{name.replace('_', ' '):>17}" for name in names))
    for row in profiles:
        values = [f"{100 * row[n]:15.1f} %" if n == "outside" else f"{row[n]:15.2f} s" for n in names]
        click.echo(f"{row['experiment']:12} " + " ".join(values))
    click.echo("outside = neither a training step with its batch nor evaluation: set-up, logging, checkpoints")
    click.echo("tracking = W&B, with the measures that are read after the training")
