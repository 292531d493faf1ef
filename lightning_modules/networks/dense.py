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

INITS = ("default", "xavier-normal", "xavier-orthogonal", "xavier-zero")
LINEAR = ("linear", "linear-mean", "linear-last")
STARTS = ("own", "uniform")


class Layer(nn.Module):
    """Linear projection, optional recurrence ``V o[t-1] (+ bias)``, and a neuron: ``[T, B, inputs] -> [T, B, size]``.

    ``init``: "default" is the framework's; "xavier-normal" has Xavier-normal weights and biases 0; "xavier-orthogonal"
    and "xavier-zero" Xavier-uniform weights, recurrent ones orthogonal or 0, and all biases 0 (Yin et al.'s ALIF on
    S-MNIST and on PS-MNIST).
    """

    def __init__(self, inputs: int, neuron: Neuron, recurrent: bool, init: str, recurrent_bias: bool = False) -> None:
        super().__init__()
        if init not in INITS:
            raise ValueError(f"init {init!r} is not one of {', '.join(INITS)}")
        self.linear = nn.Linear(inputs, neuron.size)
        if init != "default":
            (nn.init.xavier_normal_ if init == "xavier-normal" else nn.init.xavier_uniform_)(self.linear.weight)
            nn.init.zeros_(self.linear.bias)
        self.neuron = neuron
        self.recurrent = nn.Parameter(torch.empty(neuron.size, neuron.size)) if recurrent else None
        self.recurrent_bias = nn.Parameter(torch.empty(neuron.size)) if recurrent and recurrent_bias else None
        for parameter in (self.recurrent, self.recurrent_bias):
            if parameter is not None:
                nn.init.uniform_(parameter, -1 / math.sqrt(neuron.size), 1 / math.sqrt(neuron.size))
                if init in ("xavier-orthogonal", "xavier-zero"):
                    (nn.init.orthogonal_ if init == "xavier-orthogonal" and parameter.dim() == 2 else nn.init.zeros_)(
                        parameter
                    )

    @property
    def spec(self) -> scan.Dense:
        """This layer as the scan takes it."""
        return scan.Dense(self.neuron, self.linear.weight, self.linear.bias, self.recurrent, self.recurrent_bias)


