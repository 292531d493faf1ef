"""Batches from packed events: one scatter into a dense tensor, in buffers that are used again."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numba
import numpy as np
import torch
from torch import Tensor

from datamodules import cache, sources
from datamodules.base import TEST, TRAIN, Batch, Batches, SequenceData

VALIDATION_SEED = 20240325  # which training samples are set aside: the same for every training


def set_aside(count: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows set aside, both sorted: the same for every training, whatever its seed."""
    order = np.random.default_rng(VALIDATION_SEED).permutation(count)
    aside = max(1, math.floor(share * count))
    return np.sort(order[aside:]), np.sort(order[:aside])


@numba.njit(cache=True, nogil=True)
def scatter(out, channels, places, counts, first, end, value):
    """Write sample b's events, ``places[first[b] : end[b]]``, into ``out`` [T * B * channels]: their ``counts``, or ``value`` if empty.

    Step by step over all samples, so that ``out`` is walked once from start to end.
    """
    batch = len(first)
    at = first.copy()
    for step in range(len(out) // (batch * channels)):
        limit = (step + 1) * channels
        for b in range(batch):
            k = at[b]
            shift = (step * batch + b - step) * channels
            while k < end[b] and places[k] < limit:
                out[shift + places[k]] = counts[k] if len(counts) else value
                k += 1
            at[b] = k


@dataclass
class _Buffer:
    """Memory of one batch, and the events now in it (``None``: all zero)."""

    array: np.ndarray
    written: tuple[Packed, np.ndarray] | None = None

    def references(self) -> int:
        return sys.getrefcount(self.array)


class Buffers:
    """Dense batches in memory that is used again once no tensor shares it; only the last batch's events are cleared, not all of it.

    So a batch must not be written to: whoever changes it works on a copy.
    """

    keep = 3  # a batch in training, the one before it, and one of the test set

    def __init__(self) -> None:
        self.buffers: list[_Buffer] = []
        self.alone = _Buffer(np.empty(0, np.float32)).references()  # of an array that nothing else uses

    def dense(self, packed: Packed, rows: np.ndarray) -> Tensor:
        """``[T, len(rows), channels]`` float32 of these samples."""
        size = packed.steps * len(rows) * packed.channels
        buffer = self._free(size)
        if buffer.written:
            earlier, those = buffer.written
            earlier.scatter(buffer.array, those, clear=True)
        buffer.written = packed, rows
        packed.scatter(buffer.array, rows)
        return torch.from_numpy(buffer.array[:size].reshape(packed.steps, len(rows), packed.channels))

    def _free(self, size: int) -> _Buffer:
        for buffer in self.buffers:  # a tensor, a view of it or the graph that needs it holds a reference to the array
            if len(buffer.array) >= size and buffer.references() == self.alone:
                return buffer
        buffer = _Buffer(np.zeros(size, np.float32))
        self.buffers = [buffer, *self.buffers][: self.keep]
        return buffer


@dataclass(frozen=True)
class Packed:
    """One split: places of events, of sample i from ``offsets[i]`` to ``offsets[i + 1]``."""

    places: np.ndarray
    counts: np.ndarray
    offsets: np.ndarray
    labels: Tensor
    steps: int
    channels: int

    @classmethod
    def of(cls, stored: cache.Packed, steps: int, channels: int) -> Packed:
        arrays = stored.arrays
        offsets = np.concatenate([[0], np.cumsum(arrays["lengths"])])
        counts = arrays.get("counts", np.empty(0, np.uint16))
        return cls(arrays["places"], counts, offsets, torch.from_numpy(arrays["labels"].copy()), steps, channels)

    def __len__(self) -> int:
        return len(self.labels)

    def scatter(self, array: np.ndarray, rows: np.ndarray, clear: bool = False) -> None:
        """Write the events of ``rows`` into the beginning of ``array``, or zeros in their places."""
        out = array[: self.steps * len(rows) * self.channels]
        first, end = self.offsets[rows], self.offsets[rows + 1]
        if clear and (end - first).sum() > len(out) // 16:  # not sparse: one sweep is faster
            out.fill(0)
        else:
            counts = self.counts[:0] if clear else self.counts
            scatter(out, self.channels, self.places, counts, first, end, np.float32(not clear))


class EventData(SequenceData):
    """Base of the event sets: ``steps`` x batch x ``channels``, from the packed file that the first use builds.

    ``validation``: share of the training samples set aside by sorted name and a fixed seed, given by ``validation_batches``. ``train``
    and ``test`` limit the number of samples, evenly spread (smoke budget only).
    """

    source: ClassVar[str]
    splits: ClassVar[dict[str, str]] = {"train": "train", "test": "test"}  # ours: the set's
    classes: ClassVar[int]
    reader: ClassVar[str]  # name of the function in datamodules.recordings

    def __init__(
        self, batch_size: int, seed: int, transform: Any, validation: float = 0.0, train: int | None = None, test: int | None = None
    ) -> None:
        super().__init__(batch_size, seed)
        if not 0.0 <= validation < 1.0:
            raise ValueError(f"validation is the share of training samples set aside, 0 <= share < 1, got {validation}")
        for name, limit in (("train", train), ("test", test)):
            if limit is not None and limit < 1:
                raise ValueError(f"{name} must be at least 1 sample, got {limit}")
        self.transform, self.validation, self.limits = transform, validation, {"train": train, "test": test}
        self.sets: dict[str, Packed] = {}
        self.rows: dict[str, np.ndarray] = {}
        self.buffers = Buffers()

    def setup(self, stage: str | None = None) -> None:
        if self.sets:
            return
        self.sets = {ours: self._packed(theirs, self.limits.get(ours)) for ours, theirs in self.splits.items()}
        self.rows = {ours: np.arange(len(packed)) for ours, packed in self.sets.items()}
        if self.validation and "validation" not in self.sets:
            self.sets["validation"] = self.sets["train"]
            self.rows["train"], self.rows["validation"] = set_aside(len(self.sets["train"]), self.validation)

    def _packed(self, split: str, limit: int | None) -> Packed:
        transform = self.transform

        def build(writer: cache.Writer) -> dict[str, Any]:
            from datamodules import recordings  # Tonic is loaded only where something is read

            sources.check(self.source)
            reading = recordings.Reading(getattr(recordings, self.reader), sources.folder(self.source), split, transform, self.classes)
            return recordings.pack(reading, reading.rows(limit, sources.SOURCES[self.source].samples[split]), writer)

        settings = {"transform": type(transform).__name__, **asdict(transform), "limit": limit}
        return Packed.of(cache.obtain(self.source, split, settings, build), transform.steps, transform.channels)

    def _batches(self, which: str, seed: int, stream: int, epoch: Callable[[], int] | None) -> Batches:
        self.setup()
        packed, rows = self.sets[which], self.rows[which]

        def make(indices: np.ndarray, rng: np.random.Generator) -> Batch:
            chosen = rows[indices]
            return self.buffers.dense(packed, chosen), packed.labels[torch.from_numpy(chosen)]

        return Batches(len(rows), self.batch_size, make, seed, stream, epoch)

    def train_batches(self, epoch: Callable[[], int]) -> Batches:
        return self._batches("train", self.seed, TRAIN, epoch)

    def validation_batches(self) -> Batches:
        """Samples that are neither trained on nor tested: the set's own validation split, or what ``validation`` set aside."""
        self.setup()
        if "validation" not in self.sets:
            raise ValueError(f"{self.source} has no validation split of its own: ask for one with validation=0.1")
        return self._batches("validation", self.test_seed, TEST, None)

    def test_batches(self) -> Batches:
        return self._batches("test", self.test_seed, TEST, None)
