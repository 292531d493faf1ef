"""CIFAR10 from its original archive, images repeated over time (direct coding), cropped and flipped in training."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules import cache, sources
from datamodules.base import TEST, TRAIN, Batch, Batches, SequenceData, set_aside
from datamodules.sources import DataError

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.247, 0.243, 0.261)
PAD = 4

Images = tuple[np.ndarray, np.ndarray]  # uint8 [N, 3, 32, 32], int64 [N]


class _Plain(pickle.Unpickler):
    """Unpickles arrays, lists and strings; nothing in the file can call anything else."""

    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy.core", "numpy._core")  # its name when the archive was made
        if (module, name) in (
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        ):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} does not belong there")


def archive_images(split: str) -> Images:
    """Images and labels of ``split`` from the original archive."""
    source = sources.SOURCES["cifar10"]
    names = [f"data_batch_{i}" for i in range(1, 6)] if split == "train" else ["test_batch"]
    content = sources.read(source, source.files[0].path)
    images = []
    labels = []
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for name in names:
                member = archive.extractfile(f"cifar-10-batches-py/{name}")
                assert member is not None
                batch = _Plain(io.BytesIO(member.read()), encoding="bytes").load()
                images.append(batch[b"data"].reshape(-1, 3, 32, 32))
                labels += batch[b"labels"]
    except (tarfile.TarError, EOFError, KeyError, ValueError, AssertionError, pickle.UnpicklingError) as error:
        raise DataError(
            f"{source.title}: {source.files[0].path} is not the Python version of CIFAR10 ({error})"
        ) from None
    return np.concatenate(images), np.array(labels, np.int64)


def subset_images(split: str) -> Images:
    """The first 4,000 training images: the last 1,000 of them are the test split."""
    from PIL import Image

    source = sources.SOURCES["cifar10-subset"]
    labels = np.array(json.loads(sources.read(source, "train_labels.json")), np.int64)
    numbers = [0, 1, 2] if split == "train" else [3]
    rows = [
        np.asarray(Image.open(io.BytesIO(sources.read(source, f"lossless/cifar10_batch_{k}.png")))) for k in numbers
    ]
    images = np.concatenate([row.reshape(-1, 32, 32, 3) for row in rows]).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(images), labels[numbers[0] * 1000 : (numbers[-1] + 1) * 1000]


class CIFAR10(SequenceData):
    """``steps`` x batch x 3 x 32 x 32: one normalised image, the same at every step (a view: nothing is copied).

    ``augment``: training images are padded by 4, cropped to 32 x 32 and flipped at random. ``train`` and ``test`` limit
    the number of images (smoke budget and overfitting tests).
    """

    source = "cifar10"
    images = staticmethod(archive_images)

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
        expected = sources.SOURCES[self.source].samples[split]
        if len(images) != expected or len(labels) != expected or images.dtype != np.uint8:
            raise DataError(
                f"{self.source} {split} has {len(images):,} images and {len(labels):,} labels where the set "
                f"has {expected:,}"
            )
        if labels.min() < 0 or labels.max() > 9:
            raise DataError(f"{self.source} {split} has labels {labels.min()}..{labels.max()}, the set's are 0..9")
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
    images = staticmethod(subset_images)
