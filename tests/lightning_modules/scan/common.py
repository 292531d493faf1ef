"""What the scan's tests share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.neurons import NEURONS, Neuron
from lightning_modules.neurons.lif import LIF
from lightning_modules.scan import Scanned
from tests.lightning_modules.scan.user_neuron import Resonant

NAMES = sorted(NEURONS)
# of all tests with delays: each configuration takes seconds to compile
LATE = LIF.Config(learn_leak=True, threshold=0.125, width=2.0)
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


def close(actual: Tensor | None, expected: Tensor | None, dtype: torch.dtype) -> None:
    """Equal within the promised tolerance, relative to the largest element."""
    assert (actual is None) == (expected is None)
    if actual is not None and expected is not None:
        assert actual.shape == expected.shape
        scale = float(expected.detach().abs().max().clamp(min=1e-30))
        assert float((actual - expected).detach().abs().max()) <= TOLERANCE[dtype] * scale


def same(a: Tensor, b: Tensor) -> None:
    """Bit-equal, NaN in the same places."""
    assert torch.equal(a.nan_to_num(12345.0), b.nan_to_num(12345.0))


def gradients(scanned: Scanned, tensors: Sequence[Tensor]) -> list[Tensor | None]:
    """Of a loss that sees output, last state and recorded states."""
    generator = torch.Generator().manual_seed(7)
    loss = torch.zeros((), dtype=scanned.output.dtype)
    for value in (scanned.output, *scanned.state, *scanned.recorded.values()):
        loss = loss + (value * torch.randn(value.shape, generator=generator, dtype=value.dtype)).sum()
    return list(torch.autograd.grad(loss, list(tensors), allow_unused=True, retain_graph=True))


def dyadic(*shape: int, scale: int, dtype: torch.dtype) -> Tensor:
    """Random multiples of 1/16 within +- scale/16: sums of their products with spikes are exact in any order."""
    return (torch.randint(-scale, scale + 1, shape) / 16).to(dtype).requires_grad_()


class Bursting(Neuron):
    """A user's neuron, unregistered: three states, a parameter per neuron, one for all, one per step; smooth where
    ``smooth``."""

    @dataclass(frozen=True)
    class Config:
        smooth: bool = False

    class State(NamedTuple):
        v: Tensor
        w: Tensor
        y: Tensor

    def __init__(self, size: int, steps: int, config: Config | None = None) -> None:
        super().__init__(size, config)
        self.decay = nn.Parameter(torch.rand(size))
        self.gain = nn.Parameter(torch.tensor(0.3))
        self.clock = nn.Parameter(torch.rand(steps, 1))

    def initial_state(self, batch: int, like: Tensor) -> State:
        zero = like.new_zeros(batch, self.size)
        return self.State(zero, zero + 0.1, self.gain.expand(batch, self.size))

    def drive(self, steps: int) -> dict[str, Tensor]:
        return {"decay": torch.sigmoid(self.decay), "gain": self.gain, "clock": self.clock[:steps]}

    def step(  # type: ignore[override]
        self,
        state: State,
        current: Tensor,
        decay: Tensor,
        gain: Tensor,
        clock: Tensor,
    ) -> tuple[State, Tensor]:
        from lightning_modules.surrogate import spike

        w = 0.9 * state.w + gain * state.y
        v = decay * state.v + current - w * clock
        y = torch.sigmoid(4.0 * (v - 0.5)) if self.config.smooth else spike(v - 0.5, "arctan", 2.0)
        return self.State(v, w.clamp(-5.0, 5.0), y), y


def neuron_of(name: str, size: int, steps: int) -> Neuron:
    """A registered neuron, or one of the two that are a user's."""
    if name == "user":
        return Bursting(size, steps)
    return Resonant(size) if name == "resonant" else NEURONS[name](size)
