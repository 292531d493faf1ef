"""Test batches, accuracy and firing rates of a trained network, on the test set as it is or changed."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.training.trained import NotApplicable, Trained
from datamodules.base import SequenceData
from lightning_modules.networks.dense import Dense
from lightning_modules.scan import Input
from lightning_modules.spiking import SpikingModule, count_correct


def batches(module: SpikingModule, data: SequenceData, dense: bool = False) -> Iterator[tuple[Input, Tensor]]:
    """Input ``[T, B, N]`` and target of every test batch, on the device of ``module``.

    The input is a batch of events if the network takes them, and always a tensor with ``dense``.
    """
    if module.device.type != "cpu":
        data.place(module.device)
    elif hasattr(data, "form"):
        data.form = "events" if module.network.takes_events and not dense else "dense"
    for x, target in data.placed(data.test_batches()):
        yield x.to(module.device) if isinstance(x, Tensor) else x, target.to(module.device)


@torch.no_grad()
def accuracy(module: SpikingModule, data: SequenceData) -> tuple[float, int]:
    """Test accuracy in %, rounded as in the training history, and the number of samples."""
    right = torch.zeros((), dtype=torch.float64, device=module.device)  # read once, at the end
    samples = 0
    for x, target in batches(module, data):
        right = right + count_correct(module.objective(module(x), target, **module.loss_settings)[1], target)
        samples += len(target)
    return round(100 * float(right) / samples, 4), samples


@torch.no_grad()
def rates(trained: Trained, protocol: str) -> Iterator[tuple[list[Tensor], Tensor]]:
    """Of every test batch: spikes per step of each neuron, ``[B, N]`` for each spiking layer, and the target.

    Raises ``NotApplicable`` for a model without spikes and for networks that are not fully connected.
    """
    module = trained.module(protocol)
    network = module.network
    if not any(neuron.spiking for neuron in network.neurons):
        raise NotApplicable(f"{trained.experiment.model.title} has no spikes")
    if not isinstance(network, Dense):
        raise NotApplicable(
            "rates of single neurons are read from fully connected networks, not from"
            f" {trained.experiment.config['network']}"
        )
    for x, target in batches(module, trained.data("test")):
        means = network.run(x, output=False).means
        yield [mean for layer, mean in zip(network.stack, means, strict=True) if layer.neuron.spiking], target
