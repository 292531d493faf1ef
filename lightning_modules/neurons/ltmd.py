"""LIF with a learned threshold, of LTMD (learnable thresholding and moderate dropout)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.neurons.base import Neuron
from lightning_modules.surrogate import spike


class LTMD(Neuron, name="ltmd"):
    """V[t] = tau V[t-1] (1 - S[t-1]) + I[t];  S[t] = H(V[t] - tanh(k)), one k learned per layer (Wang et al. 2022,
    public code).

    tau = 0.25; k = 0.5 at first, a threshold of 0.462. Starts at V = S = 0; unitless. LTMD's second half, moderate
    dropout (two stochastic passes held together by their divergence), was made for images; whether celif kept it is not
    said [U]: it is left out.
    """

    @dataclass(frozen=True)
    class Config:
        decay: float = 0.25  # tau
        k: float = 0.5  # atanh of the threshold before training
        surrogate: str = "rect"
        width: float = 0.5

    class State(NamedTuple):
        v: Tensor
        s: Tensor

    search_space = {"decay": ("float", 0.1, 0.95), "k": ("float", 0.1, 1.0), "width": ("float", 0.1, 1.0)}

    def __init__(self, size: int, config: LTMD.Config | None = None) -> None:
        super().__init__(size, config)
        self.k = nn.Parameter(torch.tensor(self.config.k))

    def drive(self, steps: int) -> dict[str, Tensor]:
        return {"threshold": torch.tanh(self.k)}

    def step(  # type: ignore[override]
        self,
        state: LTMD.State,
        current: Tensor,
        threshold: Tensor,
    ) -> tuple[LTMD.State, Tensor]:
        c = self.config
        v = c.decay * state.v * (1.0 - state.s) + current
        s = spike(v - threshold, c.surrogate, c.width)
        return self.State(v, s), s
