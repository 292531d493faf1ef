"""Adaptive LIF as the celif paper writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.neurons.base import Neuron
from lightning_modules.surrogate import spike


class ALIFCelif(Neuron, name="alif-celif"):
    """Theta[t] = Theta_0 + beta (Theta[t-1] - Theta_0) + gamma S[t-1];  V[t] = alpha V[t-1] (1 - S[t-1]) + I[t];  S[t]
    = H(V[t] - Theta[t])

    (Chen et al. 2023, eq. 3). Starts at V = S = 0, Theta = Theta_0; unitless. The paper gives neither gamma nor Theta_0
    [U]: Theta_0 is CE-LIF's, gamma = 0.018 = 1.8 (1 - beta) is the strength of Yin et al.'s neuron at this beta.
    Nothing in it is learned.
    """

    @dataclass(frozen=True)
    class Config:
        alpha: float = 0.5
        beta: float = 0.99
        gamma: float = 0.018
        threshold: float = 0.3  # Theta_0
        surrogate: str = "boxcar"
        width: float = 0.2

    class State(NamedTuple):
        v: Tensor
        s: Tensor
        theta: Tensor

    search_space = {
        "alpha": ("float", 0.0, 1.0),
        "beta": ("float", 0.9, 1.0),
        "gamma": ("float", 1e-3, 2.0, "log"),
        "threshold": ("float", 0.1, 1.0),
    }

    def initial_state(self, batch: int, like: Tensor) -> ALIFCelif.State:
        zero = like.new_zeros(batch, self.size)
        return self.State(zero, zero, torch.full_like(zero, self.config.threshold))

    def step(self, state: ALIFCelif.State, current: Tensor) -> tuple[ALIFCelif.State, Tensor]:  # type: ignore[override]
        c = self.config
        theta = c.threshold + c.beta * (state.theta - c.threshold) + c.gamma * state.s
        v = c.alpha * state.v * (1.0 - state.s) + current
        s = spike(v - theta, c.surrogate, c.width)
        return self.State(v, s, theta), s
