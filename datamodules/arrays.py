"""A data set from outside the suite, given as numpy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from datamodules.base import TEST, TRAIN, Batch, Batches, SequenceData, set_aside

SPLITS = ("train", "test")


class Arrays(SequenceData):
    """``made_by(**settings)`` gives for "train" and "test" inputs [samples, T, N] and targets [samples]: classes as
    whole numbers, or real numbers for a regression.

    ``train`` and ``test`` take the first samples alone. Raises ``ValueError`` for anything else than such arrays.
    """

    def __init__(
        self,
        made_by: Callable[..., Mapping[str, tuple[Any, Any]]],
        name: str,
        batch_size: int,
        seed: int,
        validation: float = 0.0,
        train: int | None = None,
        test: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(batch_size, seed, validation)
        self.made_by = made_by
        self.name = name
        self.limits = {"train": train, "test": test}
        self.settings = settings
        self.splits: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def setup(self, stage: str | None = None) -> None:
        if self.splits:
            return
        made = self.made_by(**self.settings)
        if set(made) != set(SPLITS):
            raise ValueError(f"data set {self.name} must give {' and '.join(SPLITS)}, got {', '.join(made)}")
        self.splits = {split: self._checked(split, *made[split]) for split in SPLITS}

    def _checked(self, split: str, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        x = np.asarray(x)
        y = np.asarray(y)
        if (
            x.ndim != 3
            or y.shape != x.shape[:1]
            or not len(x)
            or x.dtype.kind not in "biuf"
            or y.dtype.kind not in "iuf"
        ):
            raise ValueError(
                f"data set {self.name}, {split}: inputs are numbers [samples, steps, channels] and targets [samples],"
                f" got {x.dtype} {list(x.shape)} and {y.dtype} {list(y.shape)}"
            )
        target = y.astype(np.int64 if y.dtype.kind in "iu" else np.float32)
        return x[: self.limits[split]].astype(np.float32), target[: self.limits[split]]

    def _batches(self, split: str, rows: np.ndarray, stream: int, epoch: Callable[[], int] | None = None) -> Batches:
        x, y = self.splits[split]

        def make(indices: np.ndarray, rng: np.random.Generator) -> Batch:
            chosen = rows[indices]
            return torch.from_numpy(x[chosen]).transpose(0, 1).contiguous(), torch.from_numpy(y[chosen])

        seed = self.test_seed if epoch is None else self.seed
        return Batches(len(rows), self.batch_size, make, seed, stream, epoch)

    def _rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Samples to train on, and samples for validation."""
        count = len(self.splits["train"][0])
        return set_aside(count, self.validation) if self.validation else (np.arange(count), np.arange(0))

    def train_batches(self, epoch: Callable[[], int]) -> Batches:
        return self._batches("train", self._rows()[0], TRAIN, epoch)

    def validation_batches(self) -> Batches:
        if not self.has_validation:
            return super().validation_batches()
        return self._batches("train", self._rows()[1], TEST)

    def test_batches(self) -> Batches:
        return self._batches("test", np.arange(len(self.splits["test"][0])), TEST)
