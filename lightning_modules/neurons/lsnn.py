"""The mixed regular and adaptive neurons of LSNN."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.neurons.base import Neuron
from lightning_modules.surrogate import spike


class LSNN(Neuron, name="lsnn"):
    """b[t] = r b[t-1] + (1 - r) S[t-1];  B[t] = b_0 + beta b[t];  V[t] = a V[t-1] + (1 - a) I[t] - B[t] S[t-1];  S[t] =
    H(V[t] - B[t])

    with a = exp(-1/tau_v), r = exp(-1/tau_a); beta is 0 for the regular neurons, which come first. A neuron that fired
    stays silent for ``refractory`` steps while V goes on. The surrogate sees the scaled voltage (V - B) / B. (Bellec et
    al. 2018, public code.) Time constants in steps of 1 ms, V in the units of b_0; starts at V = S = b = 0 and not
    refractory. Nothing in it is learned. Synaptic delays, and no connection to itself, are the layer's: see
    ``networks.synapses``.
    """

    @dataclass(frozen=True)
    class Config:
        adaptive: float = 100 / 220  # share of adaptive neurons: 100 of 220
        tau_v: float = 20.0
        tau_a: float = 700.0
        threshold: float = 0.01  # b_0
        adaptation: float = 1.8  # beta of the adaptive neurons
        refractory: int = 5  # silent steps after a spike
        surrogate: str = "lsnn"
        width: float = 0.3  # the dampening factor

        def __post_init__(self) -> None:
            if not 0.0 <= self.adaptive <= 1.0:
                raise ValueError(f"adaptive {self.adaptive} is no share between 0 and 1")
            if self.refractory < 0 or self.threshold <= 0:
                raise ValueError(
                    f"refractory must be 0 or more and threshold above 0, got {self.refractory} and {self.threshold}"
                )

    class State(NamedTuple):
        v: Tensor
        s: Tensor
        wait: Tensor  # silent steps left
        b: Tensor

    search_space = {
        "adaptation": ("float", 0.5, 4.0),
        "tau_a": ("float", 50.0, 2000.0, "log"),
        "width": ("float", 0.1, 1.0),
    }
    adaptive: Tensor  # [N], 1 for adaptive neurons

    def __init__(self, size: int, config: LSNN.Config | None = None) -> None:
        super().__init__(size, config)
        regular = size - round(self.config.adaptive * size)
        self.register_buffer("adaptive", (torch.arange(size) >= regular).float(), persistent=False)

    def drive(self, steps: int) -> dict[str, Tensor]:
        return {"adaptive": self.adaptive}

    def fire(self, v: Tensor, threshold: Tensor | float, wait: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes of the neurons that are not refractory, and the silent steps left after this one."""
        c = self.config
        s = torch.where(wait > 0.0, 0.0, spike((v - threshold) / threshold, c.surrogate, c.width))
        return s, torch.where(s > 0.0, float(c.refractory), torch.clamp(wait - 1.0, min=0.0))

    def step(  # type: ignore[override]
        self,
        state: LSNN.State,
        current: Tensor,
        adaptive: Tensor,
    ) -> tuple[LSNN.State, Tensor]:
        c = self.config
        a = math.exp(-1.0 / c.tau_v)
        r = math.exp(-1.0 / c.tau_a)
        b = r * state.b + (1.0 - r) * state.s
        threshold = c.threshold + c.adaptation * adaptive * b
        v = a * state.v + (1.0 - a) * current - threshold * state.s
        s, wait = self.fire(v, threshold, state.wait)
        return self.State(v, s, wait, b), s
