"""Batches, time first, made without a Python loop over samples.

The same (seed, epoch) gives the same bytes on every machine.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

Batch = tuple[Tensor, Tensor]  # input [T, B, N], class index [B]
Make = Callable[[np.ndarray, np.random.Generator], Batch]

# random streams
TRAIN = 0
TEST = 1
VALIDATION = 2
VALIDATION_SEED = 20240325  # of the choice of validation samples


def set_aside(count: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows for validation, both sorted. They do not depend on a training's seed."""
    order = np.random.default_rng(VALIDATION_SEED).permutation(count)
    validation = max(1, math.floor(share * count))
    return np.sort(order[validation:]), np.sort(order[:validation])


class Batches:
    """Iterates over ``count`` samples: ``make(indices, rng)`` gives each batch.

    Order and randomness follow from ``seed``, ``stream`` and ``epoch()`` alone, so an interrupted training continues
    exactly as an uninterrupted one. ``seconds`` is the time taken by ``make`` so far.
    """

    def __init__(
        self, count: int, batch_size: int, make: Make, seed: int, stream: int, epoch: Callable[[], int] | None = None
    ) -> None:
        if batch_size < 1 or count < 1:
            raise ValueError(f"batch_size and the number of samples must be at least 1, got {batch_size} and {count}")
        self.count = count
        self.batch_size = batch_size
        self.make = make
        self.seed = seed
        self.stream = stream
        self.epoch = epoch
        self.seconds = 0.0

    def __len__(self) -> int:
        return math.ceil(self.count / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        shuffle = self.epoch is not None
        rng = np.random.default_rng([self.seed, self.stream, self.epoch() if self.epoch else 0])
        order = rng.permutation(self.count) if shuffle else np.arange(self.count)
        for start in range(0, self.count, self.batch_size):
            start_time = time.perf_counter()
            batch = self.make(order[start : start + self.batch_size], rng)
            self.seconds += time.perf_counter() - start_time
            yield batch


class SequenceData(pl.LightningDataModule):
    """Base of all data modules. The test set is the same for every seed.

    ``validation``: share of the training samples used for validation, chosen by their sorted keys and a fixed seed.
    ``val_dataloader`` gives the sets evaluated every epoch: the test set, then the validation split where there is
    one. ``form``: "dense" tensors, or, where it ``has_events``, "events" (``packed.Events``), which are much cheaper
    to make. Both forms train the same. A module with an attribute ``steps``, the time steps of a sample, has its
    dense operations counted.
    """

    form = "dense"

    @property
    def has_events(self) -> bool:
        return False

    test_seed = 20240325  # of randomness in test inputs (Bernoulli coding, generated samples)

    def __init__(self, batch_size: int, seed: int, validation: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= validation < 1.0:
            raise ValueError(f"validation is the share of training samples set aside, 0 <= share < 1, got {validation}")
        self.batch_size = batch_size
        self.seed = seed
        self.validation = validation
        self.loaders: list[Batches] = []

    def train_batches(self, epoch: Callable[[], int]) -> Batches:
        raise NotImplementedError

    def test_batches(self) -> Batches:
        raise NotImplementedError

    @property
    def has_validation(self) -> bool:
        """Whether there are samples that are neither trained on nor tested."""
        return self.validation > 0

    def validation_batches(self) -> Batches:
        """The samples kept out by ``validation``, or the set's own split. Raises ``ValueError`` without either."""
        raise ValueError(f"{type(self).__name__} has no validation split")

    def _register(self, batches: Batches) -> Batches:
        self.loaders.append(batches)
        return batches

    @property
    def seconds(self) -> float:
        """Time spent making training batches so far."""
        return sum(b.seconds for b in self.loaders if b.stream == TRAIN)

    def train_dataloader(self) -> Batches:
        return self._register(self.train_batches(lambda: self.trainer.current_epoch if self.trainer else 0))

    def val_dataloader(self) -> list[Batches]:
        watched = [self.test_batches, *([self.validation_batches] if self.has_validation else [])]
        return [self._register(batches()) for batches in watched]

    def test_dataloader(self) -> Batches:
        return self._register(self.test_batches())


def random_bytes(rng: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    """Uniform uint8 tensor of ``shape``: the bytes of ``rng.bytes``, without its copies. Faster than a bounded draw."""
    count = math.prod(shape)
    words = rng.integers(0, 1 << 32, size=-(-count // 4), dtype=np.uint32).astype("<u4", copy=False)
    return torch.from_numpy(words.view(np.uint8)[:count].reshape(shape))


class Generated(SequenceData):
    """Base of generated data: ``batches`` new batches an epoch, and fixed samples for test and validation.

    ``test``: number of test samples; ``validation``: number of validation samples as a share of it.
    """

    def __init__(self, batch_size: int, seed: int, batches: int, test: int, validation: float = 0.0) -> None:
        super().__init__(batch_size, seed, validation)
        self.batches = batches
        self.test = test
        self.fixed: dict[int, Batch] = {}  # by random stream

    def generate(self, count: int, rng: np.random.Generator) -> Batch:
        """``count`` samples: input [T, count, N], of bytes where that is exact, and targets."""
        raise NotImplementedError

    def setup(self, stage: str | None = None) -> None:
        counts = {TEST: self.test}
        if self.has_validation:
            counts[VALIDATION] = max(1, int(self.validation * self.test))
        for stream in counts.keys() - self.fixed.keys():
            self.fixed[stream] = self.generate(counts[stream], np.random.default_rng([self.test_seed, stream]))

    def train_batches(self, epoch: Callable[[], int]) -> Batches:
        def make(indices: np.ndarray, rng: np.random.Generator) -> Batch:
            x, target = self.generate(len(indices), rng)
            return x.float(), target

        return Batches(self.batches * self.batch_size, self.batch_size, make, self.seed, TRAIN, epoch)

    def validation_batches(self) -> Batches:
        if not self.has_validation:
            raise ValueError(f"{type(self).__name__} has no validation samples: ask for them with validation=0.1")
        return self._fixed(VALIDATION)

    def test_batches(self) -> Batches:
        return self._fixed(TEST)

    def _fixed(self, stream: int) -> Batches:
        self.setup()
        x, target = self.fixed[stream]

        def make(indices: np.ndarray, rng: np.random.Generator) -> Batch:
            chosen = slice(int(indices[0]), int(indices[-1]) + 1)
            return x[:, chosen].float(), target[chosen]

        return Batches(len(target), self.batch_size, make, self.test_seed, TEST, None)
