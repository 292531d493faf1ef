"""The elementwise recurrence of IndRNN, not spiking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.neurons.base import Neuron


class IndRNN(Neuron, name="indrnn"):
    """h[t] = relu(I[t] + u h[t-1]), u learned per neuron (Li et al. 2018); output h. Starts at h = 0; unitless.

    |u| is kept below magnitude^(1/T), so that no gradient grows more than ``magnitude`` times over the T = ``steps`` of
    a sequence. u ~ U(0, bound); with ``long`` (the last layer of the public code) U(magnitude^(-1/T), bound), memories
    as long as the sequence.
    """

    spiking = False

    @dataclass(frozen=True)
    class Config:
        steps: int = 784  # T
        magnitude: float = 5.0
        long: bool = False

        def __post_init__(self) -> None:
            if self.steps < 1 or self.magnitude < 1.0:
                raise ValueError(f"steps and magnitude must be 1 or more, got {self.steps} and {self.magnitude}")

    class State(NamedTuple):
        h: Tensor

    search_space = {"magnitude": ("float", 1.0, 10.0)}

    def __init__(self, size: int, config: IndRNN.Config | None = None) -> None:
        super().__init__(size, config)
        self.bound = self.config.magnitude ** (1.0 / self.config.steps)
        self.u = nn.Parameter(torch.empty(size).uniform_(1.0 / self.bound if self.config.long else 0.0, self.bound))

    def constrain(self, lr: float) -> None:
        """Bring u back within its bound, after a step of the optimiser."""
        with torch.no_grad():
            self.u.clamp_(-self.bound, self.bound)

    def drive(self, steps: int) -> dict[str, Tensor]:
        return {"u": self.u}

    def step(  # type: ignore[override]
        self,
        state: IndRNN.State,
        current: Tensor,
        u: Tensor,
    ) -> tuple[IndRNN.State, Tensor]:
        h = torch.relu(current + u * state.h)
        return self.State(h), h
