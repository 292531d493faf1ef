"""After-hyperpolarising current."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from lightning_modules.neurons.lsnn import LSNN


class AHP(LSNN, name="ahp"):
    """A[t] = r A[t-1] + (1 - r) S[t-1];  V[t] = a V[t-1] + (1 - a) (I[t] - beta A[t]) - b_0 S[t-1];  S[t] = H(V[t] -
    b_0)

    with a = exp(-1/tau_v), r = exp(-1/tau_a): adaptation is a slow current taken from the membrane instead of a raised
    threshold (Rao et al. 2022). Of the public Loihi network: 100 of 240 neurons adaptive, tau_v 20, tau_a 700, 1
    refractory step. Its training code is not public, its chip works in integers [U]: b_0, beta and the surrogate are
    LSNN's, so that a steady rate shifts V - B by as much. Starts at V = S = A = 0 and not refractory.
    """

    @dataclass(frozen=True)
    class Config(LSNN.Config):
        adaptive: float = 100 / 240
        refractory: int = 1

    class State(NamedTuple):
        v: Tensor
        s: Tensor
        wait: Tensor  # silent steps left
        a: Tensor

    def step(  # type: ignore[override]
        self,
        state: AHP.State,
        current: Tensor,
        adaptive: Tensor,
    ) -> tuple[AHP.State, Tensor]:
        c = self.config
        leak = math.exp(-1.0 / c.tau_v)
        r = math.exp(-1.0 / c.tau_a)
        a = r * state.a + (1.0 - r) * state.s
        v = leak * state.v + (1.0 - leak) * (current - c.adaptation * adaptive * a) - c.threshold * state.s
        s, wait = self.fire(v, c.threshold, state.wait)
        return self.State(v, s, wait, a), s
