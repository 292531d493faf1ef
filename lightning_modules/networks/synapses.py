"""Connections with delays, missing self-connections or fixed signs, and the loop over time that delays need."""

from __future__ import annotations

import ctypes
import math
import os
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from lightning_modules import scan
from lightning_modules.neurons import Neuron

_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None


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
    def matrices(self) -> Tensor:
        """[delays, outputs, inputs]: ``matrices[d]`` acts d steps late."""
        steps = torch.arange(self.delays, device=self.delay.device)[:, None, None]
        return self.matrix * (self.delay == steps)

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


def run(neuron: Neuron, x: Tensor, incoming: Synapses, recurrent: Synapses) -> Tensor:
    """Output [T, B, N] of ``neuron`` given ``x`` [T, B, inputs]: I[t] = sum over d of W_d x[t-d] + V_d S[t-1-d].

    Delayed spikes cannot go through the fused scan, whose recurrence knows the step before only: with delays this is a
    PyTorch loop with a buffer of the currents to come, as in the public LSNN code. Only the states at the head of every
    ~sqrt(T) steps are kept for the backward pass, which recomputes the rest: all of them would be gigabytes.
    """
    if incoming.delays == recurrent.delays == 1:
        return scan.scan_dense(neuron, x, incoming.matrix, recurrent=recurrent.matrix).output
    size = neuron.size
    depth = max(incoming.delays, recurrent.delays)
    matrices = [_padded_matrices(incoming, depth), _padded_matrices(recurrent, depth)]
    weight = torch.cat(matrices, 2).flatten(0, 1)  # [depth N, inputs + N]
    steps, batch = x.shape[:2]
    drive = {
        name: value.unbind(0) if value.dim() == 2 else [value] * steps for name, value in neuron.drive(steps).items()
    }

    def run_segment(start: int, x: Tensor, coming: Tensor, output: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        now: Any = neuron.State(*state)
        outputs = []
        for t, at_t in enumerate(x.unbind(0), start):
            coming = coming + functional.linear(torch.cat([at_t, output], 1), weight)
            now, output = neuron.step(now, coming[:, :size], **{name: value[t] for name, value in drive.items()})
            coming = functional.pad(coming[:, size:], (0, size))
            outputs.append(output)
        return torch.stack(outputs), coming, *now

    state: tuple[Tensor, ...] = tuple(neuron.initial_state(batch, x))
    coming = x.new_zeros(batch, depth * size)
    output = x.new_zeros(batch, size)
    segments = []
    every = math.isqrt(steps - 1) + 1
    for start in range(0, steps, every):
        segment, coming, *state_list = checkpoint(
            run_segment,
            start,
            x[start : start + every],
            coming,
            output,
            *state,
            use_reentrant=False,
            preserve_rng_state=False,
        )
        output = segment[-1]
        state = tuple(state_list)
        segments.append(segment)
        return_free_memory()
        if segment.requires_grad:
            segment.register_hook(return_free_memory)
    return torch.cat(segments)


def return_free_memory(_: Tensor | None = None) -> None:
    """Return free memory to the system, where the C library is glibc: the aligned blocks that PyTorch asks for leave
    gaps in its heap that it does not use again, several times what is needed after a few steps."""
    if _TRIM is not None:
        _TRIM(0)


def _padded_matrices(synapses: Synapses, depth: int) -> Tensor:
    return functional.pad(synapses.matrices, (0, 0, 0, 0, 0, depth - synapses.delays))
