"""python -m bench.speed.standin_check: tests a network trained on the N-MNIST stand-in alone on real recordings.

Network, input and loss are those of the N-MNIST task: 15 windows of 3 ms from the first event, so the first 45 ms, most
of the first saccade. Batch and learning rate differ, so that a few thousand recordings are enough. The accuracies never
enter a table.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from torch import Tensor

from bench.papers.registry import TASKS
from datamodules.events import Windows
from datamodules.recordings import nmnist
from datamodules.sources import DataError
from datamodules.standins.compare import data_folder
from datamodules.standins.production import read_manifest
from lightning_modules.networks.dense import Dense
from lightning_modules.objectives import OBJECTIVES

TASK = TASKS["nmnist"]
WINDOWS = Windows(TASK.data_settings["steps"], TASK.data_settings["window_ms"], 34, counts=False)
BATCH = 250  # recordings that are tested at a time


class Split(NamedTuple):
    """Recordings as the indices of their entries that are 1 in the flat input [T x 2312], and their ``labels`` [B]."""

    indices: list[np.ndarray]
    labels: Tensor


def load(folder: Path, split: str, limit: int | None = None) -> Split:
    """At most ``limit`` recordings of ``split`` ("train" or "test"), in the order of their digits in MNIST.

    They are read through Tonic's reader. Raises ``DataError`` if there are none.
    """
    recordings = nmnist(folder, split)
    rows = sorted(range(len(recordings)), key=lambda row: recordings.names[row][-9:])[:limit]
    if not rows:
        raise DataError(f"no {split} recordings in {folder}")
    indices = []
    labels = []
    for row in rows:
        events, label = recordings[row]
        indices.append(WINDOWS(events, Counter())[0].astype(np.int32))
        labels.append(label)
    return Split(indices, torch.tensor(labels))


def batch(split: Split, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Input [T, B, 2312] and labels [B] of the recordings ``rows``."""
    x = torch.zeros(len(rows), WINDOWS.steps * WINDOWS.channels)
    for sample, row in enumerate(rows):
        x[sample, torch.from_numpy(split.indices[row]).long()] = 1
    x = x.view(len(rows), WINDOWS.steps, WINDOWS.channels).transpose(0, 1).contiguous()
    return x, split.labels[torch.from_numpy(rows)]


@torch.no_grad()
def accuracy(network: Dense, split: Split) -> float:
    """Accuracy in %; the decision is the output neuron that spikes most."""
    count = len(split.labels)
    correct = 0
    for rows in np.array_split(np.arange(count), -(-count // BATCH)):
        x, labels = batch(split, rows)
        correct += int((network(x).mean(0).argmax(1) == labels).sum())
    return 100 * correct / count


def train(split: Split, epochs: int, batch_size: int, lr: float, seed: int) -> Dense:
    """A network trained on ``split``. It reports the mean loss of every epoch on stderr."""
    torch.manual_seed(seed)
    network = Dense(TASK.layers, "lif", TASK.neuron)
    optimiser = torch.optim.Adam(network.parameters(), lr)
    count = len(split.labels)
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(count)
        batches = np.array_split(order, -(-count // batch_size))
        total = 0.0
        for rows in batches:
            x, labels = batch(split, rows)
            loss, _ = OBJECTIVES[TASK.loss](network(x), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach())
        click.echo(f"epoch {epoch + 1} of {epochs}: loss {total / len(batches):.4f}", err=True)
    return network


def evaluation_splits(standin: Path, real: Path, trained_digits: Split) -> dict[str, Split]:
    """The recordings that the network is tested on. Raises ``DataError`` for a set without recordings.

    ``trained_digits`` are stand-in recordings of the digits in the real training recordings. On stand-in recordings of
    the same digits as the real ones, a lower accuracy on the real ones is due to the simulation alone.
    """
    real_test = len(list(real.glob("Test/*/[!.]*.bin")))
    return {
        "stand-in, its test set": load(standin, "test"),
        "real, test recordings": load(real, "test"),
        "real, training recordings": load(real, "train"),
        "stand-in, the digits of the real test recordings": load(standin, "test", real_test),
        "stand-in, the digits of the real training recordings": trained_digits,
    }


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
    standin = standin or data_folder("nmnist-standin")
    real = real or data_folder("nmnist")
    try:
        manifest = read_manifest(standin)
        if not manifest or not manifest["complete"]:
            raise DataError(f"no finished stand-in in {standin}: make it with python -m datamodules.standins nmnist")
        recordings = load(standin, "train", skip + count)
        if len(recordings.labels) <= skip:
            raise DataError(
                f"{standin} has {len(recordings.labels)} training recordings, {skip} of them left out: nothing to"
                " train on"
            )
        skipped = Split(recordings.indices[:skip], recordings.labels[:skip])
        training = Split(recordings.indices[skip:], recordings.labels[skip:])
        splits = evaluation_splits(standin, real, skipped)
        network = train(training, epochs, batch_size, lr, seed)
    except DataError as error:
        raise click.ClickException(str(error)) from None
    rows = [(name, len(split.labels), accuracy(network, split)) for name, split in splits.items() if len(split.labels)]
    if as_json:
        json.dump([{"what": name, "n": n, "accuracy": round(a, 2)} for name, n, a in rows], sys.stdout)
        return
    click.echo(
        f"trained on {len(training.labels):,} stand-in recordings only, {epochs} epochs, batch {batch_size}, rate {lr},"
        f" seed {seed}\n"
    )
    click.echo("| accuracy on | recordings | % |\n| --- | ---: | ---: |")
    for name, n, a in rows:
        click.echo(f"| {name} | {n:,} | {a:.1f} |")


if __name__ == "__main__":
    main()
