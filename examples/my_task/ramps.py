"""Spike trains whose rate rises or falls."""

import numpy as np


def ramps(steps: int, samples: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Inputs [samples, steps, 8] of 0 and 1, and classes [samples]: 1 where the rate rises from 0 to 0.8, else 0."""
    rng = np.random.default_rng(0)
    made = {}
    for split in ("train", "test"):
        classes = rng.integers(0, 2, samples)
        rate = np.linspace(0.0, 0.8, steps)
        rates = np.where(classes[:, None] == 1, rate, rate[::-1])
        made[split] = (rng.random((samples, steps, 8)) < rates[:, :, None]).astype(np.float32), classes
    return made
