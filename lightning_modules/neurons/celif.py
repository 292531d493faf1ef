"""Contextual-embedding LIF, the neuron of the celif paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.neurons.base import Neuron
from lightning_modules.surrogate import spike


def temporal_embedding(size: int, steps: int) -> nn.Parameter:
    """TE, one row per neuron and one column per step, ~ N(0.01, 0.01) (std, after the lab's public code).

    One of the widest hidden layer serves all of them: layer l uses its first n_l rows.
    """
    return nn.Parameter(torch.empty(size, steps).normal_(0.01, 0.01))


# from TE[t] and the state before the step; celif Table 2, last row first
EMBEDDINGS: dict[str, Callable[[Any, Any], Tensor]] = {
    "te*v": lambda te, state: te * state.v,
    "te*s": lambda te, state: te * state.s,
    "te+v": lambda te, state: te + state.v,
    "te": lambda te, _: te,
    "v": lambda _, state: state.v,
    "s": lambda _, state: state.s,
}


class CELIF(Neuron, name="celif"):
    """Theta[t] = Theta_0 + beta (Theta[t-1] - Theta_0) + TE[t] V[t-1];  V[t] = alpha V[t-1] (1 - S[t-1]) + I[t];  S[t]
    = H(V[t] - Theta[t])

    (Chen et al. 2023, eq. 4). V[t-1] raises the threshold before any reset. Starts at V = S = 0, Theta = Theta_0;
    unitless. ``embedding`` puts another contextual embedding in the place of TE[t] V[t-1] (Table 2). Its first row,
    "s", is eq. 3 without the gain gamma, which the paper does not mention there [U]: 1, as in the other rows. "s" and
    "v" have no TE and nothing to learn.
    """

    @dataclass(frozen=True)
    class Config:
        steps: int = 784  # T: columns of TE
        alpha: float = 0.5
        beta: float = 0.99
        threshold: float = 0.3  # Theta_0
        surrogate: str = "boxcar"
        width: float = 0.2  # Gamma
        embedding: str = "te*v"  # te*v | te*s | te+v | te | v | s

        def __post_init__(self) -> None:
            if self.steps < 1:
                raise ValueError(f"TE needs at least one step, got {self.steps}")
            if self.embedding not in EMBEDDINGS:
                raise ValueError(f"embedding {self.embedding!r} is not one of {', '.join(EMBEDDINGS)}")

    class State(NamedTuple):
        v: Tensor
        s: Tensor
        theta: Tensor

    search_space = {"alpha": ("float", 0.0, 1.0), "beta": ("float", 0.9, 1.0), "threshold": ("float", 0.1, 1.0)}

    def __init__(self, size: int, config: CELIF.Config | None = None, te: nn.Parameter | None = None) -> None:
        """``te`` [at least ``size``, steps] is shared between layers; without it the layer has its own."""
        super().__init__(size, config)
        self.te = None
        if "te" in self.config.embedding:
            self.te = temporal_embedding(size, self.config.steps) if te is None else te
            if self.te.shape[0] < size:
                raise ValueError(f"a TE of {self.te.shape[0]} rows is too small for {size} neurons")

    @classmethod
    def shared(cls, sizes: Sequence[int], config: CELIF.Config) -> dict[str, nn.Parameter]:
        return {"te": temporal_embedding(max(sizes), config.steps)} if "te" in config.embedding else {}

    def initial_state(self, batch: int, like: Tensor) -> CELIF.State:
        zero = like.new_zeros(batch, self.size)
        return self.State(zero, zero, torch.full_like(zero, self.config.threshold))

    def drive(self, steps: int) -> dict[str, Tensor]:
        if self.te is None:
            return {}
        if steps > self.te.shape[1]:
            raise ValueError(f"TE has {self.te.shape[1]} columns, the input {steps} steps: set Config.steps")
        return {"te": self.te[: self.size, :steps].t()}

    def step(  # type: ignore[override]
        self,
        state: CELIF.State,
        current: Tensor,
        te: Tensor | None = None,
    ) -> tuple[CELIF.State, Tensor]:
        c = self.config
        theta = c.threshold + c.beta * (state.theta - c.threshold) + EMBEDDINGS[c.embedding](te, state)
        v = c.alpha * state.v * (1.0 - state.s) + current
        s = spike(v - theta, c.surrogate, c.width)
        return self.State(v, s, theta), s
