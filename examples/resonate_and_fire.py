"""A neuron of one's own and its rows in tables of two papers: python -m bench run roles-6 --plugin FILE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bench.spec.model import Model
from bench.spec.own import Row
from lightning_modules.neurons import Neuron
from lightning_modules.surrogate import spike


class ResonateAndFire(Neuron, name="resonate-and-fire"):
    """z[t] = exp(-damping + i omega) z[t-1] + I[t], z = x + i y;  o[t] = H(y[t] - threshold); after a spike z = i.

    Izhikevich (2001), Resonate-and-fire neurons, Neural Networks 14, eq. 1 and 2, in steps of 1. Every neuron learns
    its omega. Starts at z = 0.
    """

    @dataclass(frozen=True)
    class Config:
        damping: float = 0.05
        lowest: float = 0.05  # omega ~ U(lowest, highest), in radians a step
        highest: float = 0.8
        threshold: float = 1.0
        surrogate: str = "multi_gaussian"
        width: float = 0.5

    class State(NamedTuple):
        x: Tensor
        y: Tensor
        o: Tensor

    search_space = {"damping": ("float", 0.01, 0.3), "threshold": ("float", 0.3, 1.5)}

    def __init__(self, size: int, config: Config | None = None) -> None:
        super().__init__(size, config)
        self.omega = nn.Parameter(torch.empty(size).uniform_(self.config.lowest, self.config.highest))

    def drive(self, steps: int) -> dict[str, Tensor]:
        decay = torch.exp(torch.tensor(-self.config.damping))
        return {"c": decay * torch.cos(self.omega), "s": decay * torch.sin(self.omega)}

    def step(self, state: State, current: Tensor, c: Tensor, s: Tensor) -> tuple[State, Tensor]:  # type: ignore[override]
        x = state.x * (1.0 - state.o)
        y = state.y * (1.0 - state.o) + state.o
        x, y = c * x - s * y + current, s * x + c * y
        o = spike(y - self.config.threshold, self.config.surrogate, self.config.width)
        return self.State(x, y, o), o


RF = Model("resonate-and-fire", "Resonate-and-fire", neuron="resonate-and-fire")
RF_84K = replace(RF, name="resonate-and-fire-84k", changes={"layers": (1, 64, 256, 256, 10)})
ROWS = (Row("roles-6", RF), Row("roles-9", RF), *(Row(f"celif-{name}", RF_84K) for name in ("1", "4", "fig-4")))
