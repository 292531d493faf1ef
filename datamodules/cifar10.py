"""CIFAR10: images repeated over time (direct coding), cropped and flipped in training."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from datamodules import cache, cifar10_images
from datamodules.base import TEST, TRAIN, Batch, Batches, SequenceData, set_aside

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.247, 0.243, 0.261)
PAD = 4


class CIFAR10(SequenceData):
    """``steps`` x batch x 3 x 32 x 32: one normalised image, the same at every step (a view: nothing is copied).

    ``augment``: training images are padded by 4, cropped to 32 x 32 and flipped at random. ``train`` and ``test`` limit
    the number of images (smoke budget and overfitting tests).
    """

    source = "cifar10"
    images = staticmethod(cifar10_images.near_complete_images)

    def __init__(
        self,
        batch_size: int,
        seed: int,
        steps: int = 4,
        augment: bool = True,
        validation: float = 0.0,
        train: int | None = None,
        test: int | None = None,
    ) -> None:
        super().__init__(batch_size, seed, validation)
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        self.steps = steps
        self.augment = augment
        self.limits = {"train": train, "test": test}
        self.sets: dict[str, tuple[np.ndarray, Tensor]] = {}

    def setup(self, stage: str | None = None) -> None:
        if self.sets:
            return
        for split, limit in self.limits.items():
            arrays = cache.obtain(self.source, split, {}, partial(self._pack, split)).arrays
            self.sets[split] = arrays["images"][:limit], torch.from_numpy(arrays["labels"][:limit].copy())
        if self.validation:
            images, labels = self.sets["train"]
            for name, rows in zip(("train", "validation"), set_aside(len(images), self.validation), strict=True):
                self.sets[name] = images[rows], labels[torch.from_numpy(rows)]

    def _pack(self, split: str, writer: cache.Writer) -> dict[str, int]:
        images, labels = self.images(split)
        cifar10_images.check(self.source, split, images, labels)
        writer.append(images=images, labels=labels)
        return {"images": len(images)}

    def _batches(self, split: str, seed: int, stream: int, epoch: Callable[[], int] | None) -> Batches:
        self.setup()
        images, labels = self.sets[split]
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))

        def make(indices: np.ndarray, rng: np.random.Generator) -> Batch:
            chosen = images[indices]
            if self.augment and stream == TRAIN:
                chosen = crop_and_flip(chosen, rng)
            x = torch.from_numpy(chosen).float().div_(255).sub_(mean).div_(std)
            return x.expand(self.steps, *x.shape), labels[torch.from_numpy(indices)]

        return Batches(len(images), self.batch_size, make, seed, stream, epoch)

    def train_batches(self, epoch: Callable[[], int]) -> Batches:
        return self._batches("train", self.seed, TRAIN, epoch)

    def validation_batches(self) -> Batches:
        if not self.has_validation:
            raise ValueError("CIFAR10 has no validation split of its own: ask for one with validation=0.1")
        return self._batches("validation", self.test_seed, TEST, None)

    def test_batches(self) -> Batches:
        return self._batches("test", self.test_seed, TEST, None)


def crop_and_flip(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Images [B, 3, 32, 32] padded by 4 black pixels, each cropped at random and mirrored with probability 1/2."""
    count = len(images)
    side = images.shape[-1]
    padded = np.pad(images, ((0, 0), (0, 0), (PAD, PAD), (PAD, PAD)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(2, 3))
    top, left = rng.integers(0, 2 * PAD + 1, (2, count))
    cropped = windows[np.arange(count), :, top, left]
    flipped = rng.random(count) < 0.5
    cropped[flipped] = cropped[flipped, :, :, ::-1]
    return cropped


class CIFAR10Subset(CIFAR10):
    """The first 4,000 training images, 3,000 to train and 1,000 to test."""

    source = "cifar10-subset"
    images = staticmethod(cifar10_images.subset_images)
