"""Test batches, accuracy and layers' rates of kept weights, on the test set as it is or changed."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.training.trained import NotApplicable, Trained
from datamodules.base import SequenceData
from lightning_modules.networks.dense import Dense
from lightning_modules.scan import Input
from lightning_modules.spiking import SpikingModule, correct


def batches(module: SpikingModule, data: SequenceData, dense: bool = False) -> Iterator[tuple[Input, Tensor]]:
    """Input and target of every test batch, where ``module`` is; as events where its network takes them, unless
    ``dense``.
    """
    if hasattr(data, "form"):
        data.form = "events" if module.network.takes_events and module.device.type == "cpu" and not dense else "dense"
    for x, target in data.test_batches():
        yield x.to(module.device) if isinstance(x, Tensor) else x, target.to(module.device)


@torch.no_grad()
def accuracy(module: SpikingModule, data: SequenceData) -> tuple[float, int]:
    """Test accuracy in % as the training's history has it, and the number of samples."""
    right, seen = 0.0, 0
    for x, target in batches(module, data):
        right += correct(module.objective(module(x), target, **module.loss_settings)[1], target)
        seen += len(target)
    return round(100 * right / seen, 4), seen


@torch.no_grad()
def rates(kept: Trained, protocol: str) -> Iterator[tuple[list[Tensor], Tensor]]:
    """Of every test batch: mean output over time of each neuron of each spiking layer, ``[B, N]``, and the target.

    Raises ``NotApplicable`` for a model without spikes, and for other networks than fully connected ones.
    """
    module = kept.module(protocol)
    network, title = module.network, kept.experiment.model.title
    if not any(neuron.spiking for neuron in network.neurons):
        raise NotApplicable(f"{title} has no spikes")
    if not isinstance(network, Dense):
        raise NotApplicable(
            "rates of single neurons are read from fully connected networks, not from"
            f" {kept.experiment.config['network']}"
        )
    for x, target in batches(module, kept.data("test")):
        means = network.run(x, output=False).means
        yield [mean for layer, mean in zip(network.stack, means, strict=True) if layer.neuron.spiking], target
