"""From a recording's events to the network's input, as sorted places in it, ready for the cache. Loads no torch.

A transform takes structured events (fields t in us, x, p and, for cameras, y) and a report to count in, and gives the
places ``step * channels + channel`` of everything that is not zero, ascending, with their counts (``None`` where all
are one).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Places = tuple[np.ndarray, np.ndarray | None]
Transform = Callable[[np.ndarray, Counter], Places]


def clean(events: np.ndarray, report: Counter, **limits: int) -> np.ndarray:
    """Events in order of time, with every field of ``limits`` in 0..limit-1 and no time before 0.

    The report counts the events that are left out.
    """
    report["recordings"] += 1
    report["events"] += len(events)
    inside = np.ones(len(events), bool)
    for name, limit in limits.items():
        inside &= (events[name] >= 0) & (events[name] < limit)
    report["off the sensor"] += len(events) - int(inside.sum())
    early = inside & (events["t"] < 0)
    report["before time 0"] += int(early.sum())
    events = events[inside & ~early]
    if np.any(np.diff(events["t"]) < 0):
        report["recordings out of order, sorted"] += 1
        events = events[np.argsort(events["t"], kind="stable")]
    report["empty recordings"] += not len(events)
    return events


def drop(events: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """``events`` without ``int(N * ratio)`` of them, each as likely to go as another (EventDrop's random drop, Gu et
    al. 2021).

    The same ``rng`` with a larger ratio drops the same events and more.
    """
    return np.delete(events, rng.permutation(len(events))[: int(len(events) * ratio)])


def _places(step: np.ndarray, channel: np.ndarray, channels: int, counts: bool, report: Counter) -> Places:
    flat = step.astype(np.int64) * channels + channel
    places, values = np.unique(flat, return_counts=True)
    report["used"] += len(flat) if counts else len(places)
    report["merged with another in the same bin"] += 0 if counts else len(flat) - len(places)
    return places, values if counts else None


@dataclass(frozen=True)
class Cochlea:
    """Binary spikes of 700 cochlea channels, as the public DH-SNN code bins SHD and SSC.

    Bin i takes the events not yet taken with t <= i * bin, so bin 0 only those at time 0; what comes after the last
    edge is left out, and so is unit 0; channel = 700 - unit. The edges are rounded to half precision as in that code,
    where they meet the files' half precision times: at 1 ms about a quarter of the spikes fall one bin earlier than
    with exact edges.
    """

    steps: int = 1000
    bin_ms: float = 1.0
    channels = 700
    counts = False
    sparse = True

    def __call__(self, events: np.ndarray, report: Counter) -> Places:
        events = clean(events, report, x=700)
        edges = (np.arange(self.steps) * (self.bin_ms * 1e-3)).astype(np.float16).astype(np.float64) * 1e6
        step = np.searchsorted(edges.astype(np.int64), events["t"])  # Tonic truncates times to us: so are the edges
        late = step >= self.steps
        zero = events["x"] == 0
        report["after the window"] += int(late.sum())
        report["unit 0"] += int((zero & ~late).sum())
        report["recordings longer than the window"] += bool(late.any())
        used = ~late & ~zero
        return _places(step[used], 700 - events["x"][used].astype(np.int64), self.channels, False, report)


@dataclass(frozen=True)
class Windows:
    """Fixed windows of ``window_ms`` from the first event on; polarity-major pixels; binary, or counts."""

    steps: int
    window_ms: int
    side: int
    counts: bool
    sparse = True

    @property
    def channels(self) -> int:
        return 2 * self.side * self.side

    def __call__(self, events: np.ndarray, report: Counter) -> Places:
        events = clean(events, report, x=self.side, y=self.side, p=2)
        t = events["t"].astype(np.int64)
        step = (t - t[:1]) // (1000 * self.window_ms)
        late = step >= self.steps
        report["after the window"] += int(late.sum())
        report["recordings longer than the window"] += bool(late.any())
        used = events[~late]
        channel = (used["p"].astype(np.int64) * self.side + used["y"]) * self.side + used["x"]
        return _places(step[~late], channel, self.channels, self.counts, report)


@dataclass(frozen=True)
class Frames:
    """``steps`` frames of equally many events each (the last takes the rest), pixels summed ``pool`` x ``pool``,
    polarity-major."""

    steps: int
    side: int
    pool: int
    counts: bool
    sparse = False  # of DVS128 Gesture's pixels, summed 4 x 4, most have an event in every frame

    @property
    def channels(self) -> int:
        return 2 * (self.side // self.pool) ** 2

    def __call__(self, events: np.ndarray, report: Counter) -> Places:
        events = clean(events, report, x=self.side, y=self.side, p=2)
        events_per_frame = max(1, len(events) // self.steps)
        step = np.minimum(np.arange(len(events)) // events_per_frame, self.steps - 1)
        small = self.side // self.pool
        x = events["x"].astype(np.int64) // self.pool
        y = events["y"].astype(np.int64) // self.pool
        return _places(step, (events["p"].astype(np.int64) * small + y) * small + x, self.channels, self.counts, report)
