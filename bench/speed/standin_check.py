"""python -m bench.speed.standin_check: does a network trained on the N-MNIST stand-in alone know real recordings?

It has the N-MNIST task's network, input and loss (15 windows of 3 ms from the first event, so the first 45 ms: most of
the first saccade), and a smaller batch and higher rate than the task's so that a few thousand recordings are enough.
Never a result of a table.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

from bench.papers.registry import TASKS
from datamodules import recordings
from datamodules.events import Windows
from datamodules.sources import DataError
from datamodules.standins.compare import data
from datamodules.standins.making import read_manifest
from lightning_modules.networks.dense import Dense
from lightning_modules.objectives import OBJECTIVES

WINDOWS = Windows(TASKS["nmnist"].data_settings["steps"], TASKS["nmnist"].data_settings["window_ms"], 34, counts=False)
Split = tuple[list[np.ndarray], Tensor]  # places of each recording's events, labels


def load(folder: Path, split: str, limit: int | None = None) -> Split:
    """At most ``limit`` recordings of ``split`` ("train" or "test"), by MNIST index, through Tonic's reader. Raises
    ``DataError``.
    """
    found = recordings.nmnist(folder, split)
    rows = sorted(range(len(found)), key=lambda row: found.names[row][-9:])[:limit]
    if not rows:
        raise DataError(f"no {split} recordings in {folder}")
    places, labels = [], []
    for row in rows:
        events, label = found[row]
        places.append(WINDOWS(events, Counter())[0].astype(np.int32))
        labels.append(label)
    return places, torch.tensor(labels)


def batch(split: Split, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Input [T, B, 2312] and labels [B]."""
    x = torch.zeros(len(rows), WINDOWS.steps * WINDOWS.channels)
    for place, row in enumerate(rows):
        x[place, torch.from_numpy(split[0][row]).long()] = 1
    return (
        x.view(len(rows), WINDOWS.steps, WINDOWS.channels).transpose(0, 1).contiguous(),
        split[1][torch.from_numpy(rows)],
    )


def accuracy(network: Dense, split: Split) -> float:
    """Per cent."""
    right = 0
    with torch.no_grad():
        for rows in np.array_split(np.arange(len(split[1])), -(-len(split[1]) // 250)):
            x, labels = batch(split, rows)
            right += int((network(x).mean(0).argmax(1) == labels).sum())
    return 100 * right / len(split[1])


def train(split: Split, epochs: int, batch_size: int, lr: float, seed: int) -> Dense:
    torch.manual_seed(seed)
    network = Dense(TASKS["nmnist"].layers, "lif", TASKS["nmnist"].neuron)
    optimiser = torch.optim.Adam(network.parameters(), lr)
    for epoch in range(epochs):
        order, total = np.random.default_rng([seed, epoch]).permutation(len(split[1])), 0.0
        parts = np.array_split(order, -(-len(order) // batch_size))
        for rows in parts:
            x, labels = batch(split, rows)
            loss, _ = OBJECTIVES[TASKS["nmnist"].loss](network(x), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach())
        click.echo(f"epoch {epoch + 1} of {epochs}: loss {total / len(parts):.4f}", err=True)
    return network


@click.command(help=__doc__)
@click.option("--standin", type=click.Path(path_type=Path), help="Default: BENCH_DATA/nmnist-standin.")
@click.option("--real", type=click.Path(path_type=Path), help="Default: BENCH_DATA/nmnist.")
@click.option("--count", default=10_000, show_default=True, help="Stand-in recordings to train on.")
@click.option("--epochs", default=8, show_default=True)
@click.option("--batch-size", default=64, show_default=True)
@click.option("--lr", default=1e-3, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--skip",
    default=1000,
    show_default=True,
    help="Leave out the first so many digits: real recordings show the same ones.",
)
@click.option("--json", "as_json", is_flag=True)
def main(
    standin: Path | None,
    real: Path | None,
    count: int,
    epochs: int,
    batch_size: int,
    lr: float,
    seed: int,
    skip: int,
    as_json: bool,
) -> None:
    standin, real = standin or data("nmnist-standin"), real or data("nmnist")
    try:
        manifest = read_manifest(standin)
        if not manifest or not manifest["complete"]:
            raise DataError(f"no finished stand-in in {standin}: make it with python -m datamodules.standins nmnist")
        places, labels = load(standin, "train", skip + count)
        if len(labels) <= skip:
            raise DataError(
                f"{standin} has {len(labels)} training recordings, {skip} of them left out: nothing to train on"
            )
        tests = {
            "stand-in, its test set": load(standin, "test"),
            "real, test recordings": load(real, "test"),
            "real, training recordings": load(real, "train"),
            # the same digits as the two real sets: what is lost here is lost to the simulation, not to the choice of
            # digits
            "stand-in, the digits of the real test recordings": load(
                standin, "test", len(list(real.glob("Test/*/*.bin")))
            ),
            "stand-in, the digits of the real training recordings": (places[:skip], labels[:skip]),
        }
        network = train((places[skip:], labels[skip:]), epochs, batch_size, lr, seed)
    except DataError as error:
        raise click.ClickException(str(error)) from None
    rows = [(name, len(split[1]), accuracy(network, split)) for name, split in tests.items() if len(split[1])]
    if as_json:
        json.dump([{"what": name, "n": n, "accuracy": round(a, 2)} for name, n, a in rows], sys.stdout)
        return
    click.echo(
        f"trained on {len(labels) - skip:,} stand-in recordings only, {epochs} epochs, batch {batch_size}, rate {lr},"
        f" seed {seed}\n"
    )
    click.echo("| accuracy on | recordings | % |\n| --- | ---: | ---: |")
    for name, n, a in rows:
        click.echo(f"| {name} | {n:,} | {a:.1f} |")


if __name__ == "__main__":
    main()
