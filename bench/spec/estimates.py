"""Measured values with what is known of their errors, and sums of them: what predicates compare."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from statistics import fmean, stdev
from typing import Any

CONFIDENCE = 0.95
NORMAL = 1.959964  # quantile of the normal distribution for CONFIDENCE


def half_of_mean(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean of two or more ``values`` (Student t)."""
    from scipy.special import stdtrit  # quantile of Student's t, without the second that scipy.stats takes to load

    t = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2))
    return t * stdev(values) / math.sqrt(len(values))


@dataclass(frozen=True)
class Estimate:
    """A mean over the seeds of ``values``, which were trained for ``epochs``. Without values it is exact: published, or
    computed without training.

    ``spread`` is half of the 95 % interval over seeds, 0 with one seed. ``sample`` is half of that of the test sample
    or of another sample behind each value; ``None`` where it is not known. ``right`` is the share of the seeds that
    decide each test sample right, [samples] in 0..1, of one test set; ``None`` where it is not known. ``ended``:
    trained to the end of the paper's budget. ``worst_case`` is what samples that the data lacks can change. ``parted``
    says how many seeds learn where they fall into two groups: then the interval says nothing.
    """

    value: float
    name: str
    digits: int = 2
    spread: float = 0.0
    sample: float | None = None
    values: Mapping[int, float] = field(default_factory=dict)
    epochs: tuple[int, ...] = ()
    ended: bool = False
    right: Any = None
    worst_case: float = 0.0
    parted: str = ""

    @property
    def n(self) -> int:
        """Number of seeds; 0 for an exact value."""
        return len(self.values)

    @cached_property
    def half(self) -> float:
        """Half of the 95 % interval that joins seeds and sample, wider by ``worst_case``; 0 where nothing is known."""
        return math.hypot(self.spread, self.sample or 0.0) + self.worst_case

    def __str__(self) -> str:
        about = f" ± {self.half:.{self.digits}f}" if self.half else ""
        return f"{self.value:,.{self.digits}f}{f' [{self.parted}]' if self.parted else about}"


@dataclass(frozen=True)
class Quantity:
    """A sum of estimates. ``half`` belongs to its 95 % interval, 0 where nothing is known of it. ``n`` is the smallest
    number of seeds behind it, 0 for an exact one; ``ended``: all trainings behind it ran to the end; ``parted``: seeds
    of one of them fall into two groups.
    """

    value: float
    half: float
    n: int
    ended: bool
    parted: bool = False


def total(*terms: tuple[float, Estimate]) -> Quantity:
    """The sum of (factor, estimate).

    Errors of seeds add up as independent ones. Those of the sample do so too, except where all estimates know which
    test samples are decided right: then the same samples are paired. Samples that the data lacks add their worst case.
    """
    measured = [(factor, e) for factor, e in terms if e.n]
    value = sum(factor * e.value for factor, e in terms)
    spread = math.hypot(*(factor * e.spread for factor, e in measured))
    return Quantity(
        value,
        math.hypot(spread, _sample_half(measured)) + _worst_case(measured),
        min((e.n for _, e in measured), default=0),
        all(e.ended for _, e in measured),
        any(e.parted for _, e in measured),
    )


def _sample_half(terms: Sequence[tuple[float, Estimate]]) -> float:
    """Half of the interval of a sum that stems from the samples, paired where that is possible."""
    counts = {None if e.right is None else len(e.right) for _, e in terms}
    if len(terms) < 2 or len(counts) > 1 or None in counts:
        return math.hypot(*(factor * (e.sample or 0.0) for factor, e in terms))
    by_sample = 100 * sum(factor * e.right for factor, e in terms)
    (count,) = counts
    assert count is not None
    return max(NORMAL * float(by_sample.std()) / math.sqrt(count), 100 / count)


def _worst_case(terms: Sequence[tuple[float, Estimate]]) -> float:
    """How much a sum changes at most: samples that the data lacks are right in some terms and wrong in others."""
    changes = [factor * e.worst_case for factor, e in terms]
    return max(sum(change for change in changes if change > 0), -sum(change for change in changes if change < 0))


def _change(before: str, after: str) -> str:
    """The name of a change, where what both names begin with is said once."""
    first, second = before.split(", "), after.split(", ")
    alike = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(first[:-1], second[:-1], strict=False))))
    return ", ".join([*first[:alike], f"{', '.join(first[alike:])} to {', '.join(second[alike:])}"])


def loss(before: Estimate, after: Estimate) -> Estimate:
    """``before`` minus ``after``, two values of the same networks: seeds are paired where both have the same ones."""
    seeds = before.values.keys() & after.values.keys()
    differences = {seed: before.values[seed] - after.values[seed] for seed in sorted(seeds)}
    paired = len(seeds) == before.n == after.n
    spread = math.hypot(before.spread, after.spread)
    if paired and len(seeds) > 1:
        spread = max(half_of_mean(list(differences.values())), 10.0**-before.digits / 2)  # as far as the ledger tells
    quantity = total((1.0, before), (-1.0, after))
    return Estimate(
        quantity.value,
        _change(before.name, after.name),
        before.digits,
        spread,
        _sample_half([(1.0, before), (-1.0, after)]),
        differences if paired else min((before, after), key=lambda e: e.n).values,
        before.epochs,
        quantity.ended,
        worst_case=_worst_case([(1.0, before), (-1.0, after)]),
        parted=before.parted or after.parted,
    )


def mean(estimates: Sequence[Estimate], name: str) -> Estimate:
    """The mean of independent estimates, with the fewest seeds among them."""
    first = estimates[0]
    count = len(estimates)
    measured = [e for e in estimates if e.n]
    fewest = min(measured, key=lambda e: e.n, default=first)
    return Estimate(
        fmean(e.value for e in estimates),
        name,
        first.digits,
        math.hypot(*(e.spread for e in measured)) / count,
        math.hypot(*(e.sample or 0.0 for e in measured)) / count,
        fewest.values,
        first.epochs,
        all(e.ended for e in measured),
        worst_case=fmean(e.worst_case for e in estimates),
        parted="; ".join(filter(None, (e.parted for e in measured))),
    )
