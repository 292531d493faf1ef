"""Packed events in memory-mapped arrays, and batches of them: dense tensors in reused memory, or events."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from datamodules import cache
from datamodules.compiled import compiled


@compiled
def rewrite(out, channels, old, old_first, old_end, places, counts, first, end):
    """Replace the events ``old[old_first[b] : old_end[b]]`` of sample b in ``out`` [T * B * channels] by new ones.

    They are written as their ``counts``, or 1 where these are empty. The loop goes step by step over all samples, so
    that it passes through ``out`` only once: this function is bound by memory.
    """
    batch = len(first)
    one = np.uint64(1)  # unsigned indices need no test for counting from the end
    cleared = old_first.copy()
    position = first.copy()
    for step in range(len(out) // (batch * channels)):
        limit = np.uint64((step + 1) * channels)
        for b in range(batch):
            shift = np.uint64((step * batch + b - step) * channels)
            k = np.uint64(cleared[b])
            stop = np.uint64(old_end[b])
            while k < stop and old[k] < limit:
                out[shift + old[k]] = 0.0
                k += one
            cleared[b] = k
            k = np.uint64(position[b])
            stop = np.uint64(end[b])
            while k < stop and places[k] < limit:
                out[shift + places[k]] = counts[k] if len(counts) else 1.0
                k += one
            position[b] = k


@compiled
def write_bits(out, channels, places, first, end):
    """Set the bits of the events of each sample in ``out`` [samples, T, ceil(channels / 8)], which is zero."""
    for b in range(len(first)):
        for k in range(first[b], end[b]):
            step = places[k] // channels
            channel = places[k] - step * channels
            out[b, step, channel >> 3] |= 0x80 >> (channel & 7)


@compiled
def copy_frames(out, frames, rows):
    """``out`` [T, B, channels] = ``frames`` [samples, T, channels] of these rows."""
    for step in range(out.shape[0]):
        for b in range(out.shape[1]):
            out[step, b] = frames[rows[b], step]


@compiled
def list_events(starts, channel, value, channels, places, counts, first, end):
    """Events row after row (row = step * B + b) with their channel and value."""
    batch = len(first)
    one = np.uint64(1)
    position = first.copy()
    n = np.uint64(0)
    for step in range((len(starts) - 1) // batch):
        begin = np.uint64(step * channels)
        limit = np.uint64((step + 1) * channels)
        for b in range(batch):
            starts[step * batch + b] = n
            k = np.uint64(position[b])
            stop = np.uint64(end[b])
            while k < stop and places[k] < limit:
                channel[n] = places[k] - begin
                if len(counts):
                    value[n] = counts[k]
                n += one
                k += one
            position[b] = k
    starts[-1] = n
    if not len(counts):
        value[:] = 1.0


class Events(NamedTuple):
    """A batch as its events: row r = step * B + b has ``channels[starts[r] : starts[r + 1]]``, ascending, with
    ``values``.

    int64 [T * B + 1], int32 [events], float32 [events]; ``shape`` is that of the dense tensor, [T, B, N].
    """

    starts: Tensor
    channels: Tensor
    values: Tensor
    shape: tuple[int, int, int]

    def dense(self) -> Tensor:
        """``[T, B, N]`` float32."""
        rows = torch.repeat_interleave(
            torch.arange(len(self.starts) - 1, device=self.starts.device),
            self.starts.diff(),
            output_size=len(self.values),  # the host would ask the card for it
        )
        x = self.values.new_zeros(self.shape)
        x.view(-1)[rows * self.shape[2] + self.channels] = self.values
        return x


@dataclass(frozen=True)
class PackedSplit:
    """One split of ``steps`` x ``channels`` as places of events, of sample i from ``offsets[i]`` to ``offsets[i + 1]``.

    ``counts`` of the events are empty where all are 1. Where few places are empty there are ``frames`` [samples, steps,
    channels] instead.
    """

    labels: Tensor
    steps: int
    channels: int
    places: np.ndarray
    counts: np.ndarray
    offsets: np.ndarray
    frames: np.ndarray | None = None

    @classmethod
    def of(cls, stored: cache.CacheFile, steps: int, channels: int) -> PackedSplit:
        arrays = stored.arrays
        labels = torch.from_numpy(arrays["labels"].copy())
        none = np.empty(0, np.uint16)
        if "frames" in arrays:
            frames = arrays["frames"].reshape(-1, steps, channels)
            return cls(labels, steps, channels, none, none, np.zeros(len(labels) + 1, np.int64), frames)
        offsets = np.concatenate([[0], np.cumsum(arrays["lengths"])])
        return cls(labels, steps, channels, arrays["places"], arrays.get("counts", none), offsets)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def binary(self) -> bool:
        """Whether a batch has no other values than 0 and 1."""
        return self.frames is None and not len(self.counts)

    def bytes_as_bits(self, samples: int) -> int:
        """Bytes that this number of samples takes as bits."""
        return samples * self.steps * -(-self.channels // 8)

    def bits(self, rows: np.ndarray) -> Tensor:
        """These samples as bits, uint8 [len(rows), T, ceil(channels / 8)]. Raises ``ValueError`` unless ``binary``."""
        if not self.binary:
            raise ValueError("counts and frames are no bits")
        out = np.zeros((len(rows), self.steps, -(-self.channels // 8)), np.uint8)
        write_bits(out, self.channels, self.places, *self.range(rows))
        return torch.from_numpy(out)

    def range(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and last + 1 event of each sample."""
        return self.offsets[rows], self.offsets[rows + 1]

    def events(self, rows: np.ndarray) -> Events:
        """A batch of these samples as events. Raises ``ValueError`` for data that is not sparse."""
        if self.frames is not None:
            raise ValueError("frames with few empty places have no batches of events")
        first, end = self.range(rows)
        count = int((end - first).sum())
        starts = torch.empty(self.steps * len(rows) + 1, dtype=torch.int64)
        channels = torch.empty(count, dtype=torch.int32)
        values = torch.empty(count)
        list_events(
            starts.numpy(), channels.numpy(), values.numpy(), self.channels, self.places, self.counts, first, end
        )
        return Events(starts, channels, values, (self.steps, len(rows), self.channels))


