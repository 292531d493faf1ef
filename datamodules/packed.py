"""Packed events in memory-mapped arrays, and their way into a batch: as a dense tensor in memory that is used again, or
as events."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor

from datamodules import cache


@numba.njit(cache=True, nogil=True)
def rewrite(out, channels, old, old_first, old_end, places, counts, first, end):
    """Clear the events ``old[old_first[b] : old_end[b]]`` of sample b in ``out`` [T * B * channels] and write those of
    the new one.

    They are written as their ``counts``, or 1 where these are empty. Step by step over all samples, so that ``out`` is
    walked once from start to end and a row's cache lines serve both: this is bound by memory.
    """
    # indices are unsigned: none is tested for counting from the end
    batch = len(first)
    one = np.uint64(1)
    gone = old_first.copy()
    at = first.copy()
    for step in range(len(out) // (batch * channels)):
        limit = np.uint64((step + 1) * channels)
        for b in range(batch):
            shift = np.uint64((step * batch + b - step) * channels)
            k = np.uint64(gone[b])
            stop = np.uint64(old_end[b])
            while k < stop and old[k] < limit:
                out[shift + old[k]] = 0.0
                k += one
            gone[b] = k
            k = np.uint64(at[b])
            stop = np.uint64(end[b])
            while k < stop and places[k] < limit:
                out[shift + places[k]] = counts[k] if len(counts) else 1.0
                k += one
            at[b] = k


@numba.njit(cache=True, nogil=True)
def copy_frames(out, frames, rows):
    """``out`` [T, B, channels] = ``frames`` [samples, T, channels] of these rows."""
    for step in range(out.shape[0]):
        for b in range(out.shape[1]):
            out[step, b] = frames[rows[b], step]


@numba.njit(cache=True, nogil=True)
def list_events(starts, channel, value, channels, places, counts, first, end):
    """Events row after row (row = step * B + b) with their channel and value."""
    batch = len(first)
    one = np.uint64(1)
    at = first.copy()
    n = np.uint64(0)
    for step in range((len(starts) - 1) // batch):
        begin = np.uint64(step * channels)
        limit = np.uint64((step + 1) * channels)
        for b in range(batch):
            starts[step * batch + b] = n
            k = np.uint64(at[b])
            stop = np.uint64(end[b])
            while k < stop and places[k] < limit:
                channel[n] = places[k] - begin
                if len(counts):
                    value[n] = counts[k]
                n += one
                k += one
            at[b] = k
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
            torch.arange(len(self.starts) - 1, device=self.starts.device), self.starts.diff()
        )
        x = self.values.new_zeros(self.shape)
        x.view(-1)[rows * self.shape[2] + self.channels] = self.values
        return x


@dataclass(frozen=True)
class Packed:
    """One split of ``steps`` x ``channels``: places of events, of sample i from ``offsets[i]`` to ``offsets[i + 1]``,
    with their ``counts`` (empty: all 1); or, where few places are empty, ``frames`` [samples, steps, channels]."""

    labels: Tensor
    steps: int
    channels: int
    places: np.ndarray
    counts: np.ndarray
    offsets: np.ndarray
    frames: np.ndarray | None = None

    @classmethod
    def of(cls, stored: cache.Packed, steps: int, channels: int) -> Packed:
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
    held: tuple[Packed, np.ndarray] | None = None

    def references(self) -> int:
        return sys.getrefcount(self.array)


class Buffers:
    """Dense batches in memory that is used again once no tensor shares it; only the last batch's events are cleared,
    not all of it.

    So a batch must not be written to: whoever changes it works on a copy.
    """

    keep = 3  # a batch in training, the one before it, and one of the test set

    def __init__(self) -> None:
        self.buffers: list[_Buffer] = []
        self.alone = _Buffer(np.empty(0, np.float32)).references()  # of an array that nothing else uses

    def dense(self, packed: Packed, rows: np.ndarray) -> Tensor:
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
    def _write(buffer: _Buffer, packed: Packed, rows: np.ndarray, size: int) -> None:
        first, end = packed.range(rows)
        nothing = packed.places, np.zeros_like(first), np.zeros_like(first)
        old = nothing
        if buffer.held:
            earlier, those = buffer.held
            old = earlier.places, *earlier.range(those)
            if len(those) != len(rows):  # its rows are elsewhere
                array = buffer.array[: earlier.steps * len(those) * earlier.channels]
                none = np.zeros(len(those), np.int64)
                rewrite(array, earlier.channels, *old, earlier.places, earlier.counts, none, none)
                old = nothing
        buffer.held = packed, rows
        rewrite(buffer.array[:size], packed.channels, *old, packed.places, packed.counts, first, end)

    def _free(self, size: int, empty: bool) -> _Buffer:
        for buffer in self.buffers:  # a tensor, a view of it or the graph that needs it holds a reference to the array
            if len(buffer.array) >= size and buffer.references() == self.alone:
                return buffer
        # not zeros: numpy asks for huge pages only here, half the time of a sparse batch
        buffer = _Buffer(np.empty(size, np.float32))
        if empty:
            buffer.array.fill(0)
        self.buffers = [buffer, *self.buffers][: self.keep]
        return buffer
