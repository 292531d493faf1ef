"""Fully connected stacks of neurons, feedforward or recurrent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules import scan
from lightning_modules.neurons import NEURONS, Neuron


class Layer(nn.Module):
    """Linear projection, optional recurrence ``V o[t-1]`` without bias, and a neuron: ``[T, B, inputs] -> [T, B, size]``."""

    def __init__(self, inputs: int, neuron: Neuron, recurrent: bool, init: str) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, neuron.size)
        if init == "xavier-normal":
            nn.init.xavier_normal_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)
        elif init != "default":
            raise ValueError(f"init {init!r} is not one of default, xavier-normal")
        self.neuron = neuron
        self.recurrent = nn.Parameter(torch.empty(neuron.size, neuron.size)) if recurrent else None
        if self.recurrent is not None:
            nn.init.uniform_(self.recurrent, -1 / math.sqrt(neuron.size), 1 / math.sqrt(neuron.size))

    @property
    def spec(self) -> scan.Dense:
        """This layer as the scan takes it."""
        return scan.Dense(self.neuron, self.linear.weight, self.linear.bias, self.recurrent)


class Activity(NamedTuple):
    """``rates``: mean output per step of each spiking layer (spikes/neuron/step); ``synops``: synaptic operations per sample."""

    rates: list[Tensor]
    synops: Tensor


class Dense(nn.Module):
    """``layers``: widths from input to output. Hidden layers are ``neuron``; the last is the same without recurrence, or ``readout``."""

    def __init__(
        self,
        layers: Sequence[int],
        neuron: str,
        settings: Mapping[str, Any],
        readout: str = "spiking",
        recurrent: bool = False,
        init: str = "default",
    ) -> None:
        super().__init__()
        if len(layers) < 2:
            raise ValueError(f"a network needs an input and an output width, got {list(layers)}")
        for name in (neuron, *([readout] if readout != "spiking" else [])):
            if name not in NEURONS:
                raise ValueError(f"unknown neuron {name!r}; known: {', '.join(sorted(NEURONS))}")
        hidden = NEURONS[neuron]
        config = hidden.Config(**settings)
        last = len(layers) - 2
        built: list[Layer] = []
        for place, (inputs, size) in enumerate(zip(layers, layers[1:], strict=False)):
            unit = NEURONS[readout](size) if place == last and readout != "spiking" else hidden(size, config)
            built.append(Layer(inputs, unit, recurrent and place < last, init))
        self.layers = nn.ModuleList(built)

    @property
    def stack(self) -> list[Layer]:
        """The layers from input to output."""
        return list(self.layers)  # type: ignore[arg-type]

    def run(self, x: Tensor) -> scan.Stacked:
        """All layers over ``x`` [T, B, inputs] in one pass over time."""
        return scan.scan_stack([layer.spec for layer in self.stack], x)

    def forward(self, x: Tensor) -> Tensor:
        """``[T, B, inputs] -> [T, B, outputs]``."""
        output = self.run(x).output
        assert output is not None
        return output

    def activity(self, x: Tensor, means: Sequence[Tensor]) -> Activity:
        """What ``run`` on ``x`` cost in spikes. An analog input (anything but 0/1) causes no synaptic operations here."""
        steps = x.shape[0]
        rates: list[Tensor] = []
        synops = x.new_zeros(())
        incoming = x.mean() if bool(((x == 0) | (x == 1)).all()) else x.new_zeros(())
        for layer, mean in zip(self.stack, means, strict=True):
            outputs, inputs = layer.linear.weight.shape
            synops = synops + incoming * inputs * outputs * steps
            if layer.neuron.spiking:
                incoming = mean.mean()
                rates.append(incoming)
                if layer.recurrent is not None:
                    synops = synops + incoming * outputs * outputs * steps
        return Activity(rates, synops)
