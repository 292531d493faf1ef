"""What a walk over time is made of: its layers, its cuts in batch and time, and what it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from math import gcd
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_modules.scan import memory
from lightning_modules.scan.event_input import EventInput
from lightning_modules.scan.trace import Traced

BLOCK = 64  # samples: enough rows for the recurrent products, few enough that two cores share a batch
NARROW = 64  # neurons below which a block takes more samples, so that it has something to do
# elements of the widest layer in one chunk: a few such arrays fit a core's cache, and a chunk is long enough for few
# calls
CHUNK = 1 << 17
ROW = 512  # elements of a kernel's inner loop: narrow layers take several samples at once


@dataclass
class Layer:
    """One layer of a run, its tensors detached. Its first current is ``x @ weight.T + bias``, or the input itself
    without ``weight``."""

    traced: Traced
    module: ModuleType
    weight: Tensor | None
    bias: Tensor | None
    recurrent: Tensor | None
    recurrent_bias: Tensor | None
    previous: Tensor  # [B, N], output before the first step
    states: tuple[Tensor, ...]  # [B, N], before the first step
    drives: tuple[Tensor, ...]  # [1, N] or [T, N]

    def __post_init__(self) -> None:
        self.size = self.previous.shape[1]
        self._repeated: dict[int, list[np.ndarray]] = {}
        self.in_place = self.weight is None and self.recurrent is None  # the input is the current
        self.linked = self.recurrent is not None
        empty = self.previous.new_empty(0)
        if self.weight is not None:
            self.transposed = memory.contiguous(self.weight.t())
            self.bias_row = (
                (self.previous.new_zeros(self.size) if self.bias is None else self.bias).contiguous().numpy()
            )
        self.matrix = empty.view(0, 0).numpy()
        self.matrix_bias = empty.numpy()
        if self.recurrent is not None:
            self.matrix = self.recurrent.t().contiguous().numpy()
            bias = self.previous.new_zeros(self.size) if self.recurrent_bias is None else self.recurrent_bias
            self.matrix_bias = bias.contiguous().numpy()

    def empty(self, *shape: int) -> np.ndarray:
        return memory.empty(*shape, dtype=self.previous.dtype).numpy()

    def zeros(self, *shape: int) -> np.ndarray:
        return memory.zeros(*shape, dtype=self.previous.dtype).numpy()

    def fold(self, rows: int) -> int:
        """How many samples one inner loop takes."""
        if self.linked:
            return 1
        return gcd(rows, 1 << max(0, int(ROW // self.size).bit_length() - 1))

    def repeated(self, fold: int) -> list[np.ndarray]:
        """The drives as [*, fold N], made once for all blocks."""
        if fold not in self._repeated:
            self._repeated[fold] = [
                np.tile(d.numpy(), (1, fold)) if fold > 1 else np.ascontiguousarray(d.numpy()) for d in self.drives
            ]
        return self._repeated[fold]


@dataclass
class Run:
    """What a walk needs to know that is no tensor."""

    steps: int
    batch: int
    detach_every: int
    checkpoint_every: int  # 0: keep all currents
    keep_output: bool
    record: tuple[int, ...]  # numbers of the last layer's states to return over time
    training: bool
    traced: list[Traced]
    modules: list[ModuleType]
    widest: int
    heavy: bool  # weights so large that their sums, one per block, are better few
    events: EventInput | None = None  # the first input, where the tensor given for it has no memory

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """(first sample, samples) of each block, nearly equal and multiples of 8 where there are enough."""
        most = 2 * BLOCK if self.heavy else BLOCK * max(1, min(4, NARROW // self.widest))
        count = -(-self.batch // most)
        count += count % 2 if count > 1 else 0
        unit = 8 if self.batch >= 8 * count else 1
        edges = [self.batch * i // (count * unit) * unit for i in range(count)] + [self.batch]
        return [(a, b - a) for a, b in zip(edges[:-1], edges[1:], strict=True)]

    @property
    def segments(self) -> list[tuple[int, int]]:
        """(first step, last step + 1) of each stretch of time whose currents are kept at once."""
        every = min(self.checkpoint_every or self.steps, self.steps)
        return [(t, min(t + every, self.steps)) for t in range(0, self.steps, every)]

    def chunk(self, rows: int) -> int:
        return max(1, min(CHUNK // (rows * self.widest), self.segments[0][1]))

    def chunks(self, rows: int, begin: int, end: int) -> list[tuple[int, int, int]]:
        """(number, first step, steps) of each chunk of a segment."""
        chunk = self.chunk(rows)
        return [(c, t, min(chunk, end - t)) for c, t in enumerate(range(begin, end, chunk))]


class Kept:
    """The first currents of a segment of time (if asked for), and the states (and output) in ``slots`` moments, of one
    block."""

    def __init__(
        self, run: Run, layers: list[Layer], rows: int, begin: int, end: int, slots: int, currents: bool
    ) -> None:
        kind = layers[0].previous.dtype
        self.begin = begin
        self.slots = slots
        # of the first layer's input, by first step of a chunk; () if dense
        self.events: dict[int, tuple[np.ndarray, ...]] = {}
        self.currents = [
            memory.empty((end - begin) * rows, layer.size, dtype=kind) if currents and not layer.in_place else None
            for layer in layers
        ]
        self.heads = [
            [memory.empty(slots, rows, layer.size, dtype=kind) for _ in range(len(layer.states) + layer.linked)]
            for layer in layers
        ]

    def load(self, heads: list[list[Tensor]]) -> None:
        for mine, given in zip(self.heads, heads, strict=True):
            for head, state in zip(mine, given, strict=True):
                head[0] = state

    def at(self, slot: int) -> list[list[Tensor]]:
        """The states in a slot; slots are used in turn."""
        return [[head[slot % self.slots] for head in mine] for mine in self.heads]

    def tensors(self) -> list[Tensor]:
        """All there is, for autograd to hold: it lets go once the backward pass is done."""
        return [t for t in self.currents if t is not None] + [head for mine in self.heads for head in mine]

    def refilled(self, tensors: Iterator[Any]) -> Kept:
        """A copy with its ``tensors`` taken from an iterator."""
        other = copy(self)
        other.currents = [None if t is None else next(tensors) for t in self.currents]
        other.heads = [[next(tensors) for _ in mine] for mine in self.heads]
        return other


@dataclass
class Gradients:
    """What one block adds to the gradients of one layer."""

    weight: Tensor | None = None  # transposed, [inputs, N]
    bias: Tensor | None = None
    recurrent: Tensor | None = None
    recurrent_bias: Tensor | None = None
    previous: Tensor | None = None
    states: list[Tensor] = field(default_factory=list)
    drives: list[Tensor] = field(default_factory=list)


def folded(tensor: Tensor, fold: int) -> np.ndarray:
    """[..., rows, N] as [..., rows / fold, fold N], sharing memory."""
    *before, rows, size = tensor.shape
    return tensor.numpy().reshape(*before, rows // fold, fold * size)


def unfolded(array: np.ndarray, fold: int) -> Tensor:
    """Sums [..., fold N] over the folds: [..., N]."""
    return torch.from_numpy(array.reshape(*array.shape[:-1], fold, -1).sum(-2))
