"""Test batches and accuracy of kept weights, on the test set as it is or changed."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from datamodules.base import SequenceData
from lightning_modules.scan import Input
from lightning_modules.spiking import SpikingModule, correct


def batches(module: SpikingModule, data: SequenceData) -> Iterator[tuple[Input, Tensor]]:
    """Input and target of every test batch, where ``module`` is; as events where its network takes them."""
    if hasattr(data, "form") and module.network.takes_events and module.device.type == "cpu":
        data.form = "events"
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
