"""Parametric LIF: the leak is learned, one value for the layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.neurons.base import Neuron
from lightning_modules.surrogate import spike


class PLIF(Neuron, name="plif"):
    """V[t] = k V[t-1] (1 - S[t-1]) + I[t];  S[t] = H(V[t] - threshold);  k = sigmoid(w), one w per layer (Fang et al.
    2021).

    By default the form for sequences in the public code of the celif lab, k = 0.5 (w = 0) at first. The original
    paper's, V[t] = V[t-1] + (I[t] - V[t-1]) / tau with 1/tau = 1 - k, is ``scale_input=True, threshold=1,
    surrogate="arctan", width=2, detach_reset=True``; that of TC-LIF is ``decay=0.802, threshold=1``. They write 1/tau =
    sigmoid(w), the same with w's sign turned. Starts at V = S = 0; unitless. The threshold of celif's PLIF rows is not
    given [U]: celif's own 0.3.
    """

    @dataclass(frozen=True)
    class Config:
        decay: float = 0.5  # k before training
        threshold: float = 0.3
        scale_input: bool = False  # the current counts (1 - k) times
        detach_reset: bool = False  # no gradient through the reset
        surrogate: str = "boxcar"
        width: float = 0.2

        def __post_init__(self) -> None:
            if not 0.0 < self.decay < 1.0:
                raise ValueError(f"decay {self.decay} is not between 0 and 1: it is learned as a sigmoid")

    class State(NamedTuple):
        v: Tensor
        s: Tensor

    search_space = {"decay": ("float", 0.1, 0.95), "threshold": ("float", 0.1, 1.0), "width": ("float", 0.1, 1.0)}

    def __init__(self, size: int, config: PLIF.Config | None = None) -> None:
        super().__init__(size, config)
        self.w = nn.Parameter(torch.tensor(math.log(self.config.decay / (1.0 - self.config.decay))))

    def drive(self, steps: int) -> dict[str, Tensor]:
        return {"k": torch.sigmoid(self.w)}

    def step(  # type: ignore[override]
        self,
        state: PLIF.State,
        current: Tensor,
        k: Tensor,
    ) -> tuple[PLIF.State, Tensor]:
        c = self.config
        fired = state.s.detach() if c.detach_reset else state.s
        v = k * state.v * (1.0 - fired) + ((1.0 - k) * current if c.scale_input else current)
        s = spike(v - c.threshold, c.surrogate, c.width)
        return self.State(v, s), s
