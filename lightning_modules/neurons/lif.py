"""Leaky integrate-and-fire, in every form the roles paper compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.neurons.base import Neuron
from lightning_modules.surrogate import spike


class LIF(Neuron, name="lif"):
    """u[t] = k u[t-1] (1 - o[t-1]) + I[t];  o[t] = H(u[t] - threshold)   (Yin et al. 2024, eq. 1-3; Chen et al. 2023,
    eq. 2).

    ``reset="none"`` drops the factor (1 - o[t-1]), ``"soft"`` subtracts threshold o[t-1] from u[t] instead, and
    ``"subtract"`` from u[t-1] before it leaks (TC-LIF, SpikingJelly). ``scale_input`` multiplies I[t] by (1 - k), the
    form of the public DH-SNN code: at k = 1 no input reaches the neuron then. Membrane and threshold are unitless;
    starts at u = o = 0.
    """

    @dataclass(frozen=True)
    class Config:
        leak: float = 0.3  # k: 1 = no leakage, 0 = complete leakage
        # k = sigmoid(tau) per neuron, tau ~ U(tau_low, tau_high): (0, 4) is k between .50 and .98
        learn_leak: bool = False
        tau_low: float = 0.0
        tau_high: float = 4.0
        threshold: float = 0.3
        reset: str = "hard"  # hard | soft | subtract | none
        scale_input: bool = False
        surrogate: str = "rect"
        width: float = 0.25

        def __post_init__(self) -> None:
            if self.reset not in ("hard", "soft", "subtract", "none"):
                raise ValueError(f"reset {self.reset!r} is not one of hard, soft, subtract, none")
            if not 0.0 <= self.leak <= 1.0:
                raise ValueError(f"leak {self.leak} is outside 0 (complete leakage) to 1 (no leakage)")
            if not self.tau_low <= self.tau_high:
                raise ValueError(f"tau_low {self.tau_low} is above tau_high {self.tau_high}")

    class State(NamedTuple):
        u: Tensor
        o: Tensor

    search_space = {"threshold": ("float", 0.1, 1.0), "width": ("float", 0.1, 1.0), "leak": ("float", 0.0, 1.0)}

    def __init__(self, size: int, config: LIF.Config | None = None) -> None:
        super().__init__(size, config)
        if self.config.learn_leak:
            self.tau = nn.Parameter(torch.empty(size).uniform_(self.config.tau_low, self.config.tau_high))

    def drive(self, steps: int) -> dict[str, Tensor]:
        return {"k": torch.sigmoid(self.tau)} if self.config.learn_leak else {}

    def step(  # type: ignore[override]
        self,
        state: LIF.State,
        current: Tensor,
        k: Tensor | None = None,
    ) -> tuple[LIF.State, Tensor]:
        c = self.config
        leak = c.leak if k is None else k
        if c.scale_input:
            current = (1.0 - leak) * current
        if c.reset == "hard":
            u = leak * state.u * (1.0 - state.o) + current
        elif c.reset == "soft":
            u = leak * state.u + current - c.threshold * state.o
        elif c.reset == "subtract":
            u = leak * (state.u - c.threshold * state.o) + current
        else:
            u = leak * state.u + current
        o = spike(u - c.threshold, c.surrogate, c.width)
        return self.State(u, o), o
