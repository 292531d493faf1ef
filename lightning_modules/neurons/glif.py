"""Gated LIF."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.neurons.base import Neuron
from lightning_modules.surrogate import spike


def _logit(p: float) -> float:
    return math.log(p / (1.0 - p))


class GLIF(Neuron, name="glif"):
    """I'[t] = I[t] (1 - beta (1 - g[t])); V[t] = (1 - alpha (1 - tau)) V[t-1] (1 - gamma S[t-1]) - (1 - alpha) leak +
    I'[t] - (1 - gamma) reVth S[t-1];  S[t] = H(V[t] - Vth)

    (Yao et al., NeurIPS 2022, and its public code). All eight are sigmoids of free parameters: the gates alpha, beta,
    gamma, then tau, Vth, leak, reVth, and g with one value per step; each per neuron (7 + T parameters a neuron) or
    shared by the layer. Starts at V = S = 0; unitless. On sequential MNIST the celif lab's rerun has gates (0.8, 0.2,
    0.8), width 0.5 feedforward and 0.3 recurrent, AdamW 5e-3.
    """

    @dataclass(frozen=True)
    class Config:
        steps: int = 784  # T: values of g
        per_neuron: bool = True
        gates: tuple[float, float, float] = (0.6, 0.8, 0.6)  # i; a gate starts at 0.5 + (i - 0.5) / 2
        random_gates: bool = False  # or at sigmoid(U(-0.1, 0.1))
        tau: float = 0.25
        threshold: float = 0.5  # Vth and reVth
        leak: float = 0.0625  # Vth / (2 * 4 steps)
        conductance: float = 0.5  # g
        surrogate: str = "boxcar"
        width: float = 0.5

        def __post_init__(self) -> None:
            if self.steps < 1:
                raise ValueError(f"g needs at least one step, got {self.steps}")
            if len(self.gates) != 3 or not all(-0.5 < i < 1.5 for i in self.gates):
                raise ValueError(f"gates {self.gates} are not three values between -0.5 and 1.5")

    class State(NamedTuple):
        v: Tensor
        s: Tensor

    search_space = {"tau": ("float", 0.05, 0.95), "threshold": ("float", 0.1, 0.9), "width": ("float", 0.1, 1.0)}

    def __init__(self, size: int, config: GLIF.Config | None = None) -> None:
        super().__init__(size, config)
        c = self.config
        shape = (size,) if c.per_neuron else ()
        for name, i in zip(("alpha", "beta", "gamma"), c.gates, strict=True):
            start = torch.full(shape, _logit(0.5 + (i - 0.5) / 2))
            setattr(self, name, nn.Parameter(start.uniform_(-0.1, 0.1) if c.random_gates else start))
        for name, value in (("tau", c.tau), ("vth", c.threshold), ("leak", c.leak), ("revth", c.threshold)):
            setattr(self, name, nn.Parameter(torch.full(shape, _logit(value))))
        self.g = nn.Parameter(torch.full((c.steps, size if c.per_neuron else 1), _logit(c.conductance)))

    def drive(self, steps: int) -> dict[str, Tensor]:
        if steps > self.g.shape[0]:
            raise ValueError(f"g has {self.g.shape[0]} values, the input {steps} steps: set Config.steps")
        names = ("alpha", "beta", "gamma", "tau", "vth", "leak", "revth")
        return {name: torch.sigmoid(getattr(self, name)) for name in names} | {"g": torch.sigmoid(self.g[:steps])}

    def step(  # type: ignore[override]
        self,
        state: GLIF.State,
        current: Tensor,
        alpha: Tensor,
        beta: Tensor,
        gamma: Tensor,
        tau: Tensor,
        vth: Tensor,
        leak: Tensor,
        revth: Tensor,
        g: Tensor,
    ) -> tuple[GLIF.State, Tensor]:
        retained = (1.0 - alpha * (1.0 - tau)) * state.v * (1.0 - gamma * state.s) - (1.0 - alpha) * leak
        v = retained + current * (1.0 - beta * (1.0 - g)) - (1.0 - gamma) * revth * state.s
        s = spike(v - vth, self.config.surrogate, self.config.width)
        return self.State(v, s), s
