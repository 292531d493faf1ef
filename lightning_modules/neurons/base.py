"""The base class of neurons: an elementwise function of a single step, with explicit state.

A subclass gives a ``Config`` (frozen dataclass of plain values), a ``State`` (NamedTuple of ``[B, N]`` tensors),
``step`` and, if it has learnable or per-step parameters, ``drive``. The scan, the networks and the training work from
these alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

NEURONS: dict[str, type[Neuron]] = {}


class Neuron(nn.Module):
    """Base class. ``class LIF(Neuron, name="lif")`` registers the subclass under its name."""

    name: ClassVar[str] = ""
    Config: ClassVar[type] = object
    State: ClassVar[type[tuple]] = tuple
    spiking: ClassVar[bool] = True  # output is 0/1; False for readouts and non-spiking units
    inputs: ClassVar[int] = 1  # currents per step, each [B, N]
    # Config field -> ("float", low, high[, "log"]) or ("categorical", *choices)
    search_space: ClassVar[dict[str, tuple]] = {}

    def __init_subclass__(cls, *, name: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if name is None:
            return
        known = NEURONS.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"neuron name {name!r} is taken by {known.__module__}.{known.__qualname__}")
        cls.name = name
        NEURONS[name] = cls

    def __init__(self, size: int, config: Any = None) -> None:
        """A layer of ``size`` neurons. Learnable parameters are created here.

        Raises ``ValueError`` for no neuron and for a surrogate gradient without width.
        """
        super().__init__()
        if size < 1:
            raise ValueError(f"a layer needs at least one neuron, got size {size}")
        self.size = size
        self.config = config if config is not None else self.Config()
        width = getattr(self.config, "width", 1.0) if hasattr(self.config, "surrogate") else 1.0
        if not isinstance(width, int | float) or not 0.0 < width < math.inf:
            raise ValueError(f"width of a surrogate is a number above 0, got {width!r}")

    @classmethod
    def shared(cls, sizes: Sequence[int], config: Any) -> dict[str, nn.Parameter]:
        """Parameters shared by all layers of a network (``sizes`` neurons each), as arguments of their constructors."""
        return {}

    def initial_state(self, batch: int, like: Tensor) -> NamedTuple:
        """State before the first step, ``[batch, size]`` each, with dtype and device of ``like``; zeros by default."""
        zero = torch.zeros(batch, self.size, dtype=like.dtype, device=like.device)
        return self.State(*(zero for _ in self.State._fields))  # type: ignore[attr-defined, return-value]

    def drive(self, steps: int) -> dict[str, Tensor]:
        """Tensors that ``step`` takes by name, computed once per forward pass of ``steps`` steps.

        The shape says what varies: ``[]`` one value, ``[N]`` per neuron, ``[T, 1]`` per step, ``[T, N]`` per step and
        neuron.
        """
        return {}

    def step(self, state: NamedTuple, *currents: Tensor, **drive: Tensor) -> tuple[NamedTuple, Tensor]:
        """One time step, ``(state[t-1], I[t]) -> (state[t], output[t])``, all ``[B, N]``; pointwise operations only."""
        raise NotImplementedError
