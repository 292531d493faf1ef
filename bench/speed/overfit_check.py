"""python -m bench.speed.overfit_check: can the CIFAR10 task's LIF-ResNet18 learn a few images by heart?

Its recipe without augmentation, with a smaller batch and a higher rate, on the first images of the CIFAR10 subset; the
accuracy is that on the very images it was trained on, in evaluation mode. Never a result of a table.
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
from datamodules.sources import DataError
from lightning_modules.spiking import SpikingModule


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
    begun, accuracy, epoch = time.perf_counter(), 0.0, 0
    while epoch < epochs and accuracy < goal:
        total = 0.0
        module.train()
        for x, labels in data.train_batches(lambda epoch=epoch: epoch):  # type: ignore[misc]
            loss, _ = module.objective(module(x), labels, **module.loss_settings)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(labels)
        epoch += 1
        module.eval()
        with torch.no_grad():
            right = sum(
                int((module.objective(module(x), labels, **module.loss_settings)[1].argmax(1) == labels).sum())
                for x, labels in data.train_batches(lambda: 0)
            )
        accuracy = 100 * right / count
        click.echo(
            f"epoch {epoch}: loss {total / count:.4f}, accuracy {accuracy:.1f} %, {time.perf_counter() - begun:.0f} s",
            err=True,
        )
    found = {"images": count, "epochs": epoch, "accuracy": accuracy, "seconds": round(time.perf_counter() - begun)}
    click.echo(
        json.dumps(found)
        if as_json
        else f"{accuracy:.1f} % of {count} images after {epoch} epochs, {found['seconds']} s"
    )
    sys.exit(accuracy < goal)


if __name__ == "__main__":
    main()
