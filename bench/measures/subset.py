"""A fixed part of the training set, without augmentation: what loss landscapes and gradients are computed on."""

from __future__ import annotations

from itertools import islice
from typing import Any

from torch import Tensor

from bench.training.trained import Trained
from lightning_modules.spiking import SpikingModule

SEED = 20231213  # of the choice, and of generated or coded samples
BATCH = 256


def training_batches(kept: Trained, module: SpikingModule, samples: int) -> list[tuple[Any, Tensor]]:
    """Input and target batches of ``samples`` training samples (a multiple of 256, or fewer), where ``module`` is.

    The same samples, with the same spikes, for every model and seed of a task; as events where the network takes them.
    Raises ``ValueError`` where the training set has fewer.
    """
    if samples > BATCH and samples % BATCH:
        raise ValueError(f"samples must be a multiple of {BATCH}, or fewer, got {samples}")
    samples = min(
        samples, kept.experiment.config["data_settings"].get("train") or samples
    )  # the smoke budget limits its training set
    plain: dict[str, Any] = {"augment": False} if kept.experiment.config["data_settings"].get("augment") else {}
    data = kept.data(**plain)
    data.seed, data.batch_size = SEED, min(samples, BATCH)
    if data.has_events and module.network.takes_events and module.device.type == "cpu":
        data.form = "events"
    chosen = []
    for x, target in islice(data.train_batches(lambda: 0), samples // data.batch_size):
        chosen.append((x.to(module.device) if isinstance(x, Tensor) else x, target.to(module.device)))
    if (there := sum(len(target) for _, target in chosen)) != samples:
        raise ValueError(f"{samples} training samples are needed, {there} are there")
    return chosen
