"""Intervals of a cell's value: over seeds, and of the sample behind each seed's value; and seeds in two groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.ledger import series
from bench.ledger.store import Line
from bench.spec.estimates import NORMAL, half_of_mean
from bench.spec.experiment import Experiment
from bench.spec.table import Cell
from datamodules.sources import SOURCES

APART = 5  # tolerances between two groups of seeds, at the least
WIDER = 4  # the gap is at least this many times as wide as either group, and as the error of the test sample


def sampling_interval(percent: float, n: int) -> tuple[float, float]:
    """95 % Wilson interval in % of an accuracy from ``n`` test samples: what one seed can say."""
    share = percent / 100
    square = NORMAL**2 / n
    centre = (share + square / 2) / (1 + square)
    half = math.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return 100 * max(centre - half, 0.0), 100 * min(centre + half, 1.0)


@dataclass(frozen=True)
class Interval:
    """The mean of ``values`` (by seed) and its 95 % interval, ``None`` where nothing is known of it.

    ``spread`` is half of the interval over seeds, 0 with one seed; ``sample`` is half of that of the test samples or of
    other repeats behind each value, ``None`` where there are none. ``worst_case`` is what test samples that the data
    lacks can change at most.
    """

    value: float
    low: float | None
    high: float | None
    spread: float
    sample: float | None
    values: Mapping[int, float]
    worst_case: float = 0.0


def interval(cell: Cell, lines: Sequence[Line]) -> Interval:
    """The interval of ``lines`` of ``cell``, one a seed. It joins seeds and sample: it is never narrower than what one
    test set can tell, and never empty. Of a share in % it ends at 0 and 100, and test samples that the data lacks widen
    it on both sides by what they can change at most.
    """
    assert cell.measure is not None
    values = {line.seed: line.value for line in lines if line.value is not None}
    value = fmean(values.values())
    below, above = _sample(cell, lines, value)
    sample = None if below is None or above is None else (below + above) / 2
    spread = half_of_mean(list(values.values())) if len(values) > 1 else 0.0
    if len(values) == 1 and sample is None:
        return Interval(value, None, None, 0.0, None, values)
    if len(values) > 1 and not spread and sample is None:
        spread = 10.0**-cell.measure.digits / 2  # equal as far as the ledger tells
    low = value - math.hypot(spread, below or 0.0)
    high = value + math.hypot(spread, above or 0.0)
    worst_case = 0.0
    if cell.measure.unit == "%":
        worst_case = SOURCES[cell.task.data].worst_case() if cell.task else 0.0
        low = max(low - worst_case, 0.0)
        high = min(high + worst_case, 100.0)
    return Interval(value, low, high, spread, sample, values, worst_case)


def _sample(cell: Cell, lines: Sequence[Line], value: float) -> tuple[float | None, float | None]:
    """How far the interval of the sample behind each line reaches below and above ``value``, ``None`` without one.

    Every seed is read from the same test set, so that its error does not shrink with the number of seeds.
    """
    sizes = [line.n_test for line in lines if line.n_test]
    if lines[0].unit == "%" and sizes:
        low, high = sampling_interval(value, min(sizes))
        return value - low, high - value
    halves = [half_of_mean(repeats) for line in lines if len(repeats := _repeats(cell, line)) > 1]
    if not halves:
        return None, None
    return fmean(halves), fmean(halves)


def _repeats(cell: Cell, line: Line) -> list[float]:
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    if cell.measure.repeats is None:
        return []
    return series.repeats(
        series.read(Experiment(cell.task, cell.model, line.seed, line.budget), cell.measure, line.protocol) or {},
        cell.measure,
    )


def groups(found: Interval, tolerance: float) -> tuple[list[float], list[float]] | None:
    """The lower and the upper group where three or more seeds fall into two: some learn, some do not. An interval of
    their mean says nothing then. What the test sample alone can part is no group.
    """
    ordered = sorted(found.values.values())
    if len(ordered) < 3:
        return None
    cut = max(range(1, len(ordered)), key=lambda i: ordered[i] - ordered[i - 1])
    lower, upper = ordered[:cut], ordered[cut:]
    gap = upper[0] - lower[-1]
    widest = max(lower[-1] - lower[0], upper[-1] - upper[0])
    return (lower, upper) if gap >= max(APART * tolerance, WIDER * widest, WIDER * (found.sample or 0.0)) else None


def parted(cell: Cell, found: Interval) -> str:
    """``5 of 7 seeds: 99.45`` where the seeds fall into two groups: the better one and its mean; empty elsewhere."""
    assert cell.measure is not None
    parts = groups(found, cell.measure.tolerance)
    if parts is None:
        return ""
    better = parts[1] if cell.measure.best == "max" else parts[0]
    return f"{len(better)} of {len(found.values)} seeds: {fmean(better):.{cell.measure.digits}f}"
