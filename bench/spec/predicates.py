"""Predicates over measured values: each holds, fails, or is undecided if the intervals are too wide to tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

HOLDS = "holds"
FAILS = "fails"
UNDECIDED = "undecided"


@dataclass(frozen=True)
class Estimate:
    """A mean over ``n`` seeds trained for ``epochs``, with half of its 95 % interval (0 if it is exact).

    A value without an interval of its own has an ``assumed`` half.
    """

    value: float
    half: float
    name: str
    digits: int = 2
    n: int = 0
    epochs: tuple[int, ...] = ()
    assumed: bool = False

    def __str__(self) -> str:
        about = f" ± {self.half:.{self.digits}f}" if self.half and not self.assumed else ""
        return f"{self.value:,.{self.digits}f}{about}"


class Predicate(Protocol):
    """A statement about measured values, which it takes in a fixed order."""

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        """The verdict, and a text with the numbers behind it."""


def positive(difference: float, half: float) -> str:
    """Whether a difference known up to ± ``half`` is above 0. An exact 0 is not."""
    if abs(difference) < half:
        return UNDECIDED
    return HOLDS if difference > 0 else FAILS


def all_of(verdicts: Sequence[str]) -> str:
    """The verdict on several conditions together: one that fails decides, then one that is undecided."""
    for decisive in (FAILS, UNDECIDED):
        if decisive in verdicts:
            return decisive
    return HOLDS


def _difference(a: Estimate, b: Estimate) -> tuple[float, float]:
    """``a`` minus ``b``, and half of its interval."""
    return a.value - b.value, math.hypot(a.half, b.half)


def _listing(values: Sequence[Estimate]) -> str:
    return "; ".join(f"{v.name} {v}" for v in values)


def _at_most(difference: float, half: float, margin: float) -> str:
    """Whether a difference known up to ± ``half`` is ``margin`` or less. An exact ``margin`` is."""
    exactly = not half and difference == margin
    return HOLDS if exactly else positive(margin - difference, half)


@dataclass(frozen=True)
class Highest:
    """The first value is above each of the others."""

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *others = values
        verdicts = [positive(*_difference(first, other)) for other in others]
        best = sorted(others, key=lambda other: -other.value)[:1]
        return all_of(verdicts), f"{_listing([first])}; best of the others: {_listing(best)}"


@dataclass(frozen=True)
class Descending:
    """Each value is above the next."""

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        verdicts = [positive(*_difference(a, b)) for a, b in pairwise(values)]
        return all_of(verdicts), " > ".join(f"{v.name} {v}" for v in values)


@dataclass(frozen=True)
class NotBelow:
    """The first value is below none of the others by more than ``margin``."""

    margin: float = 0.0

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *others = values
        verdicts = [_at_most(*_difference(other, first), self.margin) for other in others]
        return all_of(verdicts), f"{_listing(values)}; allowed below: {self.margin:g}"


@dataclass(frozen=True)
class NotAbove:
    """The first value is above none of the others by more than ``margin``."""

    margin: float = 0.0

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *others = values
        verdicts = [_at_most(*_difference(first, other), self.margin) for other in others]
        return all_of(verdicts), f"{_listing(values)}; allowed above: {self.margin:g}"


@dataclass(frozen=True)
class Near:
    """All values are within ``margin`` of ``value``."""

    value: float
    margin: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        verdicts = [positive(self.margin - abs(v.value - self.value), v.half) for v in values]
        return all_of(verdicts), f"{_listing(values)}; within {self.margin:g} of {self.value:g}"


@dataclass(frozen=True)
class AtLeast:
    """All values are ``value`` or more."""

    value: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        verdicts = [_at_most(self.value - v.value, v.half, 0.0) for v in values]
        return all_of(verdicts), f"{_listing(values)}; at least {self.value:g}"


@dataclass(frozen=True)
class AtMost:
    """All values are ``value`` or less."""

    value: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        verdicts = [_at_most(v.value - self.value, v.half, 0.0) for v in values]
        return all_of(verdicts), f"{_listing(values)}; at most {self.value:g}"


@dataclass(frozen=True)
class LosesLess:
    """Of four values a, a', b, b': the loss from a to a' is smaller than that from b to b'."""

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        a, a_after, b, b_after = values
        loss_a, half_a = _difference(a, a_after)
        loss_b, half_b = _difference(b, b_after)
        text = (
            f"{a.name} to {a_after.name}: {loss_a:+.{a.digits}f}, {b.name} to {b_after.name}: {loss_b:+.{b.digits}f}"
            " lost"
        )
        return positive(loss_b - loss_a, math.hypot(half_a, half_b)), text


@dataclass(frozen=True)
class Ratio:
    """The first value is more than ``times`` the second."""

    times: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        a, b = values
        verdict = positive(a.value - self.times * b.value, math.hypot(a.half, self.times * b.half))
        return verdict, f"{_listing(values)}: {a.value / b.value:.1f} times"


@dataclass(frozen=True)
class Alike:
    """The first value differs from each of the others by less than the ``share`` of that other value."""

    share: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *others = values
        verdicts = []
        for other in others:
            difference, half = _difference(first, other)
            verdicts.append(positive(self.share * abs(other.value) - abs(difference), half))
        return all_of(verdicts), f"{_listing(values)}; alike: within {self.share:.0%}"


@dataclass(frozen=True)
class RatioNear:
    """The first value divided by the second is within ``margin`` of ``times``."""

    times: float
    margin: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        a, b = values
        half = math.hypot(a.half, self.times * b.half) / b.value
        verdict = positive(self.margin - abs(a.value / b.value - self.times), half)
        return verdict, f"{_listing(values)}: {a.value / b.value:.3f} times, {self.times:g} said"