@dataclass
class _Buffer:
    """Memory of one batch, and the events now in it (``None``: all zero)."""

    array: np.ndarray
    content: tuple[PackedSplit, np.ndarray] | None = None

    def references(self) -> int:
        return sys.getrefcount(self.array)


class Buffers:
    """Dense batches in memory that is reused once no tensor shares it. Only the last batch's events are cleared.

    So a batch must not be written to: code that changes it must work on a copy.
    """

    most_buffers = 3  # a batch in training, the one before it, and one of the test set

    def __init__(self) -> None:
        self.buffers: list[_Buffer] = []
        self.free_references = _Buffer(np.empty(0, np.float32)).references()  # of an array that nothing else uses

    def dense(self, packed: PackedSplit, rows: np.ndarray) -> Tensor:
        """``[T, len(rows), channels]`` float32 of these samples."""
        shape = packed.steps, len(rows), packed.channels
        size = packed.steps * len(rows) * packed.channels
        buffer = self._free(size, empty=packed.frames is None)
        if packed.frames is not None:
            copy_frames(buffer.array[:size].reshape(shape), packed.frames, rows)
        else:
            self._write(buffer, packed, rows, size)
        return torch.from_numpy(buffer.array[:size].reshape(shape))

    @staticmethod
    def _write(buffer: _Buffer, packed: PackedSplit, rows: np.ndarray, size: int) -> None:
        first, end = packed.range(rows)
        nothing = packed.places, np.zeros_like(first), np.zeros_like(first)
        old = nothing
        if buffer.content:
            earlier, earlier_rows = buffer.content
            old = earlier.places, *earlier.range(earlier_rows)
            if len(earlier_rows) != len(rows):  # the rows of the two batches are at different places
                array = buffer.array[: earlier.steps * len(earlier_rows) * earlier.channels]
                nothing_left = np.zeros(len(earlier_rows), np.int64)
                rewrite(array, earlier.channels, *old, earlier.places, earlier.counts, nothing_left, nothing_left)
                old = nothing
        buffer.content = packed, rows
        rewrite(buffer.array[:size], packed.channels, *old, packed.places, packed.counts, first, end)

    def _free(self, size: int, empty: bool) -> _Buffer:
        for buffer in self.buffers:  # a tensor, a view of it or the graph that needs it holds a reference to the array
            if len(buffer.array) >= size and buffer.references() == self.free_references:
                return buffer
        # numpy asks for huge pages with empty, not with zeros; that halves the time of a sparse batch
        buffer = _Buffer(np.empty(size, np.float32))
        if empty:
            buffer.array.fill(0)
        self.buffers = [buffer, *self.buffers][: self.most_buffers]
        return buffer
