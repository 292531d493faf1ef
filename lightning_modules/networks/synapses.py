"""Connections with delays, missing self-connections or fixed signs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lightning_modules import scan
from lightning_modules.neurons import Neuron


class Synapses(nn.Module):
    """Weights [outputs, inputs] of one connection each, without bias, ~ N(0, 1/inputs) (Bellec et al. 2018, public
    code).

    A synapse acts ``delay`` steps late, drawn once from 0 .. ``delays`` - 1. ``loops=False`` (outputs = inputs) leaves
    out connections of a neuron to itself. With ``signs`` [inputs], +1 for excitatory and -1 for inhibitory, weights are
    magnitudes and start ``balanced``.
    """

    delay: Tensor  # [outputs, inputs], steps
    allowed: Tensor  # [outputs, inputs]
    connected: Tensor  # [outputs, inputs]; only deep_r disconnects
    signs: Tensor | None  # [inputs]

    def __init__(
        self, inputs: int, outputs: int, delays: int = 1, loops: bool = True, signs: Tensor | None = None
    ) -> None:
        super().__init__()
        self.delays = delays
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / math.sqrt(inputs))
        self.register_buffer("delay", torch.randint(delays, (outputs, inputs)))
        self.register_buffer(
            "allowed", torch.ones(outputs, inputs).bool() if loops else ~torch.eye(outputs).bool(), persistent=False
        )
        self.register_buffer("connected", self.allowed.clone())
        self.register_buffer("signs", signs)
        if signs is not None:
            with torch.no_grad():
                self.weight.copy_(balanced(self.weight.abs(), signs))

    @property
    def matrix(self) -> Tensor:
        """The weights as they act, [outputs, inputs], 0 where nothing is connected.

        The gradient of a connection that is missing is that of a weight of 0, which an optimiser with momentum needs
        once it appears.
        """
        weight = self.weight if self.signs is None else self.weight * self.signs
        return weight * self.allowed

    @property
    def fan_out(self) -> Tensor:
        """Connections that leave each input, [inputs]."""
        return self.connected.sum(0).to(self.weight.dtype)


def balanced(magnitudes: Tensor, signs: Tensor) -> Tensor:
    """Half-normal ``magnitudes`` [outputs, inputs] scaled so that excitation equals inhibition at every neuron and the
    spectral radius of a square matrix is 1 in expectation (the public code measures eigenvalues instead), before
    anything is disconnected."""
    excitation, inhibition = ((magnitudes * (signs == s)).sum(1, keepdim=True) for s in (1, -1))
    if not bool(inhibition.any()):
        return magnitudes / excitation.mean()
    magnitudes = torch.where(signs < 0, magnitudes * excitation / inhibition, magnitudes)
    # the variance of |N(0, 1)| is 1 - 2/pi
    return magnitudes / ((1 - 2 / math.pi) * (magnitudes**2).sum(1).mean()).sqrt()


def run(neuron: Neuron, x: Tensor, incoming: Synapses, recurrent: Synapses, backend: str = "auto") -> scan.Stacked:
    """Run ``neuron`` over ``x`` [T, B, inputs] with I[t] = sum over d of W_d x[t-d] + V_d S[t-1-d], as a stack of one.

    ``backend`` as of the scan; "loop" is the PyTorch loop that the scan is tested against.
    """
    layer = scan.Dense(neuron, incoming.matrix, recurrent=recurrent.matrix)
    depth = max(incoming.delays, recurrent.delays)
    if depth > 1:
        in_flight = x.new_zeros(depth, x.shape[1], neuron.size)  # given, so that a sequence may be shorter
        layer = layer._replace(
            delays=incoming.delay, recurrent_delays=recurrent.delay, depth=depth, in_flight=in_flight
        )
    return scan.scan_stack([layer], x, backend=backend)
