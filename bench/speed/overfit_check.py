"""python -m bench.speed.overfit_check: checks that the CIFAR10 task's LIF-ResNet18 can learn a few images by heart.

It trains with the recipe of the task, but without augmentation, with a smaller batch and a higher rate, on the first
images of the CIFAR10 subset. The accuracy is that on these same images, in evaluation mode. It never enters a table.
"""

from __future__ import annotations

import json
import sys
import time

import click
import torch

import datamodules
from bench.commands.base import as_json
from bench.papers.registry import MODELS, TASKS
from bench.spec.experiment import Experiment
from datamodules.base import SequenceData
from datamodules.sources import DataError
from lightning_modules.spiking import SpikingModule


def train_epoch(module: SpikingModule, data: SequenceData, optimiser: torch.optim.Optimizer, epoch: int) -> float:
    """One epoch of training. Gives the mean loss over the images."""
    total = 0.0
    images = 0
    module.train()
    for x, labels in data.train_batches(lambda: epoch):
        loss, _ = module.objective(module(x), labels, **module.loss_settings)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += float(loss.detach()) * len(labels)
        images += len(labels)
    return total / images


@torch.no_grad()
def train_accuracy(module: SpikingModule, data: SequenceData) -> float:
    """Accuracy in % on the training images, in evaluation mode."""
    correct = 0
    images = 0
    module.eval()
    for x, labels in data.train_batches(lambda: 0):
        _, scores = module.objective(module(x), labels, **module.loss_settings)
        correct += int((scores.argmax(1) == labels).sum())
        images += len(labels)
    return 100 * correct / images


@click.command(help=__doc__)
@click.option("--count", default=64, show_default=True, type=click.IntRange(1, 3000), help="Images.")
@click.option("--epochs", default=60, show_default=True, type=click.IntRange(1), help="At most.")
@click.option("--batch-size", default=16, show_default=True, type=click.IntRange(1))
@click.option("--lr", default=1e-3, show_default=True)
@click.option(
    "--goal", default=99.0, show_default=True, help="Stop at this accuracy in %; exit code 1 if it is never reached."
)
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=0, show_default=True)
@as_json
def main(
    count: int, epochs: int, batch_size: int, lr: float, goal: float, threads: int, seed: int, as_json: bool
) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    task = TASKS["cifar10-subset"].changed(
        {"data_settings": {"augment": False, "train": count}, "batch_size": batch_size, "lr": lr}
    )
    config = Experiment(task, MODELS["lif"], seed, "paper").config
    data = datamodules.build(config["data"], config["data_settings"], batch_size, seed)
    try:
        data.setup("fit")
    except DataError as error:
        raise click.ClickException(str(error)) from None
    module = SpikingModule(config)
    optimiser = torch.optim.Adam(module.parameters(), lr)
    start = time.perf_counter()
    accuracy = 0.0
    epoch = 0
    seconds = 0
    while epoch < epochs and accuracy < goal:
        loss = train_epoch(module, data, optimiser, epoch)
        accuracy = train_accuracy(module, data)
        epoch += 1
        seconds = round(time.perf_counter() - start)
        click.echo(f"epoch {epoch}: loss {loss:.4f}, accuracy {accuracy:.1f} %, {seconds} s", err=True)
    if as_json:
        click.echo(json.dumps({"images": count, "epochs": epoch, "accuracy": accuracy, "seconds": seconds}))
    else:
        click.echo(f"{accuracy:.1f} % of {count} images after {epoch} epochs, {seconds} s")
    sys.exit(accuracy < goal)


if __name__ == "__main__":
    main()
