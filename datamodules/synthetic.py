"""Recordings of random numbers with the event statistics and sample counts of the full sets.

They serve to measure time and memory, never as a result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.recordings import Recordings

COCHLEA = np.dtype([("t", np.int64), ("x", np.int64), ("p", np.int64)])
CAMERA = np.dtype([("x", np.int64), ("y", np.int64), ("t", np.int64), ("p", np.int64)])


def cochlea(rng: np.random.Generator) -> np.ndarray:
    """About 8,000 spikes of 700 channels, in order of time, in 0.4 to 1.3 s (SHD: Cramer et al. 2022)."""
    count = max(1, round(rng.lognormal(8.93, 0.3)))
    events = np.zeros(count, COCHLEA)
    events["t"] = np.sort(rng.beta(1.5, 2.0, count) * rng.uniform(0.4e6, 1.3e6))
    events["x"] = rng.beta(1.6, 1.3, count) * 700
    return events


def _camera_events(rng: np.random.Generator, times: np.ndarray, side: int, spread: float) -> np.ndarray:
    """Events of both polarities around the middle of a sensor at ``times``."""
    events = np.zeros(len(times), CAMERA)
    events["t"] = np.sort(times)
    for name in ("x", "y"):
        events[name] = np.clip(rng.normal(side / 2, spread * side, len(times)), 0, side - 1)
    events["p"] = rng.integers(0, 2, len(times))
    return events


def saccades(rng: np.random.Generator) -> np.ndarray:
    """About 4,100 events in three bursts in 0.31 s on 34 x 34 pixels (the 1,100 first recordings of N-MNIST)."""
    count = max(30, round(rng.normal(4100, 1150)))
    times = rng.choice([52e3, 152e3, 258e3], count) + rng.normal(0, 20e3, count)
    return _camera_events(rng, np.clip(times, 0, 310e3), 34, 0.2)


def gesture(rng: np.random.Generator) -> np.ndarray:
    """About 370,000 events in 6 s on 128 x 128 pixels (DVS128 Gesture: Amir et al. 2017)."""
    count = max(10_000, round(rng.lognormal(12.7, 0.5)))
    return _camera_events(rng, rng.uniform(0, 6e6, count), 128, 0.2)


@dataclass(frozen=True)
class _SyntheticSet:
    make: Callable[[np.random.Generator], np.ndarray]
    classes: int

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.make(np.random.default_rng(index)), index % self.classes


def _recordings(make: Callable, classes: int, count: str) -> Recordings:
    return Recordings(
        _SyntheticSet(make, classes), [f"synthetic recording {i}" for i in range(int(count))], list(range(int(count)))
    )


def shd(folder: Path, split: str) -> Recordings:
    """``split``: the number of recordings, as text, since it stands in the place of a split's name."""
    return _recordings(cochlea, 20, split)


def nmnist(folder: Path, split: str) -> Recordings:
    return _recordings(saccades, 10, split)


def nmnist_7(folder: Path, split: str) -> Recordings:
    return _recordings(saccades, 7, split)


def dvs_gesture(folder: Path, split: str) -> Recordings:
    return _recordings(gesture, 11, split)
