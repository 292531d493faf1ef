"""The data module of every event set: packed files on disk, batches of them in training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from datamodules import cache, sources
from datamodules.base import TEST, TRAIN, Batch, Batches, SequenceData, set_aside
from datamodules.on_card import LARGEST_SET, Bits, Rows, Stored
from datamodules.packed import Buffers, PackedSplit


class EventData(SequenceData):
    """Base of the event sets: ``steps`` x batch x ``channels``, from the packed file that the first use builds.

    ``train`` and ``test`` limit the number of samples, evenly spread (smoke budget only). ``drop`` leaves out this
    share of the events of every test recording, before anything is made of them (EventDrop).
    """

    source: ClassVar[str]
    splits: ClassVar[dict[str, str]] = {"train": "train", "test": "test"}  # name of a split: its name in the set
    classes: ClassVar[int]
    reader: ClassVar[str]  # name of the function in datamodules.recordings

    def __init__(
        self,
        batch_size: int,
        seed: int,
        transform: Any,
        validation: float = 0.0,
        train: int | None = None,
        test: int | None = None,
        drop: float = 0.0,
    ) -> None:
        super().__init__(batch_size, seed, validation)
        for name, limit in (("train", train), ("test", test)):
            if limit is not None and limit < 1:
                raise ValueError(f"{name} must be at least 1 sample, got {limit}")
        if not 0.0 <= drop <= 1.0:
            raise ValueError(f"drop is a share of the events, 0 <= drop <= 1, got {drop}")
        self.transform = transform
        self.steps = transform.steps
        self.limits = {"train": train, "test": test}
        self.drop = drop
        self.sets: dict[str, PackedSplit] = {}
        self.rows: dict[str, np.ndarray] = {}
        self.buffers = Buffers()
        self.stored: dict[str, Stored] = {}  # splits as bits, where a card has them

    @property
    def has_events(self) -> bool:
        return self.transform.sparse

    def setup(self, stage: str | None = None) -> None:
        """Load the packed splits, and build missing ones: all, or for stage "test" the test split alone."""
        for split, set_split in self.splits.items():
            if split in self.sets or (stage == "test" and split != "test"):
                continue
            self.sets[split] = self._packed(set_split, self.limits.get(split), self.drop if split == "test" else 0.0)
            self.rows[split] = np.arange(len(self.sets[split]))
        if self.validation and "train" in self.sets and "validation" not in self.sets:
            self.sets["validation"] = self.sets["train"]
            self.rows["train"], self.rows["validation"] = set_aside(len(self.sets["train"]), self.validation)

    def _packed(self, split: str, limit: int | None, drop: float) -> PackedSplit:
        transform = self.transform
        dropping: dict[str, Any] = {"drop": drop, "drop_seed": self.test_seed} if drop else {}

        def build(writer: cache.Writer) -> dict[str, Any]:
            from datamodules import recordings  # loads Tonic, which only reading needs

            sources.check(self.source)
            folder = sources.folder(self.source)
            reading = recordings.Reading(
                getattr(recordings, self.reader), folder, split, transform, self.classes, **dropping
            )
            return recordings.pack(reading, reading.rows(limit, sources.SOURCES[self.source].samples[split]), writer)

        settings = {"transform": type(transform).__name__, **asdict(transform), "limit": limit, **dropping}
        return PackedSplit.of(cache.obtain(self.source, split, settings, build), transform.steps, transform.channels)

    def _small(self, split: str, packed: PackedSplit, chosen: np.ndarray) -> Rows | Bits:
        """The samples ``chosen`` of a set that stays on the card; their bits, where it is too large to stay there."""
        if packed.bytes_as_bits(len(packed)) > LARGEST_SET:
            return Bits(packed.bits(chosen).transpose(0, 1).contiguous(), packed.channels)
        if split not in self.stored:
            self.stored[split] = Stored(packed.bits(np.arange(len(packed))))

        def dense(picked: Tensor) -> Tensor:
            return Bits(picked.transpose(0, 1), packed.channels).dense()

        return Rows(self.stored[split], torch.from_numpy(chosen), dense)

    def _batches(self, split: str, seed: int, stream: int, epoch: Callable[[], int] | None) -> Batches:
        self.setup("test" if split == "test" else None)
        packed = self.sets[split]
        rows = self.rows[split]

        def make(indices: np.ndarray, rng: np.random.Generator) -> Batch:
            chosen = rows[indices]
            x: Any
            if self.form == "small" and packed.binary:
                x = self._small(split, packed, chosen)
            elif self.form == "events":
                x = packed.events(chosen)
            else:
                x = self.buffers.dense(packed, chosen)
            return x, packed.labels[torch.from_numpy(chosen)]

        return Batches(len(rows), self.batch_size, make, seed, stream, epoch)

    def train_batches(self, epoch: Callable[[], int]) -> Batches:
        return self._batches("train", self.seed, TRAIN, epoch)

    @property
    def has_validation(self) -> bool:
        return "validation" in self.splits or self.validation > 0

    def validation_batches(self) -> Batches:
        if not self.has_validation:
            raise ValueError(f"{self.source} has no validation split of its own: ask for one with validation=0.1")
        return self._batches("validation", self.test_seed, TEST, None)

    def test_batches(self) -> Batches:
        return self._batches("test", self.test_seed, TEST, None)
