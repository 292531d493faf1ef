"""The plan of a fused run over time: its layers, its blocks of the batch, and its segments and chunks of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lightning_modules.scan import buffer_pool
from lightning_modules.scan.event_input import EventInput
from lightning_modules.scan.narrow_products import fits_registers, narrow_products
from lightning_modules.scan.trace import Traced

BLOCK_SAMPLES = 64  # enough rows for the recurrent products, and few enough that two cores share a batch
NARROW_WIDTH = 64  # neurons; a block of narrower layers takes more samples, so that it has enough work
# Elements of the widest layer in a chunk. A few such arrays fit a core's cache, and few chunks mean few kernel calls.
CHUNK_ELEMENTS = 1 << 17
CHUNK_ELEMENTS_LIGHT = 1 << 19  # where no product of a library needs the cache
# A layer on the input itself goes through a chunk sample by sample: one sample's steps have to fit, not all samples'.
SAMPLE_ELEMENTS = 1 << 18
SAMPLE_STEPS = 16  # enough for what is done once a chunk to take little time
ROW_ELEMENTS = 512  # elements of a kernel's inner loop; narrow layers merge several samples into one row
SHORT_ROW = 128  # elements below which the loop takes less time than what is around it


@dataclass
class Layer:
    """One layer of a run, its tensors detached.

    Its first current is ``x @ weight.T + bias``, or the input itself without ``weight``.
    """

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
        self._row_drives: dict[int, list[np.ndarray]] = {}
        self.in_place = self.weight is None and self.recurrent is None  # the input is the current
        self.is_recurrent = self.recurrent is not None
        empty = self.previous.new_empty(0)
        self.narrow: ModuleType | None = None  # kernels for products with few weights
        if self.weight is not None:
            self.transposed = buffer_pool.contiguous(self.weight.t())
            self.bias_row = self._row(self.bias)
            if fits_registers(self.weight):
                self.narrow = narrow_products(self.weight.shape[1], self.size)
                self.weight = self.weight.contiguous()
                self.no_bias = empty.new_zeros(self.weight.shape[1]).numpy()
        self.matrix = empty.view(0, 0).numpy()
        self.matrix_bias = empty.numpy()
        if self.recurrent is not None:
            self.matrix = self.recurrent.t().contiguous().numpy()
            self.matrix_bias = self._row(self.recurrent_bias)

    def _row(self, bias: Tensor | None) -> np.ndarray:
        return (self.previous.new_zeros(self.size) if bias is None else bias).contiguous().numpy()

    def empty(self, *shape: int) -> np.ndarray:
        return buffer_pool.empty(*shape, dtype=self.previous.dtype).numpy()

    def zeros(self, *shape: int) -> np.ndarray:
        return buffer_pool.zeros(*shape, dtype=self.previous.dtype).numpy()

    def samples_per_row(self, rows: int) -> int:
        """How many samples a kernel's inner loop takes at once, in a block of ``rows`` samples."""
        if self.is_recurrent:
            return 1
        most = max(1, ROW_ELEMENTS // self.size)
        merge = gcd(rows, 1 << (most.bit_length() - 1))  # divides most batches, too
        if merge * self.size >= SHORT_ROW:
            return merge
        return max(count for count in range(1, min(most, rows) + 1) if rows % count == 0)

    def row_drives(self, merge: int) -> list[np.ndarray]:
        """The drives as [*, merge N], made once for all blocks."""
        if merge not in self._row_drives:
            self._row_drives[merge] = [
                np.tile(drive.numpy(), (1, merge)) if merge > 1 else np.ascontiguousarray(drive.numpy())
                for drive in self.drives
            ]
        return self._row_drives[merge]


class Chunk(NamedTuple):
    """``steps`` steps of time from ``start`` on; ``number`` counts the chunks of a segment from 0."""

    number: int
    start: int
    steps: int

    @property
    def time(self) -> slice:
        return slice(self.start, self.start + self.steps)


@dataclass
class StackPlan:
    """The settings of a run of a stack of layers: all that is no tensor."""

    steps: int
    batch: int
    detach_every: int
    checkpoint_every: int  # 0: save all currents
    return_output: bool
    record: tuple[int, ...]  # numbers of the last layer's states to return over time
    training: bool
    traced: list[Traced]
    modules: list[ModuleType]
    widest: int
    heavy: bool  # large weights: each block has sums for their gradients, so there should be few blocks
    light: bool = False  # no weights, or so few that they stay in registers
    in_place: bool = False  # one layer, on the input itself
    events: EventInput | None = None  # the first input, given by its events; its tensor is a placeholder

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """(first sample, samples) of each block, nearly equal and multiples of 8 where there are enough."""
        largest = 2 * BLOCK_SAMPLES if self.heavy else BLOCK_SAMPLES * max(1, min(4, NARROW_WIDTH // self.widest))
        count = -(-self.batch // largest)
        count += count % 2 if count > 1 else 0
        unit = 8 if self.batch >= 8 * count else 1
        edges = [self.batch * i // (count * unit) * unit for i in range(count)] + [self.batch]
        return [(a, b - a) for a, b in zip(edges[:-1], edges[1:], strict=True)]

    @property
    def segments(self) -> list[tuple[int, int]]:
        """(first step, last step + 1) of each segment of time whose currents are in memory at once."""
        every = min(self.checkpoint_every or self.steps, self.steps)
        return [(t, min(t + every, self.steps)) for t in range(0, self.steps, every)]

    def chunk_steps(self, rows: int) -> int:
        """Steps of a chunk of time in a block of ``rows`` samples."""
        elements = CHUNK_ELEMENTS_LIGHT if self.light else CHUNK_ELEMENTS
        most = elements // (rows * self.widest)
        if self.in_place:
            most = max(most, min(SAMPLE_ELEMENTS // self.widest, SAMPLE_STEPS))
        return max(1, min(most, self.segments[0][1]))

    def chunks(self, rows: int, begin: int, end: int) -> list[Chunk]:
        """The chunks of a segment of time, in a block of ``rows`` samples."""
        steps = self.chunk_steps(rows)
        return [Chunk(number, t, min(steps, end - t)) for number, t in enumerate(range(begin, end, steps))]


@dataclass
class Gradients:
    """Gradients of one layer, or the part of them that comes from one block."""

    weight: Tensor | None = None  # transposed, [inputs, N]
    bias: Tensor | None = None
    recurrent: Tensor | None = None
    recurrent_bias: Tensor | None = None
    previous: Tensor | None = None
    states: list[Tensor] = field(default_factory=list)
    drives: list[Tensor] = field(default_factory=list)


def merge_rows(tensor: Tensor, merge: int) -> np.ndarray:
    """[..., rows, N] as [..., rows / merge, merge N], sharing memory."""
    *before, rows, size = tensor.shape
    return tensor.numpy().reshape(*before, rows // merge, merge * size)


def sum_merged_rows(array: np.ndarray, merge: int) -> Tensor:
    """[..., merge N] summed over the merged samples: [..., N]."""
    return torch.from_numpy(array.reshape(*array.shape[:-1], merge, -1).sum(-2))
