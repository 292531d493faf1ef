"""Batches, time first, made without a Python loop over samples.

The same (seed, epoch) gives the same bytes on every machine.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from datamodules.on_card import on_card, pack

Batch = tuple[Tensor, Tensor]  # input [T, B, N], class index [B]
Make = Callable[[np.ndarray, np.random.Generator], Batch]

# random streams
TRAIN = 0
TEST = 1
VALIDATION = 2
AHEAD = 2  # batches that the host makes while a card works
VALIDATION_SEED = 20240325  # of the choice of validation samples


def set_aside(count: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows for validation, both sorted. They do not depend on a training's seed."""
    order = np.random.default_rng(VALIDATION_SEED).permutation(count)
    validation = max(1, math.floor(share * count))
    return np.sort(order[validation:]), np.sort(order[:validation])


class Batches:
    """Iterates over ``count`` samples: ``make(indices, rng)`` gives each batch.

    Order and randomness follow from ``seed``, ``stream`` and ``epoch()`` alone, so an interrupted training continues
    exactly as an uninterrupted one. ``seconds`` is the time so far that whoever iterates has waited for batches. With
    ``device`` the batches are on it, ``together`` of them joined to one, and a thread makes them ahead of time.
    """

    device: torch.device | None = None
    together = 1

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
        return math.ceil(math.ceil(self.count / self.batch_size) / (self.together if self.device is not None else 1))

    def __iter__(self) -> Iterator[Batch]:
        shuffle = self.epoch is not None
        rng = np.random.default_rng([self.seed, self.stream, self.epoch() if self.epoch else 0])
        order = rng.permutation(self.count) if shuffle else np.arange(self.count)
        parts = [order[start : start + self.batch_size] for start in range(0, self.count, self.batch_size)]
        made = (self.make(part, rng) for part in parts)
        batches = made if self.device is None else self._on_card(made, self.device)
        while True:
            start_time = time.perf_counter()
            batch = next(batches, None)
            self.seconds += time.perf_counter() - start_time
            if batch is None:
                return
            yield batch

    def _on_card(self, made: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
        """The batches on ``device``. One thread makes them in their order, so they are what they are without it."""
        with ThreadPoolExecutor(1, "batches") as pool:
            waiting: deque[Future[Batch | None]] = deque()
            joined: list[Batch] = []
            while True:
                while len(waiting) <= AHEAD:
                    waiting.append(pool.submit(next, made, None))
                batch = waiting.popleft().result()
                if batch is not None:
                    joined.append((on_card(batch[0], device), on_card(batch[1], device)))
                if joined and (batch is None or len(joined) == self.together):
                    yield joined[0] if len(joined) == 1 else _join(joined)
                    joined = []
                if batch is None:
                    return


def _join(batches: list[Batch]) -> Batch:
    """One batch of several."""
    return torch.cat([x for x, _ in batches], 1), torch.cat([target for _, target in batches])


class SequenceData(pl.LightningDataModule):
    """Base of all data modules. The test set is the same for every seed.

    ``validation``: share of the training samples used for validation, chosen by their sorted keys and a fixed seed.
    ``val_dataloader`` gives the sets evaluated every epoch: the test set, then the validation split where there is
    one. ``form``: "dense" tensors, or, where it ``has_events``, "events" (``packed.Events``), which are much cheaper
    to make, or "small", whatever has the fewest bytes for ``on_card``. All forms train the same. A module with an
    attribute ``steps``, the time steps of a sample, has its dense operations counted.
    """

    form = "dense"
    device: torch.device | None = None  # of the batches, where they are made for a card
    together = 1  # batches of an evaluation that are joined to one

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

    def place(self, device: torch.device, together: int = 1) -> None:
        """Make batches for the card ``device``, and in an evaluation ``together`` of them at a time."""
        self.device = device
        self.together = together
        self.form = "small"

    def placed(self, batches: Batches) -> Batches:
        """``batches`` on the card that was named to ``place``; as they are without one."""
        batches.device = self.device
        batches.together = 1 if batches.stream == TRAIN else self.together
        return batches

    def _register(self, batches: Batches) -> Batches:
        self.loaders.append(batches)
        return self.placed(batches)

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
            return self._input(x), target

        return Batches(self.batches * self.batch_size, self.batch_size, make, self.seed, TRAIN, epoch)

    def validation_batches(self) -> Batches:
        if not self.has_validation:
            raise ValueError(f"{type(self).__name__} has no validation samples: ask for them with validation=0.1")
        return self._fixed(VALIDATION)

    def test_batches(self) -> Batches:
        return self._fixed(TEST)

    def _input(self, x: Tensor) -> Any:
        """``x`` as the form asks for: bytes are zeros and ones."""
        return pack(x) if self.form == "small" and x.dtype == torch.uint8 else x.float()

    def _fixed(self, stream: int) -> Batches:
        self.setup()
        x, target = self.fixed[stream]

        def make(indices: np.ndarray, rng: np.random.Generator) -> Batch:
            chosen = slice(int(indices[0]), int(indices[-1]) + 1)
            return self._input(x[:, chosen]), target[chosen]

        return Batches(len(target), self.batch_size, make, self.test_seed, TEST, None)