class Dense(Network):
    """``layers``: widths from input to output. Hidden layers are ``neuron``; the last is the same without recurrence,
    or ``readout``.

    ``readout`` is a neuron's name, or a plain linear layer: "linear" at every step, "linear-mean" averaged over time,
    "linear-last" at the last step. ``recurrent_layers`` limits recurrence to that many first hidden layers;
    ``recurrent_bias`` gives it a bias; ``detach_every`` k truncates backpropagation every k steps. ``start`` "own"
    begins with each neuron's own initial state, "uniform" with every state drawn from U(0, 1) at every pass, the last
    one also the output before the first step (public DH-SNN code of the roles lab); in evaluation the draw is the same
    at every pass.
    """

    takes_events = True

    def __init__(
        self,
        layers: Sequence[int],
        neuron: str,
        settings: Mapping[str, Any],
        readout: str = "spiking",
        recurrent: bool = False,
        init: str = "default",
        recurrent_layers: int | None = None,
        recurrent_bias: bool = False,
        detach_every: int | None = None,
        start: str = "own",
    ) -> None:
        super().__init__()
        if start not in STARTS:
            raise ValueError(f"start {start!r} is not one of {', '.join(STARTS)}")
        if len(layers) < 2 + (readout in LINEAR):
            raise ValueError(
                "a network needs an input and an output width (and a hidden one before a linear readout), got "
                f"{list(layers)}"
            )
        hidden, config = neuron_of(neuron, settings)
        output = None if readout == "spiking" or readout in LINEAR else neuron_of(readout, {})[0]
        last = len(layers) - 2
        self.readout = readout
        self.detach_every = detach_every
        self.start = start
        deep = last if recurrent_layers is None else recurrent_layers
        shared = hidden.shared(layers[1:] if readout == "spiking" else layers[1:-1], config)
        built: list[Layer] = []
        for place, (inputs, size) in enumerate(zip(layers, layers[1:], strict=False)):
            if place == last and readout in LINEAR:
                break
            unit = output(size) if place == last and output else hidden(size, config, **shared)
            built.append(Layer(inputs, unit, recurrent and place < min(last, deep), init, recurrent_bias))
        self.layers = nn.ModuleList(built)
        self.head = nn.Linear(layers[-2], layers[-1]) if readout in LINEAR else None

    @property
    def stack(self) -> list[Layer]:
        """The layers of neurons from input to output."""
        return list(self.layers)  # type: ignore[arg-type]

    def run(self, x: scan.Input, **options: Any) -> scan.Stacked:
        """All layers of neurons over ``x`` [T, B, inputs] in one pass over time; ``options`` of ``scan.scan_stack``."""
        options.setdefault("output", self.readout != "linear-mean")
        return scan.scan_stack(self.specs(x.shape[1]), x, detach_every=self.detach_every, **options)

    def specs(self, batch: int) -> list[scan.Dense]:
        """The layers as the scan takes them, with the states that they start from."""
        specs = [layer.spec for layer in self.stack]
        if self.start == "uniform":
            generator = None if self.training else torch.Generator().manual_seed(0)
            specs = [self._drawn(spec, batch, generator) for spec in specs]
        return specs

    def hidden_spikes(self, x: scan.Input) -> list[Tensor]:
        spikes: list[Tensor] = []
        layers = self.stack if self.head is not None else self.stack[:-1]
        for layer, spec in zip(layers, self.specs(x.shape[1]), strict=False):
            output = scan.scan_stack([spec], x).output
            assert output is not None
            x = output
            if layer.neuron.spiking:
                spikes.append(output)
        return spikes

    @staticmethod
    def _drawn(spec: scan.Dense, batch: int, generator: torch.Generator | None) -> scan.Dense:
        """``spec`` with a state from U(0, 1), drawn on the CPU: the same on every device.

        The host does not wait for a copy to a card: the memory is not pinned, so it can be freed at once.
        """
        assert spec.weight is not None
        like = spec.neuron.initial_state(batch, spec.weight)
        state = [torch.rand(part.shape, generator=generator).to(part, non_blocking=True) for part in like]
        return spec._replace(state=like._make(state), previous=state[-1])

    def read_out(self, result: scan.Stacked) -> Tensor:
        """The network's output from what the layers gave."""
        if self.readout == "linear-mean":  # the mean of a linear layer is that layer of the mean
            return self.head(result.means[-1])[None]  # type: ignore[misc]
        assert result.output is not None
        if self.head is None:
            return result.output
        return self.head(result.output[-1:] if self.readout == "linear-last" else result.output)

    def forward(self, x: scan.Input) -> Tensor:
        """``[T, B, inputs] -> [T, B, outputs]``, or ``[1, B, outputs]`` for a readout of the mean or the last step."""
        return self.read_out(self.run(x))

    def dense_macs(self, steps: int) -> int:
        return steps * self.stack[0].linear.weight.numel()

    def dense_operations(self, steps: int) -> int:
        return self._synaptic_operations(1, [1] * len(self.stack), steps)

    def _synaptic_operations(self, incoming: Any, rates: Sequence[Any], steps: int) -> Any:
        """Synaptic operations of one sample, from the mean rates of the input and of each layer's neurons."""
        operations: Any = 0
        for layer, rate in zip(self.stack, rates, strict=True):
            outputs, inputs = layer.linear.weight.shape
            operations = operations + incoming * inputs * outputs * steps
            if layer.neuron.spiking:
                incoming = rate
                if layer.recurrent is not None:
                    operations = operations + incoming * outputs * outputs * steps
        if self.head is None:
            return operations
        return operations + incoming * self.head.weight.numel() * (1 if self.readout == "linear-last" else steps)

    def observe(self, x: scan.Input) -> tuple[Tensor, Activity]:
        result = self.run(x)
        means = [mean.mean() for mean in result.means]
        rates = [mean for layer, mean in zip(self.stack, means, strict=True) if layer.neuron.spiking]
        return self.read_out(result), Activity(rates, self._synaptic_operations(input_rate(x), means, x.shape[0]))
