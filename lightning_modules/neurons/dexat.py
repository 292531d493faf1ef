"""Double-exponential adaptive threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from lightning_modules.neurons.lsnn import LSNN


class DEXAT(LSNN, name="dexat"):
    """B[t] = b_0 + beta_1 b_1[t] + beta_2 b_2[t];  b_k[t] = r_k b_k[t-1] + (1 - r_k) S[t-1], r_k = exp(-1/tau_k); the
    rest as LSNN

    (Shaban et al. 2021, whose code is not public; public PyTorch code by others has this equation). Starts at V = S =
    b_1 = b_2 = 0. The time constants for S-MNIST, both beta and the share of adaptive neurons could not be recovered
    [U]: the slow pair is LSNN's, the fast one is a guess, LSNN's 1.8 is halved between the two.
    """

    @dataclass(frozen=True)
    class Config(LSNN.Config):
        adaptation: float = 0.9  # beta_2, of the slow part [U]
        tau_fast: float = 30.0  # tau_1 [U]
        adaptation_fast: float = 0.9  # beta_1 [U]

    class State(NamedTuple):
        v: Tensor
        s: Tensor
        wait: Tensor  # silent steps left
        b: Tensor
        b_fast: Tensor

    search_space = {
        **LSNN.search_space,
        "adaptation_fast": ("float", 0.1, 4.0),
        "tau_fast": ("float", 5.0, 100.0, "log"),
    }

    def step(  # type: ignore[override]
        self,
        state: DEXAT.State,
        current: Tensor,
        adaptive: Tensor,
    ) -> tuple[DEXAT.State, Tensor]:
        c = self.config
        a = math.exp(-1.0 / c.tau_v)
        r = math.exp(-1.0 / c.tau_a)
        fast = math.exp(-1.0 / c.tau_fast)
        b = r * state.b + (1.0 - r) * state.s
        b_fast = fast * state.b_fast + (1.0 - fast) * state.s
        threshold = c.threshold + adaptive * (c.adaptation * b + c.adaptation_fast * b_fast)
        v = a * state.v + (1.0 - a) * current - threshold * state.s
        s, wait = self.fire(v, threshold, state.wait)
        return self.State(v, s, wait, b, b_fast), s
