"""Delayed spiking XOR: two patterns of low or high rate, far apart in time; the label says whether the rates differ."""

from __future__ import annotations

import numpy as np
import torch

from datamodules.base import Batch, Generated


class DelayedXOR(Generated):
    """Spikes ``steps`` x batch x ``channels`` (generator of the public DH-SNN code).

    Background spikes of probability ``noise`` everywhere; first pattern in the first, second in the last ``pattern``
    steps, each with rate ``low`` or ``high`` drawn independently. ``batches`` fresh batches an epoch; ``test`` and
    ``validation`` as for all generated data. Probabilities are exact to 2^-17.
    """

    def __init__(
        self,
        batch_size: int,
        seed: int,
        steps: int = 200,
        channels: int = 20,
        pattern: int = 10,
        low: float = 0.2,
        high: float = 0.6,
        noise: float = 0.01,
        batches: int = 100,
        test: int = 10_000,
        validation: float = 0.0,
    ) -> None:
        super().__init__(batch_size, seed, batches, test, validation)
        if not 0 < 2 * pattern <= steps:
            raise ValueError(f"two patterns of {pattern} steps do not fit into {steps} steps")
        if not all(0.0 <= p <= 1.0 for p in (low, high, noise)):
            raise ValueError(f"low, high and noise are probabilities, got {low}, {high}, {noise}")
        self.steps = steps
        self.channels = channels
        self.pattern = pattern
        self.noise = noise
        self.rates = np.array([low, high])

    def generate(self, count: int, rng: np.random.Generator) -> Batch:
        """``count`` samples: spikes as uint8 [T, count, channels], labels [count]."""
        bits = rng.integers(0, 2, (2, count))
        spikes = self._bernoulli(rng, (self.steps, count, self.channels), np.array(self.noise))
        for part, rate in zip((spikes[: self.pattern], spikes[-self.pattern :]), self.rates[bits], strict=True):
            part |= self._bernoulli(rng, part.shape, rate[None, :, None])
        return torch.from_numpy(spikes.view(np.uint8)), torch.from_numpy((bits[0] ^ bits[1]).astype(np.int64))

    @staticmethod
    def _bernoulli(rng: np.random.Generator, shape: tuple[int, ...], p: np.ndarray) -> np.ndarray:
        draws = np.frombuffer(rng.bytes(2 * int(np.prod(shape))), np.uint16).reshape(shape)
        return draws < np.rint(p * 65536).astype(np.uint32)
