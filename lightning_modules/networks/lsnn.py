"""The recurrent network of LSNN (Bellec et al. 2018, public sequential MNIST script), with any neuron of the suite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules.networks.base import Activity, Network, input_rate, neuron_of
from lightning_modules.networks.deep_r import DeepR
from lightning_modules.networks.synapses import Synapses, run
from lightning_modules.scan import Stacked


class LSNNNetwork(Network):
    """``layers``: inputs, recurrently connected neurons, classes. ``[T, B, inputs] -> [1, B, classes]``.

    Synaptic delays are uniform in 0 .. ``delays`` - 1 extra steps, no neuron connects to itself, nothing has a bias
    (the public code has one in the readout, which the published number of parameters leaves out). The readout filters
    spikes with exp(-1/``tau_out``), maps them linearly, and averages over the ``last`` steps. Training adds
    ``rate_weight`` sum (mean rate - ``rate``)^2 over the neurons. With ``connectivity`` the network is sparse and DEEP
    R rewires it: ``excitatory`` of inputs and neurons excite, the others inhibit.

    Raises ``ValueError`` for other than three layers, another readout or init, or a network that is not recurrent.
    """

    backend = "auto"  # of the scan

    def __init__(
        self,
        layers: Sequence[int],
        neuron: str,
        settings: Mapping[str, Any],
        readout: str = "filtered-mean",
        recurrent: bool = True,
        init: str = "default",
        delays: int = 10,
        connectivity: float | None = None,
        l1: float = 1e-2,
        temperature: float = 0.0,
        excitatory: float = 0.75,
        tau_out: float = 20.0,
        last: int = 28,
        rate: float = 0.01,
        rate_weight: float = 0.1,
    ) -> None:
        super().__init__()
        if len(layers) != 3 or readout != "filtered-mean" or not recurrent or init != "default":
            raise ValueError(
                "lsnn takes inputs, one recurrent layer and classes, the filtered-mean readout and the default init, "
                f"got {list(layers)}, recurrent {recurrent}, {readout!r}, {init!r}"
            )
        if delays < 1 or last < 1:
            raise ValueError(f"delays and last must be 1 or more, got {delays} and {last}")
        inputs, size, classes = layers
        kind, config = neuron_of(neuron, settings)
        self.neuron = kind(size, config, **kind.shared((size,), config))
        sparse = connectivity is not None
        of_inputs = signs(inputs, excitatory)[torch.randperm(inputs)] if sparse else None
        of_neurons = signs(size, excitatory) if sparse else None
        self.incoming = Synapses(inputs, size, delays, signs=of_inputs)
        self.recurrent = Synapses(size, size, delays, loops=False, signs=of_neurons)
        self.head = Synapses(size, classes, signs=of_neurons)
        if connectivity is None:
            nn.init.xavier_uniform_(self.head.weight)
        self.rewiring = (
            None
            if connectivity is None
            else DeepR((self.incoming, self.recurrent, self.head), connectivity, l1, temperature)
        )
        self.decay = math.exp(-1.0 / tau_out)
        self.last = last
        self.rate = rate
        self.rate_weight = rate_weight

    @property
    def parameter_count(self) -> int:
        """Weights that are there: of a sparse network the connections."""
        own = sum(p.numel() for p in self.neuron.parameters())
        if self.rewiring is not None:
            return own + self.rewiring.count
        return own + sum(s.weight.numel() for s in (self.incoming, self.recurrent, self.head))

    def run(self, x: Tensor) -> Stacked:
        """The recurrent neurons over ``x`` [T, B, inputs]: their spikes [T, B, N] and mean rates [B, N]."""
        if x.shape[0] < self.last:
            raise ValueError(f"the readout averages the last {self.last} steps, the sequence has {x.shape[0]}")
        return run(self.neuron, x, self.incoming, self.recurrent, self.backend)

    def spikes(self, x: Tensor) -> Tensor:
        """Of the recurrent neurons, [T, B, N]."""
        output = self.run(x).output
        assert output is not None
        return output

    def hidden_spikes(self, x: Tensor) -> list[Tensor]:
        return [self.spikes(x)]

    def read_out(self, spikes: Tensor) -> Tensor:
        """Filter, mean over the last steps and linear map are linear: a weighted sum over time comes first."""
        steps = spikes.shape[0]
        past = torch.arange(steps, dtype=torch.float64)
        # how many of the averaged steps come at or after each step
        reach = torch.minimum(steps - past, torch.tensor(float(self.last)))
        age = torch.clamp(steps - self.last - past, min=0)  # steps until the first of them
        # (1 - d) times the geometric sum of what is left of a spike
        weight = self.decay**age * (1 - self.decay**reach) / self.last
        filtered = (weight.to(spikes, non_blocking=True) @ spikes.flatten(1)).view(spikes.shape[1:])
        return filtered @ self.head.matrix.t()

    def forward(self, x: Tensor) -> Tensor:
        result = self.run(x)
        assert result.output is not None
        rates = result.means[0].mean(0)  # of the neurons
        self.penalty = self.rate_weight * ((rates - self.rate) ** 2).sum() if self.training else None
        return self.read_out(result.output)[None]

    def dense_macs(self, steps: int) -> int:
        return steps * self.incoming.weight.numel()

    @property
    def connection_sparsity(self) -> float:
        connected = [synapses.connected for synapses in (self.incoming, self.recurrent, self.head)]
        return 1 - sum(int(part.sum()) for part in connected) / sum(part.numel() for part in connected)

    def dense_operations(self, steps: int) -> int:
        return steps * sum(synapses.weight.numel() for synapses in (self.incoming, self.recurrent, self.head))

    def observe(self, x: Tensor) -> tuple[Tensor, Activity]:
        result = self.run(x)
        assert result.output is not None
        per_neuron = result.means[0].mean(0) * len(x)
        analog = input_rate(x) == 0
        arriving = torch.where(analog, 0.0, x.sum(0).mean(0) @ self.incoming.fan_out)
        synops = arriving + per_neuron @ (self.recurrent.fan_out + self.head.fan_out)
        return self.read_out(result.output)[None], Activity([result.means[0].mean()], synops)


def signs(size: int, excitatory: float) -> Tensor:
    """-1 for inhibitory neurons, which come first, +1 for the int(``excitatory`` size) + 1 others (public code)."""
    count = min(int(excitatory * size) + 1, size)
    return torch.where(torch.arange(size) < size - count, -1.0, 1.0)
