"""The N-MNIST stand-in beside the 18,200 real recordings of ``nmnist-7``, digit by digit.

The simulated recordings are of the same MNIST digits and are treated as the real ones were: isolated events are left
out, and times are in whole ms from the first event on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from datamodules.sources import NMNIST_7, DataError, check, event_codes, folder
from datamodules.standins.nmnist import mnist, sample
from datamodules.standins.production import run_parallel
from datamodules.standins.sensor import SIDE, Sensor, Studio

CHUNK = 200  # recordings a task
FILTER_US = 10_000  # an event without a neighbour within this time is left out
TRAINED_MS = 45  # 15 windows of 3 ms: what the N-MNIST task shows the networks
Row = tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """Recordings of one digit that one worker makes; ``images`` [n, 28, 28] and 0-based ``places`` in MNIST."""

    digit: int
    images: np.ndarray
    places: np.ndarray
    seed: int


@dataclass
class Counts:
    """Events of many recordings: by time [ms], by polarity and pixel [2 * 34 * 34], and of each recording [n]."""

    ms: np.ndarray
    pixels: np.ndarray
    recordings: np.ndarray

    def __add__(self, other: Counts) -> Counts:
        joined = np.concatenate([self.recordings, other.recordings])
        return Counts(self.ms + other.ms, self.pixels + other.pixels, joined)


@numba.njit(cache=True)
def _connected(t, x, y, filter_us):
    """Whether each event, in order of time, has an earlier or equal one at a neighbour pixel within ``filter_us``."""
    side = max(x.max(), y.max()) + 1
    until = np.full((side + 2, side + 2), -1, np.int64)
    until[1 : x.max() + 2, 1 : y.max() + 2] = filter_us
    kept = np.zeros(len(t), np.bool_)
    for k in range(len(t)):
        column = x[k] + 1
        row = y[k] + 1
        until[column, row] = t[k] + filter_us
        latest = max(until[column - 1, row], until[column + 1, row], until[column, row - 1], until[column, row + 1])
        kept[k] = latest > t[k]
    return kept


def denoised(events: np.ndarray) -> np.ndarray:
    """Events [n, 4] (time in us, x, y, polarity) that Tonic's ``Denoise(filter_time=10000)`` leaves."""
    t, x, y, _ = events.T
    return events[_connected(np.ascontiguousarray(t), np.ascontiguousarray(x), np.ascontiguousarray(y), FILTER_US)]


def simulated_codes(events: np.ndarray) -> np.ndarray:
    """Events [n, 4] as sorted codes of ``nmnist-7``: denoised, in whole ms from the first event on.

    Those of the last, incomplete ms are left out, as in Tonic's ``ToFrame``.
    """
    t, x, y, p = denoised(events).T
    ms = (t - t[:1]) // 1000
    place = (p * SIDE + y) * SIDE + x
    return np.sort((place * event_codes.LIMIT_MS + ms)[ms < min(ms[-1], event_codes.LIMIT_MS)])


def count(codes: list[np.ndarray]) -> Counts:
    """Counts of recordings as codes."""
    pixels, ms = np.divmod(np.concatenate(codes).astype(np.int64), event_codes.LIMIT_MS)
    return Counts(
        np.bincount(ms, minlength=event_codes.LIMIT_MS),
        np.bincount(pixels, minlength=event_codes.PLACES),
        np.array([len(c) for c in codes]),
    )


def _simulate(job: Job) -> Counts:
    studio = Studio(Sensor(), job.seed)
    recordings = zip(job.images, job.places.tolist(), strict=True)
    return count([simulated_codes(sample(studio, image, job.seed, "Train", place)) for image, place in recordings])


def counts(limit: int | None, seed: int, workers: int) -> dict[int, tuple[Counts, Counts]]:
    """By digit, counts of real recordings and of simulated ones of the same digits of MNIST.

    At most ``limit`` recordings of a digit are taken. Raises ``DataError`` if the real ones are not all there.
    """
    check(NMNIST_7.name)
    index = event_codes.read_index(folder(NMNIST_7.name))
    images, labels = mnist("Train")
    real = {}
    jobs = []
    for digit in event_codes.digits_of(index):
        places = index.of(digit).numbers[:limit] - 1
        if places.max() >= len(labels) or np.any(labels[places] != digit):
            raise DataError(f"{event_codes.INDEX} lists digits as {digit} that MNIST does not")
        real[digit] = count(event_codes.read_codes(folder(NMNIST_7.name), index, digit)[:limit])
        parts = [places[k : k + CHUNK] for k in range(0, len(places), CHUNK)]
        jobs += [Job(digit, images[part], part, seed) for part in parts]
    simulated: dict[int, Counts] = {}
    results = run_parallel(_simulate, jobs, workers, [len(job.places) for job in jobs], "simulating")
    for job, result in zip(jobs, results, strict=True):
        simulated[job.digit] = simulated[job.digit] + result if job.digit in simulated else result
    return {digit: (real[digit], simulated[digit]) for digit in real}


def nmnist_7(limit: int | None = None, seed: int = 0, workers: int = 1) -> list[Row]:
    """Rows of the comparison: a quantity, its value for each digit and for all of them. The first row has the names."""
    by_digit = counts(limit, seed, workers)
    reals, simulations = zip(*by_digit.values(), strict=True)
    every = sum(reals[1:], reals[0]), sum(simulations[1:], simulations[0])
    columns = [*by_digit.values(), every]
    rows: list[Row] = [("", *map(str, by_digit), "all")]

    def row(name: str, form: str, values: list[float]) -> None:
        rows.append((name, *(form.format(value) for value in values)))

    row("recordings", "{:,}", [len(real.recordings) for real, _ in columns])
    for which, name in enumerate(("real", "stand-in")):
        chosen = [column[which] for column in columns]
        half = len(every[0].pixels) // 2
        row(f"events a recording, {name}", "{:,.0f}", [c.recordings.mean() for c in chosen])
        row(
            f"events in the first {TRAINED_MS} ms, {name}",
            "{:,.0f}",
            [c.ms[:TRAINED_MS].sum() / len(c.recordings) for c in chosen],
        )
        row(f"share of polarity 1, {name}", "{:.3f}", [c.pixels[half:].sum() / c.pixels.sum() for c in chosen])
    row("correlation: events a recording", "{:.3f}", [_correlation(a.recordings, b.recordings) for a, b in columns])
    row("correlation: events over time, 1 ms", "{:.3f}", [_correlation(a.ms, b.ms) for a, b in columns])
    row("share of events at another time, 1 ms", "{:.3f}", [_moved(a.ms, b.ms) for a, b in columns])
    for polarity in (0, 1):
        part = slice(polarity * half, (polarity + 1) * half)
        row(
            f"correlation: events of each pixel, polarity {polarity}",
            "{:.3f}",
            [_correlation(a.pixels[part], b.pixels[part]) for a, b in columns],
        )
    row(
        "share of events at another pixel or polarity",
        "{:.3f}",
        [_moved(a.pixels, b.pixels) for a, b in columns],
    )
    return rows


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def _moved(a: np.ndarray, b: np.ndarray) -> float:
    """Half the sum of the differences between the two distributions: 0 for equal ones, 1 for disjoint ones."""
    return float(abs(a / a.sum() - b / b.sum()).sum() / 2)
