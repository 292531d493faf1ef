"""The base class of networks: what the LightningModule needs from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.neurons import NEURONS, Neuron
from lightning_modules.scan import Input


class Activity(NamedTuple):
    """What a forward pass cost in spikes.

    ``rates``: mean output per step of each spiking layer (spikes/neuron/step); ``synops``: synaptic operations per
    sample.
    """

    rates: list[Tensor]
    synops: Tensor


class Network(nn.Module):
    """``forward`` maps ``[T, B, ...] -> [T, B, classes]``; T = 1 where the readout averages over time or takes the last
    step.

    With ``takes_events`` also from a ``scan.EventInput`` of that shape.
    """

    takes_events: ClassVar[bool] = False
    penalty: Tensor | None = None  # what the last forward pass adds to the loss in training

    @property
    def parameter_count(self) -> int:
        """Trained parameters as the papers count them."""
        return sum(p.numel() for p in self.parameters())

    @property
    def neurons(self) -> list[Neuron]:
        """The neurons, one entry a layer."""
        return [m for m in self.modules() if isinstance(m, Neuron)]

    @property
    def connection_sparsity(self) -> float:
        """Share of the weights between layers that connect nothing (NeuroBench)."""
        return 0.0

    def dense_operations(self, steps: int) -> int:
        """Synaptic operations of one sample if every input and every neuron fired in every step.

        NeuroBench calls them dense. Raises ``NotImplementedError`` for a spiking network that does not count them.
        """
        if any(neuron.spiking for neuron in self.neurons):
            raise NotImplementedError(f"{type(self).__name__} does not count the operations of a network that fires")
        return self.dense_macs(steps)

    def dense_macs(self, steps: int) -> int:
        """Multiply-accumulates of one sample in products that spikes do not make sparse.

        These are the input layer's, or all products where nothing spikes.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not say how many multiplications its dense products take"
        )

    def hidden_spikes(self, x: Tensor) -> list[Tensor]:
        """Output of each spiking hidden layer, [T, B, N], from input to output. Raises ``ValueError`` for a network
        that does not give them.
        """
        raise ValueError("spikes of layers are given by the networks dense and lsnn, not by this one")

    def observe(self, x: Tensor) -> tuple[Tensor, Activity]:
        """The same output as ``forward``, with what it cost in spikes; nothing for a network without neurons."""
        output = self(x)
        return output, Activity([], output.new_zeros(()))


def check_fit(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Raise ``ValueError``, naming the first difference, unless ``state`` has weights of this network's shapes."""
    own = network.state_dict()
    differences = [
        f"{name} is {list(own[name].shape)}, there {list(value.shape)}"
        for name, value in state.items()
        if name in own and own[name].shape != value.shape
    ]
    differences += [f"{name} is missing there" for name in own if name not in state]
    differences += [f"it has {name} too" for name in state if name not in own]
    if differences:
        raise ValueError(f"the checkpoint is of another network: {differences[0]}")


def neuron_of(name: str, settings: Mapping[str, Any]) -> tuple[type[Neuron], Any]:
    """Class and Config of neuron ``name``.

    Raises ``ValueError`` naming the known neurons, the settings it has, or the type of a setting.
    """
    if name not in NEURONS:
        raise ValueError(f"unknown neuron {name!r}; known: {', '.join(sorted(NEURONS))}")
    kind = NEURONS[name]
    known = getattr(kind.Config, "__dataclass_fields__", {})
    if extra := sorted(set(settings) - set(known)):
        raise ValueError(f"{name} has no setting {', '.join(extra)}; it has: {', '.join(known)}")
    for field in known.values():
        value = settings.get(field.name)
        kinds = _KINDS.get(type(field.default), ())
        if field.name in settings and kinds and type(value) not in kinds:
            raise ValueError(f"{name} setting {field.name} is of the kind of {field.default!r}, got {value!r}")
    return kind, kind.Config(**settings)


# by the type of a default
_KINDS: dict[type, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float), str: (str,)}


def input_rate(x: Input) -> Tensor:
    """Mean spikes per input and step; 0 for an analog input (anything but 0/1), which causes no synaptic operations."""
    values = x if isinstance(x, Tensor) else x.values
    spikes = ((values == 0) | (values == 1)).all()
    return torch.where(spikes, values.sum() / math.prod(x.shape), 0.0)
