"""How a layer's kernels are launched: the tile of a program, its warps, and the steps of one launch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lightning_modules.scan import kernels
from lightning_modules.scan.saved_values import SavedValues, saved_values
from lightning_modules.scan.trace import Traced
from lightning_modules.scan.triton_printer import source

WARP = 32  # neurons of a feedforward program: one a lane
SAMPLES = 16  # of a recurrent program at most: the rows of a matrix unit
ELEMENTS = (
    1024  # samples times neurons of a recurrent program at most: 4 a thread of 8 warps, more do not fit registers
)
INNER = {"cuda": 32, "hip": 16}  # inputs of the recurrent product at a time
STAGES = {"cuda": 3, "hip": 1}  # of the recurrent weights on their way through shared memory
DRIVE_SAMPLES = 4  # of a program that stores the gradient of a drive at every step
WHOLE = 256  # neurons of a recurrent layer up to which one program has all of them and goes through all steps
PART = 32  # neurons of a program of a larger layer, which is launched for every step
REGISTERS = 255  # of a thread, as many as an NVIDIA GPU has
PREFETCH = 8  # steps that are in flight: a load takes about 0.6 us, a step about 0.08


def interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


def _backend() -> str:
    return "cuda" if torch.version.hip is None else "hip"


class Tile(NamedTuple):
    """The neurons of one program, and the warps that compute them."""

    samples: int
    neurons: int
    inner: int  # inputs of the recurrent product at a time
    padded: int  # inputs and neurons of the recurrent weights, with zeros
    prefetch: int
    warps: int

    def constants(self, dtype: torch.dtype) -> dict[str, Any]:
        """The kernels' compile-time arguments."""
        import triton.language as tl  # not installed everywhere

        half = tl.float32 if interpreted() else tl.bfloat16  # the interpreter multiplies no bfloat16
        real = tl.float64 if dtype == torch.float64 else tl.float32
        sizes = {
            "BB": self.samples,
            "BN": self.neurons,
            "BK": self.inner,
            "PADDED": self.padded,
            "STAGES": self.prefetch,
        }
        return sizes | {"real": real, "half": half}

    def options(self, backend: str) -> dict[str, Any]:
        """The compiler's options for ``backend``, "cuda" or "hip"."""
        # a fused multiply-add would decide some spikes differently from the loop
        options = {"num_warps": self.warps, "num_stages": STAGES[backend], "enable_fp_fusion": False}
        if self.inner and backend == "cuda":
            options["maxnreg"] = REGISTERS  # otherwise ptxas spills so that more programs fit, which there are not
        return options

    def grid(self, seeds: int, batch: int, size: int) -> tuple[int, int, int]:
        """Programs of a launch."""
        return -(-batch // self.samples), -(-size // self.neurons), seeds


def tile_of(
    size: int, recurrent: bool, stepwise: bool, drive_each_step: bool, backend: str, dtype: torch.dtype
) -> Tile:
    """The tile for a layer of ``size`` neurons; ``stepwise``: a launch is one step of a recurrent layer.

    ``backend`` is "cuda" or "hip".
    """
    power = max(16, 1 << (size - 1).bit_length())
    if not recurrent:
        neurons = min(power, WARP)
        return Tile(DRIVE_SAMPLES if drive_each_step else WARP // neurons, neurons, 0, 0, PREFETCH, 1)
    neurons = min(power, PART) if stepwise else power
    samples = min(SAMPLES, ELEMENTS // neurons)
    padded = -(-size // neurons) * neurons
    of_thread = 2 if dtype == torch.float64 else 4  # a number of 64 bits takes two registers
    warps = max(1, samples * neurons // (of_thread * WARP))
    return Tile(samples, neurons, min(power, INNER[backend]), padded, 1, warps)


@cache
def _compiled(traced: Traced, recurrent: bool) -> tuple[ModuleType, SavedValues]:
    """The kernels of a step and what they save; printing them takes as long as many launches."""
    return kernels.load(source(traced, recurrent), traced.title), saved_values(traced, recurrent)


@dataclass
class LayerPlan:
    """The settings of a run of one layer: all that is no tensor."""

    traced: Traced
    record: tuple[int, ...]
    detach_every: int
    checkpoint_every: int
    recurrent: bool
    training: bool

    def __post_init__(self) -> None:
        self.module, self.saved = _compiled(self.traced, self.recurrent)

    def segments(self, steps: int) -> list[tuple[int, int]]:
        every = self.checkpoint_every or steps
        return [(t, min(t + every, steps)) for t in range(0, steps, every)]

    def stepwise(self, size: int) -> bool:
        """Whether every step has a launch of its own, since the neurons of one sample are in several programs."""
        return self.recurrent and (size > WHOLE or self.traced.dtype == torch.float64)

    def launches(self, begin: int, end: int, size: int) -> list[tuple[int, int]]:
        """(first step, last step + 1) of each launch in a segment."""
        return [(t, t + 1) for t in range(begin, end)] if self.stepwise(size) else [(begin, end)]

    def tile(self, size: int, drives: Sequence[Tensor]) -> Tile:
        """The tile of this layer; ``drives`` are [S, 1 or T, N]."""
        each_step = any(drive.shape[1] > 1 for drive in drives)
        return tile_of(size, self.recurrent, self.stepwise(size), each_step, _backend(), self.traced.dtype)

    def options(self, tile: Tile) -> dict[str, Any]:
        """All keyword arguments of a launch with ``tile``."""
        constants = tile.constants(self.traced.dtype)
        if interpreted():
            return constants
        return constants | tile.options(_backend())
