"""Predicates over estimates: holds, fails, or undecided where the intervals do not tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"


@dataclass(frozen=True)
class Estimate:
    """A mean with half of its 95 % interval (0: exact); ``n`` seeds, ``epochs`` trained. Without an interval ``half``
    is ``assumed``.
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
    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        """Verdict and the numbers behind it."""


def positive(difference: float, half: float) -> str:
    """Whether a difference known to ``half`` is above 0. An exact 0 is not."""
    if abs(difference) < half:
        return UNDECIDED
    return HOLDS if difference > 0 else FAILS


def all_of(verdicts: Sequence[str]) -> str:
    return FAILS if FAILS in verdicts else UNDECIDED if UNDECIDED in verdicts else HOLDS


def _pair(a: Estimate, b: Estimate) -> tuple[float, float]:
    return a.value - b.value, math.hypot(a.half, b.half)


def _list(values: Sequence[Estimate]) -> str:
    return "; ".join(f"{v.name} {v}" for v in values)


@dataclass(frozen=True)
class Highest:
    """The first is above each of the others."""

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *others = values
        rest = sorted(others, key=lambda v: -v.value)
        return (
            all_of([positive(*_pair(first, other)) for other in others]),
            f"{_list([first])}; best of the others: {_list(rest[:1])}",
        )


@dataclass(frozen=True)
class Descending:
    """Each is above the next."""

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        return all_of([positive(*_pair(a, b)) for a, b in zip(values, values[1:], strict=False)]), " > ".join(
            f"{v.name} {v}" for v in values
        )


@dataclass(frozen=True)
class NotBelow:
    """The first is below none of the others by more than ``margin``."""

    margin: float = 0.0

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *others = values
        return (
            all_of([_at_most(*_pair(other, first), self.margin) for other in others]),
            f"{_list(values)}; allowed below: {self.margin:g}",
        )


@dataclass(frozen=True)
class Near:
    """All are within ``margin`` of ``value``."""

    value: float
    margin: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        verdicts = [positive(self.margin - abs(v.value - self.value), v.half) for v in values]
        return all_of(verdicts), f"{_list(values)}; within {self.margin:g} of {self.value:g}"


@dataclass(frozen=True)
class AtLeast:
    value: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        verdicts = [_at_most(self.value - v.value, v.half, 0.0) for v in values]
        return all_of(verdicts), f"{_list(values)}; at least {self.value:g}"


@dataclass(frozen=True)
class AtMost:
    value: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        verdicts = [_at_most(v.value - self.value, v.half, 0.0) for v in values]
        return all_of(verdicts), f"{_list(values)}; at most {self.value:g}"


@dataclass(frozen=True)
class LosesLess:
    """Of (a, a', b, b'): from a to a' less is lost than from b to b'."""

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        a, a_after, b, b_after = values
        loss_a, half_a = _pair(a, a_after)
        loss_b, half_b = _pair(b, b_after)
        text = (
            f"{a.name} to {a_after.name}: {loss_a:+.{a.digits}f}, {b.name} to {b_after.name}: {loss_b:+.{b.digits}f}"
            " lost"
        )
        return positive(loss_b - loss_a, math.hypot(half_a, half_b)), text


@dataclass(frozen=True)
class Ratio:
    """The first is at least ``times`` the second."""

    times: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        a, b = values
        return (
            positive(a.value - self.times * b.value, math.hypot(a.half, self.times * b.half)),
            f"{_list(values)}: {a.value / b.value:.1f} times",
        )


@dataclass(frozen=True)
class NotAbove:
    """The first is above none of the others by more than ``margin``."""

    margin: float = 0.0

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *others = values
        return (
            all_of([_at_most(*_pair(first, other), self.margin) for other in others]),
            f"{_list(values)}; allowed above: {self.margin:g}",
        )


def _at_most(difference: float, half: float, margin: float) -> str:
    return HOLDS if not half and difference == margin else positive(margin - difference, half)


@dataclass(frozen=True)
class Alike:
    """The first differs from each of the others by at most ``share`` of it."""

    share: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *others = values
        verdicts = []
        for other in others:
            difference, half = _pair(first, other)
            verdicts.append(positive(self.share * abs(other.value) - abs(difference), half))
        return all_of(verdicts), f"{_list(values)}; alike: within {self.share:.0%}"


@dataclass(frozen=True)
class RatioNear:
    """The first is ``times`` the second, give or take ``margin``."""

    times: float
    margin: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        a, b = values
        half = math.hypot(a.half, self.times * b.half) / b.value
        verdict = positive(self.margin - abs(a.value / b.value - self.times), half)
        return verdict, f"{_list(values)}: {a.value / b.value:.3f} times, {self.times:g} said"
