"""A fixed part of the training set, without augmentation, on which loss landscapes and gradients are computed."""

from __future__ import annotations

from itertools import islice
from typing import Any

from torch import Tensor

from bench.training.trained import Trained
from lightning_modules.spiking import SpikingModule

SEED = 20231213  # chooses the samples; generated or encoded samples are drawn with it
BATCH = 256


def training_batches(trained: Trained, module: SpikingModule, samples: int) -> list[tuple[Any, Tensor]]:
    """Input and target batches of ``samples`` training samples, on the device of ``module``.

    Every model and seed of a task gets the same samples with the same spikes. The input is a batch of events if the
    network takes them. Raises ``ValueError`` if ``samples`` is above 256 and no multiple of it, or if the training set
    has fewer.
    """
    if samples > BATCH and samples % BATCH:
        raise ValueError(f"samples must be a multiple of {BATCH}, or fewer, got {samples}")
    settings = trained.experiment.config["data_settings"]
    samples = min(samples, settings.get("train") or samples)  # the smoke budget limits its training set
    changes: dict[str, Any] = {"augment": False} if settings.get("augment") else {}
    data = trained.data(**changes)
    data.seed = SEED
    data.batch_size = min(samples, BATCH)
    if module.device.type != "cpu":
        data.place(module.device)
    elif data.has_events and module.network.takes_events:
        data.form = "events"
    batches = [
        (x.to(module.device) if isinstance(x, Tensor) else x, target.to(module.device))
        for x, target in islice(data.placed(data.train_batches(lambda: 0)), samples // data.batch_size)
    ]
    if (available := sum(len(target) for _, target in batches)) != samples:
        raise ValueError(f"{samples} training samples are needed, {available} are there")
    return batches
