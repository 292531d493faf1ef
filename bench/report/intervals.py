"""Intervals: of the mean over seeds, of an accuracy on a test sample, of the repeats behind a value."""

from __future__ import annotations

import math
from statistics import fmean, stdev

from bench.ledger import series
from bench.ledger.store import Line
from bench.spec.experiment import Experiment
from bench.spec.table import Cell

# Student t, two-sided 95 %, by degrees of freedom; 1.96 beyond
_T95 = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
    2.120,
    2.110,
    2.101,
    2.093,
    2.086,
)


def mean_interval(values: list[float]) -> tuple[float, float]:
    """95 % interval of the mean of two or more values (Student t): of seeds, or of a series' repeats."""
    t = _T95[len(values) - 2] if len(values) - 2 < len(_T95) else 1.96
    half = t * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


def sampling_interval(percent: float, n: int) -> tuple[float, float]:
    """95 % Wilson interval in % of an accuracy from ``n`` test samples: what one seed can say."""
    z, p = 1.96, percent / 100
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return 100 * (centre - half), 100 * (centre + half)


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
