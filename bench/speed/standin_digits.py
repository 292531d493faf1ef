"""python -m bench.speed.standin_digits: tests a network trained on the N-MNIST stand-in on the recordings of nmnist-7.

The network is that of ``bench.speed.standin_check``, with ten outputs. The real recordings of the digits 0 to 6 are
tested digit by digit, and so are stand-in recordings of the same MNIST digits, denoised as the real ones are. A digit
whose stand-in recording was trained on is left out. Accuracy is counted in two ways: the network decides among all ten
digits, or among the seven. The accuracies never enter a table.
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

from bench.speed.standin_check import BATCH, WINDOWS, Split, batch, load, train
from datamodules import sources
from datamodules.recordings import coded_events
from datamodules.sources import NMNIST_7, DataError, event_codes
from datamodules.standins.compare import data_folder, decode
from datamodules.standins.compare_digits import simulated_codes
from datamodules.standins.production import read_manifest
from lightning_modules.networks.dense import Dense


class Accuracies(NamedTuple):
    """Of recordings of ``digit`` ("all" for those of all digits): accuracies in % among ten and among seven digits."""

    digit: str
    data: str  # real or stand-in
    recordings: int
    of_ten: float
    of_seven: float


def windows(recordings: list[np.ndarray], digit: int) -> Split:
    """Recordings as codes in the form that the network takes."""
    indices = [WINDOWS(coded_events(codes), Counter())[0].astype(np.int32) for codes in recordings]
    return Split(indices, torch.full((len(indices),), digit))


def splits(standin: Path, first: int, limit: int | None) -> dict[int, tuple[Split, Split]]:
    """By digit, real recordings and stand-in ones of the same MNIST digits, from MNIST number ``first`` on.

    At most ``limit`` of a digit are taken. Raises ``DataError`` if the real ones are not all there.
    """
    sources.check(NMNIST_7.name)
    folder = sources.folder(NMNIST_7.name)
    index = event_codes.read_index(folder)
    by_digit = {}
    for digit in event_codes.digits_of(index):
        numbers = index.of(digit).numbers
        chosen = np.flatnonzero(numbers >= first)[:limit]
        if not len(chosen):
            raise DataError(f"no real recordings of digit {digit} from MNIST number {first} on: train on fewer")
        codes = event_codes.read_codes(folder, index, digit)
        paths = [standin / "Train" / str(digit) / f"{number:05}.bin" for number in numbers[chosen]]
        simulated = [simulated_codes(decode(path.read_bytes())) for path in paths]
        by_digit[digit] = windows([codes[row] for row in chosen], digit), windows(simulated, digit)
    return by_digit


@torch.no_grad()
def right(network: Dense, split: Split) -> tuple[int, int]:
    """Number of recordings that are decided right, among ten digits and among the digits 0 to 6."""
    count = len(split.labels)
    of_ten = 0
    of_seven = 0
    for rows in np.array_split(np.arange(count), -(-count // BATCH)):
        x, labels = batch(split, rows)
        rates = network(x).mean(0)
        of_ten += int((rates.argmax(1) == labels).sum())
        of_seven += int((rates[:, :7].argmax(1) == labels).sum())
    return of_ten, of_seven


def accuracies(network: Dense, by_digit: dict[int, tuple[Split, Split]]) -> list[Accuracies]:
    """Accuracies on the real and the stand-in recordings of each digit, and of all digits at the end."""
    rows = []
    for which, data in enumerate(("real", "stand-in")):
        sums = np.zeros(3, np.int64)
        for digit, pair in by_digit.items():
            counts = np.array([len(pair[which].labels), *right(network, pair[which])])
            sums += counts
            rows.append(_accuracies(str(digit), data, counts))
        rows.append(_accuracies("all", data, sums))
    return rows


def _accuracies(digit: str, data: str, counts: np.ndarray) -> Accuracies:
    return Accuracies(digit, data, int(counts[0]), 100 * counts[1] / counts[0], 100 * counts[2] / counts[0])


@click.command(help=__doc__)
@click.option("--standin", type=click.Path(path_type=Path), help="Default: BENCH_DATA/nmnist-standin.")
@click.option("--count", default=10_000, show_default=True, help="Stand-in recordings to train on, the first ones.")
@click.option("--limit", type=click.IntRange(1), help="Recordings of a digit to test on; default: all.")
@click.option("--epochs", default=8, show_default=True)
@click.option("--batch-size", default=64, show_default=True)
@click.option("--lr", default=1e-3, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(
    standin: Path | None,
    count: int,
    limit: int | None,
    epochs: int,
    batch_size: int,
    lr: float,
    seed: int,
    as_json: bool,
) -> None:
    standin = standin or data_folder("nmnist-standin")
    try:
        manifest = read_manifest(standin)
        if not manifest or not manifest["complete"]:
            raise DataError(f"no finished stand-in in {standin}: make it with python -m datamodules.standins nmnist")
        by_digit = splits(standin, count + 1, limit)
        rows = accuracies(train(load(standin, "train", count), epochs, batch_size, lr, seed), by_digit)
    except DataError as error:
        raise click.ClickException(str(error)) from None
    except FileNotFoundError as error:
        raise click.ClickException(f"{error.filename} is missing: the stand-in has fewer recordings") from None
    if as_json:
        return json.dump([row._asdict() for row in rows], sys.stdout)
    click.echo(f"trained on the first {count:,} stand-in recordings, {epochs} epochs, batch {batch_size}, rate {lr}\n")
    click.echo("| digit | recordings | number | % of ten | % of seven |\n| --- | --- | ---: | ---: | ---: |")
    for row in rows:
        numbers = f"{row.recordings:,} | {row.of_ten:.1f} | {row.of_seven:.1f}"
        click.echo(f"| {row.digit} | {row.data} | {numbers} |")


if __name__ == "__main__":
    main()
