"""``weights``: hand trained weights on, take those of others, and export networks for other simulators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from bench import api, paths
from bench.commands.base import Commands
from bench.commands.selection import results_option
from bench.ledger import store
from bench.spec.task import BUDGETS


@click.group(cls=Commands)
def weights() -> None:
    """Trained weights: hand them on, take those of others, export networks as NIR."""


def _cell(command: Callable) -> Callable:
    """The options that name one trained experiment and the file that it goes to."""
    for option in (
        click.argument("table"),
        click.option("--row", required=True),
        click.option("--column", required=True, help="By its name or its task's."),
        click.option("--seed", default=0, show_default=True),
        click.option("--budget", default="laptop", show_default=True, help=f"One of {', '.join(BUDGETS)}."),
        click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file."),
        results_option,
    ):
        command = option(command)
    return command


@weights.command()
@_cell
def export(table: str, row: str, column: str, seed: int, budget: str, out: Path) -> None:
    """The weights of a cell's experiment as a safetensors file, with what they are in its metadata."""
    network = api.trained(table, row, column, seed=seed, budget=budget)
    api.export_weights(network, out)
    click.echo(f"wrote {out}: {network.experiment}, weights {network.sha256[:12]}", err=True)


@weights.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@results_option
def import_file(file: Path) -> None:
    """Take weights from FILE into this home: measures are read off them without training."""
    network = api.import_weights(file)
    experiment = network.experiment
    click.echo(f"imported {experiment} (experiment {experiment.id}) into {paths.home()}", err=True)
    ledger = paths.ledger(experiment.budget)
    lines = store.read(ledger, only=[experiment.task.name])
    others = {x.checkpoint_sha256[:12] for x in lines if x.experiment == experiment.id and x.status == "ok"}
    if others - {network.sha256[:12]}:
        click.echo(
            f"note: {ledger} has results of other weights ({', '.join(sorted(others))}); measures that are read off"
            f" these ({network.sha256[:12]}) replace them",
            err=True,
        )


@weights.command()
@_cell
@click.option("--protocol", help="Which epoch's weights: last, best_test or best_val. [default: the table's]")
@click.option("--dt", default=1e-4, show_default=True, help="Length of a time step in seconds.")
@click.option("--zero-start", is_flag=True, help="States that start at random values start at 0 in the file.")
def nir(
    table: str,
    row: str,
    column: str,
    seed: int,
    budget: str,
    out: Path,
    protocol: str | None,
    dt: float,
    zero_start: bool,
) -> None:
    """A network of LIF neurons and leaky or linear readouts as a NIR graph, for other simulators and chips."""
    network = api.trained(table, row, column, seed=seed, budget=budget, protocol=protocol)
    api.export_nir(network, out, dt=dt, zero_start=zero_start)
    click.echo(f"wrote {out}: {network.experiment}, {network.protocol}", err=True)
