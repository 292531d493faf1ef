"""Median and percentiles of repeated times."""

from __future__ import annotations

import statistics
from typing import NamedTuple


class Spread(NamedTuple):
    """Median, 10 % and 90 % percentile, in the unit of the times."""

    median: float
    p10: float
    p90: float

    def columns(self, digits: int) -> dict[str, str]:
        """The columns of ``results/speed.csv``, for times in ms."""
        return {f"{name}_ms": f"{value:.{digits}f}" for name, value in self._asdict().items()}


def spread(times: list[float]) -> Spread:
    """The spread of ``times``; percentiles are the nearest of them."""
    ordered = sorted(times)
    p10, p90 = (ordered[round(q * (len(ordered) - 1))] for q in (0.1, 0.9))
    return Spread(statistics.median(ordered), p10, p90)
