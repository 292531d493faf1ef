"""A neuron as a user would write it, unknown to the package: ``bench speed`` times it, and tests hold it to the
promises of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.neurons.base import Neuron
from lightning_modules.surrogate import spike


class Resonant(Neuron):
    """A damped oscillator with a spike-driven threshold: three states, two learnable parameters per neuron.

    x[t] = d x[t-1] - w y[t-1] + I[t];  y[t] = d y[t-1] + w x[t-1];  q[t] = 0.9 q[t-1] + S[t-1];  S[t] = H(x[t] - 0.5 -
    q[t]), S[t-1] from the states of the step before.
    """

    @dataclass(frozen=True)
    class Config:
        width: float = 0.5

    class State(NamedTuple):
        x: Tensor
        y: Tensor
        q: Tensor

    def __init__(self, size: int, config: Config | None = None) -> None:
        super().__init__(size, config)
        self.damping = nn.Parameter(torch.empty(size).uniform_(1.0, 3.0))
        self.frequency = nn.Parameter(torch.empty(size).uniform_(0.05, 0.3))

    def drive(self, steps: int) -> dict[str, Tensor]:
        return {"d": torch.sigmoid(self.damping), "w": self.frequency}

    def step(  # type: ignore[override]
        self,
        state: State,
        current: Tensor,
        d: Tensor,
        w: Tensor,
    ) -> tuple[State, Tensor]:
        q = 0.9 * state.q + spike(state.x - 0.5 - state.q, "triangular", self.config.width)
        x = d * state.x - w * state.y + current
        y = d * state.y + w * state.x
        return self.State(x, y, q), spike(x - 0.5 - q, "triangular", self.config.width)
