"""Intervals: of the mean over seeds, of an accuracy on a test sample, of the repeats behind a value."""

from __future__ import annotations

import math
from statistics import fmean, stdev

from bench.ledger import series
from bench.ledger.store import Line
from bench.spec.experiment import Experiment
from bench.spec.table import Cell

CONFIDENCE = 0.95


def mean_interval(values: list[float]) -> tuple[float, float]:
    """95 % interval of the mean of two or more values (Student t): of seeds, or of a series' repeats."""
    from scipy.special import stdtrit  # quantile of Student's t, without the second that scipy.stats takes to load

    t = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2))
    half = t * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


def sampling_interval(percent: float, n: int) -> tuple[float, float]:
    """95 % Wilson interval in % of an accuracy from ``n`` test samples: what one seed can say."""
    from scipy.stats import binomtest

    found = binomtest(round(percent * n / 100), n).proportion_ci(CONFIDENCE, method="wilson")
    return 100 * found.low, 100 * found.high


def interval(cell: Cell, lines: list[Line]) -> tuple[float, float | None, float | None]:
    """Mean of ``lines`` (one a seed) of ``cell`` and its 95 % interval: over seeds; with one seed of the test sample,
    or over the repeats in the stored series (attacked samples, pairs of directions). ``None`` where there is
    neither.
    """
    values = [line.value for line in lines if line.value is not None]
    value, first = fmean(values), lines[0]
    if len(values) > 1:
        return value, *mean_interval(values)
    if first.unit == "%" and first.n_test:
        return value, *sampling_interval(value, first.n_test)
    if len(repeats := _repeats(cell, first)) > 1:
        low, high = mean_interval(repeats)
        return value, value - (high - low) / 2, value + (high - low) / 2
    return value, None, None


def _repeats(cell: Cell, line: Line) -> list[float]:
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    if cell.measure.repeats is None:
        return []
    return series.repeats(
        series.read(Experiment(cell.task, cell.model, line.seed, line.budget), cell.measure, line.protocol) or {},
        cell.measure,
    )
