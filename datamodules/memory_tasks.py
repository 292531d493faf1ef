"""Two generated tasks that need a long memory: the adding problem and copy memory (Chen et al. 2023)."""

from __future__ import annotations

import numpy as np
import torch

from datamodules.base import Batch, Generated

DIGITS = 10  # digits to remember
DELIMITER = 9


class Adding(Generated):
    """``steps`` x batch x 2: a value from U(0, 1), and 1 at two different steps drawn from all of them. Target: the sum
    of the two marked values, [B]. Always saying 1 has a mean squared error of 1/6."""

    def __init__(
        self,
        batch_size: int,
        seed: int,
        steps: int = 100,
        batches: int = 100,
        test: int = 1_000,
        validation: float = 0.0,
    ) -> None:
        super().__init__(batch_size, seed, batches, test, validation)
        if steps < 2:
            raise ValueError(f"the adding problem marks two different steps: it needs at least 2, got {steps}")
        self.steps = steps

    def generate(self, count: int, rng: np.random.Generator) -> Batch:
        values = rng.random((self.steps, count), np.float32)
        first = rng.integers(0, self.steps, count)
        second = (first + rng.integers(1, self.steps, count)) % self.steps
        marks = np.zeros_like(values)
        columns = np.arange(count)
        marks[first, columns] = marks[second, columns] = 1
        target = values[first, columns] + values[second, columns]
        return torch.from_numpy(np.stack([values, marks], -1)), torch.from_numpy(target)


class CopyMemory(Generated):
    """``delay`` + 20 steps x batch x 10, one-hot: ten digits from 1..8, ``delay`` zeros, ten 9s. Target [B, steps]: the
    ten digits in the last ten steps, 0 before.

    Saying 0 and then any of the eight digits has a cross-entropy per step of 10 ln 8 / (delay + 20).
    """

    def __init__(
        self,
        batch_size: int,
        seed: int,
        delay: int = 100,
        batches: int = 100,
        test: int = 1_000,
        validation: float = 0.0,
    ) -> None:
        super().__init__(batch_size, seed, batches, test, validation)
        if delay < 1:
            raise ValueError(f"the delay of copy memory is at least 1 step, got {delay}")
        self.delay = delay
        self.steps = delay + 2 * DIGITS

    def generate(self, count: int, rng: np.random.Generator) -> Batch:
        digits = rng.integers(1, DELIMITER, (DIGITS, count))
        sequence = np.zeros((self.steps, count), np.int64)
        sequence[:DIGITS] = digits
        sequence[-DIGITS:] = DELIMITER
        target = np.zeros_like(sequence)
        target[-DIGITS:] = digits
        return torch.from_numpy(np.eye(10, dtype=np.uint8)[sequence]), torch.from_numpy(target.T.copy())
