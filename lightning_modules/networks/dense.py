"""Fully connected stacks of neurons, feedforward or recurrent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules import scan
from lightning_modules.networks.base import Activity, Network, input_rate, neuron_of
from lightning_modules.neurons import Neuron


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


class Dense(Network):
    """``layers``: widths from input to output. Hidden layers are ``neuron``; the last is the same without recurrence, or ``readout``."""

    takes_events = True

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
        hidden, config = neuron_of(neuron, settings)
        output = None if readout == "spiking" else neuron_of(readout, {})[0]
        last = len(layers) - 2
        built: list[Layer] = []
        for place, (inputs, size) in enumerate(zip(layers, layers[1:], strict=False)):
            unit = output(size) if place == last and output else hidden(size, config)
            built.append(Layer(inputs, unit, recurrent and place < last, init))
        self.layers = nn.ModuleList(built)

    @property
    def stack(self) -> list[Layer]:
        """The layers from input to output."""
        return list(self.layers)  # type: ignore[arg-type]

    def run(self, x: scan.Input) -> scan.Stacked:
        """All layers over ``x`` [T, B, inputs] in one pass over time."""
        return scan.scan_stack([layer.spec for layer in self.stack], x)

    def forward(self, x: scan.Input) -> Tensor:
        """``[T, B, inputs] -> [T, B, outputs]``."""
        output = self.run(x).output
        assert output is not None
        return output

    def observe(self, x: scan.Input) -> tuple[Tensor, Activity]:
        done = self.run(x)
        assert done.output is not None
        steps = x.shape[0]
        rates: list[Tensor] = []
        synops, incoming = done.output.new_zeros(()), input_rate(x)
        for layer, mean in zip(self.stack, done.means, strict=True):
            outputs, inputs = layer.linear.weight.shape
            synops = synops + incoming * inputs * outputs * steps
            if layer.neuron.spiking:
                incoming = mean.mean()
                rates.append(incoming)
                if layer.recurrent is not None:
                    synops = synops + incoming * outputs * outputs * steps
        return done.output, Activity(rates, synops)
