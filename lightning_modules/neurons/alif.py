"""Adaptive LIF of Yin, Corradi and Bohte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.neurons.base import Neuron
from lightning_modules.surrogate import spike


class ALIF(Neuron, name="alif"):
    """b[t] = r b[t-1] + (1 - r) S[t-1];  B[t] = b_0 + 1.8 b[t];  V[t] = a V[t-1] + (1 - a) I[t] - B[t] S[t-1];  S[t] =
    H(V[t] - B[t])

    with a = exp(-1/tau_m), r = exp(-1/tau_adp), both time constants (in steps) learned per neuron, unconstrained (Yin,
    Corradi, Bohte 2021, public code). Soft reset by B. Starts at V = S = 0, b = b_0; unitless. The public code draws
    V[0] and S[0] from U(0, 0.01) at every pass; here they are 0, so that a result does not depend on the batch. Its
    networks have Xavier-uniform weights, biases 0, and recurrent weights orthogonal (S-MNIST) or 0 (PS-MNIST); tau_adp
    learns at 3 times, tau_m at 2 times the rate of the weights. With ``scale_input=False`` the current counts whole,
    and ``b_start`` is b before the first step: both as in public neuroseqbench code (Ma et al. 2025).
    """

    @dataclass(frozen=True)
    class Config:
        threshold: float = 0.01  # b_0
        adaptation: float = 1.8
        tau_m: float = 20.0  # mean of the initial values, in steps
        tau_m_std: float = 5.0
        tau_adp: float = 700.0  # 700 for S-MNIST, 200 for PS-MNIST
        tau_adp_std: float = 25.0
        scale_input: bool = True  # the current counts (1 - a) times
        b_start: float | None = None  # b before the first step; None is b_0
        surrogate: str = "multi_gaussian"
        width: float = 0.5

    class State(NamedTuple):
        v: Tensor
        s: Tensor
        b: Tensor

    search_space = {
        "tau_m": ("float", 5.0, 100.0, "log"),
        "tau_adp": ("float", 50.0, 1000.0, "log"),
        "width": ("float", 0.1, 1.0),
    }

    def __init__(self, size: int, config: ALIF.Config | None = None) -> None:
        super().__init__(size, config)
        c = self.config
        self.tau_m = nn.Parameter(torch.empty(size).normal_(c.tau_m, c.tau_m_std))
        self.tau_adp = nn.Parameter(torch.empty(size).normal_(c.tau_adp, c.tau_adp_std))

    def initial_state(self, batch: int, like: Tensor) -> ALIF.State:
        c = self.config
        zero = like.new_zeros(batch, self.size)
        return self.State(zero, zero, torch.full_like(zero, c.threshold if c.b_start is None else c.b_start))

    def drive(self, steps: int) -> dict[str, Tensor]:
        return {"a": torch.exp(-1.0 / self.tau_m), "r": torch.exp(-1.0 / self.tau_adp)}

    def step(  # type: ignore[override]
        self,
        state: ALIF.State,
        current: Tensor,
        a: Tensor,
        r: Tensor,
    ) -> tuple[ALIF.State, Tensor]:
        c = self.config
        b = r * state.b + (1.0 - r) * state.s
        threshold = c.threshold + c.adaptation * b
        if c.scale_input:
            current = (1.0 - a) * current
        v = a * state.v + current - threshold * state.s
        s = spike(v - threshold, c.surrogate, c.width)
        return self.State(v, s, b), s
