"""Non-spiking readout of the delayed XOR, SHD and SSC networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.neurons.base import Neuron


class LeakyReadout(Neuron, name="leaky-readout"):
    """m[t] = a m[t-1] + (1 - a) I[t], a = sigmoid(tau) per class, tau ~ U(0, 4); output m

    (public DH-SNN code of the roles lab).
    """

    spiking = False

    @dataclass(frozen=True)
    class Config:
        pass

    class State(NamedTuple):
        m: Tensor

    def __init__(self, size: int, config: LeakyReadout.Config | None = None) -> None:
        super().__init__(size, config)
        self.tau = nn.Parameter(torch.empty(size).uniform_(0.0, 4.0))

    def drive(self, steps: int) -> dict[str, Tensor]:
        return {"a": torch.sigmoid(self.tau)}

    def step(  # type: ignore[override]
        self,
        state: LeakyReadout.State,
        current: Tensor,
        a: Tensor,
    ) -> tuple[LeakyReadout.State, Tensor]:
        m = a * state.m + (1.0 - a) * current
        return self.State(m), m
