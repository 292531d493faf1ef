"""MNIST from its original files, as spikes or currents over time."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.base import TEST, TRAIN, Batch, Batches, SequenceData, random_bytes, set_aside
from datamodules.on_card import Rows, Stored, pack
from datamodules.sources import MNIST as SOURCE
from datamodules.sources import read


def parse_idx(content: bytes, name: str) -> np.ndarray:
    """An IDX file (gzip) as a uint8 array. Raises ``ValueError`` naming ``name`` when it is not one."""
    try:
        raw = gzip.decompress(content)
    except (OSError, EOFError) as error:
        raise ValueError(f"{name} is not a whole gzip file ({error})") from None
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{name} is not an IDX file of bytes")
    shape = np.frombuffer(raw, ">u4", raw[3], 4)
    data = np.frombuffer(raw, np.uint8, -1, 4 + 4 * raw[3])
    if data.size != np.prod(shape):
        raise ValueError(f"{name} holds {data.size} values where its header says {list(shape)}")
    return data.reshape(shape)


class MNIST(SequenceData):
    """Images as ``steps`` x batch x 784. ``encoding``: "bernoulli" (a spike with probability value/256 at each step) or
    "current" (the intensity in 0..1, repeated). ``train`` and ``test`` limit the number of samples (smoke budget
    only)."""

    def __init__(
        self,
        batch_size: int,
        seed: int,
        encoding: str = "bernoulli",
        steps: int = 15,
        validation: float = 0.0,
        train: int | None = None,
        test: int | None = None,
    ) -> None:
        super().__init__(batch_size, seed, validation)
        if encoding not in ("bernoulli", "current"):
            raise ValueError(f"encoding {encoding!r} is not one of bernoulli, current")
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        self.encoding = encoding
        self.steps = steps
        self.limits = {"train": train, "t10k": test}
        self.sets: dict[str, tuple[Tensor, Tensor]] = {}
        self.stored: dict[str, Stored] = {}  # the images, where a card has them
        self.levels = Stored(self.level(torch.arange(256).float() / 255)[:, None])

    def setup(self, stage: str | None = None) -> None:
        if self.sets:
            return
        for split, limit in self.limits.items():
            paths = [f.path for f in SOURCE.files if split in f.path]
            images, labels = (parse_idx(read(SOURCE, path), path) for path in paths)
            images = images.reshape(len(images), -1)[:limit]
            self.sets[split] = torch.from_numpy(images.copy()), torch.from_numpy(labels[:limit].astype(np.int64))
        if self.validation:
            pixels, classes = self.sets["train"]
            for name, rows in zip(("train", "validation"), set_aside(len(pixels), self.validation), strict=True):
                self.sets[name] = pixels[rows], classes[rows]

    def level(self, x: Tensor) -> Tensor:
        """The input at a pixel of intensity ``x`` in 0..1."""
        return x

    def looked_up(self, pixels: Tensor) -> Tensor:
        """The input at ``pixels``, uint8, from the 256 values computed on the CPU: a card divides with another last
        bit.
        """
        return self.levels.on(pixels.device).squeeze(1).index_select(0, pixels.flatten().int()).view(pixels.shape)

    def _rows(self, split: str, chosen: Tensor, form: Callable[[Tensor], Tensor]) -> Rows:
        """Images ``chosen`` of a split, kept where the batches are."""
        if split not in self.stored:
            self.stored[split] = Stored(self.sets[split][0])
        return Rows(self.stored[split], chosen, form)

    def _batches(self, split: str, seed: int, stream: int, epoch: Callable[[], int] | None) -> Batches:
        images, labels = self.sets[split]

        def repeated(pixels: Tensor) -> Tensor:
            return self.looked_up(pixels).expand(self.steps, *pixels.shape)

        def make(indices: np.ndarray, rng: np.random.Generator) -> Batch:
            chosen = torch.from_numpy(indices)
            small = self.form == "small"
            x: Any
            if self.encoding == "bernoulli":
                pixels = images[chosen]
                shape = (self.steps, *pixels.shape)
                drawn = random_bytes(rng, shape)
                x = pack(torch.lt(drawn, pixels)) if small else torch.lt(drawn, pixels, out=torch.empty(shape))
            elif small:
                x = self._rows(split, chosen, repeated)
            else:
                x = (images[chosen].float() / 255).expand(self.steps, len(chosen), images.shape[1])
            return x, labels[chosen]

        return Batches(len(images), self.batch_size, make, seed, stream, epoch)

    def train_batches(self, epoch: Callable[[], int]) -> Batches:
        return self._batches("train", self.seed, TRAIN, epoch)

    def validation_batches(self) -> Batches:
        if not self.has_validation:
            raise ValueError("MNIST has no validation split of its own: ask for one with validation=0.1")
        return self._batches("validation", self.test_seed, TEST, None)

    def test_batches(self) -> Batches:
        return self._batches("t10k", self.test_seed, TEST, None)
