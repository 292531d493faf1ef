"""Predicates over measured values: each holds, fails, or is undecided where the intervals are too wide to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Protocol

from bench.spec.estimates import Estimate, Quantity, loss, mean, total

HOLDS = "holds"
FAILS = "fails"
UNDECIDED = "undecided"
ONE_SEED = "undecided (one seed)"
CLEAR = 10  # half-widths of the test sample that decide with one seed, where the trainings ran to the end


class Predicate(Protocol):
    """A statement about measured values, which it takes in a fixed order."""

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        """The verdict, and a text with the numbers behind it."""


def above(q: Quantity) -> str:
    """Whether a quantity is above 0. An exact 0 is not. Nothing is decided without an interval, nor by seeds in two
    groups; with one seed only by trainings that ran to the end, at more than ``CLEAR`` half-widths.
    """
    if q.n == 0:
        return HOLDS if q.value > 0 else FAILS
    if q.n == 1 and not (q.ended and 0 < CLEAR * q.half < abs(q.value)):
        return ONE_SEED
    if not q.half or q.parted or abs(q.value) < q.half:
        return UNDECIDED
    return HOLDS if q.value > 0 else FAILS


def all_of(verdicts: Sequence[str]) -> str:
    """The verdict on several conditions together: one that fails decides, then one that is undecided."""
    for decisive in (FAILS, UNDECIDED, ONE_SEED):
        if decisive in verdicts:
            return decisive
    return HOLDS


def _above(a: Estimate, b: Estimate) -> str:
    return above(total((1.0, a), (-1.0, b)))


def _at_most(q: Quantity, margin: float) -> str:
    """Whether a quantity is ``margin`` or less. An exact ``margin`` is."""
    if q.n == 0:
        return HOLDS if q.value <= margin else FAILS
    return above(replace(q, value=margin - q.value))


def _within(q: Quantity, margin: float) -> str:
    """Whether a quantity is ``margin`` or less away from 0: the interval must lie inside the margin (equivalence)."""
    return _at_most(replace(q, value=abs(q.value)), margin)


def _listing(values: Sequence[Estimate]) -> str:
    return "; ".join(f"{v.name} {v}" for v in values)


@dataclass(frozen=True)
class Highest:
    """The first value is above each of the others."""

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *others = values
        verdicts = [_above(first, other) for other in others]
        best = sorted(others, key=lambda other: -other.value)[:1]
        intro = "best of the others: " if len(others) > 1 else ""
        return all_of(verdicts), f"{_listing([first])}; {intro}{_listing(best)}"


@dataclass(frozen=True)
class Descending:
    """Each value is above the next."""

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        verdicts = [_above(a, b) for a, b in pairwise(values)]
        return all_of(verdicts), " > ".join(f"{v.name} {v}" for v in values)


@dataclass(frozen=True)
class NotBelow:
    """The first value is below none of the others by more than ``margin``."""

    margin: float = 0.0

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *others = values
        verdicts = [_at_most(total((1.0, other), (-1.0, first)), self.margin) for other in others]
        return all_of(verdicts), f"{_listing(values)}; allowed below: {self.margin:g}"


@dataclass(frozen=True)
class NotAbove:
    """The first value is above none of the others by more than ``margin``."""

    margin: float = 0.0

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *others = values
        verdicts = [_at_most(total((1.0, first), (-1.0, other)), self.margin) for other in others]
        return all_of(verdicts), f"{_listing(values)}; allowed above: {self.margin:g}"


@dataclass(frozen=True)
class Equal:
    """The first value differs from each of the others by ``margin`` or less."""

    margin: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *others = values
        verdicts = [_within(total((1.0, first), (-1.0, other)), self.margin) for other in others]
        return all_of(verdicts), f"{_listing(values)}; equal: within {self.margin:g}"


@dataclass(frozen=True)
class AtLeast:
    """All values are ``value`` or more."""

    value: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        verdicts = [_at_most(total((-1.0, v)), -self.value) for v in values]
        return all_of(verdicts), f"{_listing(values)}; at least {self.value:g}"


@dataclass(frozen=True)
class AtMost:
    """All values are ``value`` or less."""

    value: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        verdicts = [_at_most(total((1.0, v)), self.value) for v in values]
        return all_of(verdicts), f"{_listing(values)}; at most {self.value:g}"


@dataclass(frozen=True)
class LosesLess:
    """Of values a, a', b, b': the loss from a to a' is smaller than that from b to b'. Each loss is one of the same
    networks.
    """

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        a, a_after, b, b_after = values
        losses = loss(a, a_after), loss(b, b_after)
        text = "; ".join(f"{e.name}: {e.value:+.{e.digits}f} ± {e.half:.{e.digits}f}" for e in losses)
        return above(total((1.0, losses[1]), (-1.0, losses[0]))), f"{text} lost"


@dataclass(frozen=True)
class OfLosses:
    """``predicate`` over losses. Of values a, a', b, b', … the losses are those from a to a', from b to b' and so on,
    each one of the same networks.
    """

    predicate: Predicate

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        pairs = zip(values[::2], values[1::2], strict=True)
        verdict, text = self.predicate.judge([loss(before, after) for before, after in pairs])
        return verdict, f"lost: {text}"


@dataclass(frozen=True)
class GainsMore:
    """Of pairs of values a, a', b, b', …: the difference a - a' of the first pair is larger than that of each other."""

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        pairs = list(zip(values[::2], values[1::2], strict=True))
        (a, a_from), *others = pairs
        verdicts = [above(total((1.0, a), (-1.0, a_from), (-1.0, b), (1.0, b_from))) for b, b_from in others]
        gains = [total((1.0, b), (-1.0, b_from)) for b, b_from in pairs]
        texts = [
            f"{b.name} less {b_from.name}: {gain.value:+.{b.digits}f} ± {gain.half:.{b.digits}f}"
            for (b, b_from), gain in zip(pairs, gains, strict=True)
        ]
        return all_of(verdicts), "; ".join(texts)


@dataclass(frozen=True)
class MattersLess:
    """Of three values: the first differs less from the second than from the third."""

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        base, weak, strong = values
        signs = [1.0 if base.value >= other.value else -1.0 for other in (weak, strong)]
        quantity = total((signs[1] - signs[0], base), (-signs[1], strong), (signs[0], weak))
        return above(quantity), _listing(values)


@dataclass(frozen=True)
class WiderSpread:
    """The spread (largest less smallest) is on average larger in each group of sets than in the next.

    ``groups`` has for each group the numbers of values of its sets; values come in this order.
    """

    groups: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        rest = list(values)
        spreads = []
        for name, sizes in zip(self.names, self.groups, strict=True):
            sets = [[rest.pop(0) for _ in range(size)] for size in sizes]
            spreads.append(mean([_spread(members) for members in sets], name))
        verdicts = [_above(a, b) for a, b in pairwise(spreads)]
        return all_of(verdicts), "spread: " + " > ".join(f"{e.name} {e}" for e in spreads)


def _spread(members: Sequence[Estimate]) -> Estimate:
    """The largest value less the smallest."""
    low, *_, high = sorted(members, key=lambda e: e.value)
    quantity = total((1.0, high), (-1.0, low))
    fewest = min((e for e in (high, low) if e.n), key=lambda e: e.n, default=high)
    return replace(
        high,
        value=quantity.value,
        spread=0.0,
        sample=quantity.half,  # with the worst case
        values=fewest.values,
        right=None,
        worst_case=0.0,
        parted=high.parted or low.parted,
    )


@dataclass(frozen=True)
class BestInside:
    """The best of the values is neither the first nor the last, and above both."""

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *inner, last = values
        best = max(inner, key=lambda e: e.value)
        verdict = all_of([_above(best, end) for end in (first, last)])
        return verdict, f"best inside: {_listing([best])}; ends: {_listing([first, last])}"


@dataclass(frozen=True)
class NotBelowBest:
    """The first value is not below the best of the others by more than ``margin``."""

    margin: float = 0.0

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *others = values
        best = max(others, key=lambda e: e.value)
        verdict = _at_most(total((1.0, best), (-1.0, first)), self.margin)
        return verdict, f"{_listing([first])}; best of the others: {_listing([best])}; allowed below: {self.margin:g}"


@dataclass(frozen=True)
class SameOrder:
    """Two lists of equal length have one order: every pair that is decided in both is ordered alike."""

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        half = len(values) // 2
        verdicts = []
        for i, j in combinations(range(half), 2):
            orders = [_above(part[i], part[j]) for part in (values[:half], values[half:])]
            decided = all(order in (HOLDS, FAILS) for order in orders)
            equal = HOLDS if orders[0] == orders[1] else FAILS
            verdicts.append(equal if decided else next(order for order in orders if order not in (HOLDS, FAILS)))
        lists = (sorted(part, key=lambda e: -e.value) for part in (values[:half], values[half:]))
        return all_of(verdicts), "; ".join(" > ".join(f"{e.name} {e}" for e in part) for part in lists)


@dataclass(frozen=True)
class Ratio:
    """The first value is more than ``times`` the second."""

    times: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        a, b = values
        return above(total((1.0, a), (-self.times, b))), f"{_listing(values)}: {a.value / b.value:.1f} times"


@dataclass(frozen=True)
class WithinFactor:
    """The first value is at most ``times`` the second."""

    times: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        a, b = values
        verdict = _at_most(total((1.0, a), (-self.times, b)), 0.0)
        return verdict, f"{_listing(values)}: {a.value / b.value:.2f} times, at most {self.times:g} allowed"


@dataclass(frozen=True)
class Alike:
    """The first value differs from each of the others by less than the ``share`` of that other value."""

    share: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        first, *others = values
        verdicts = [_within(total((1.0, first), (-1.0, other)), self.share * abs(other.value)) for other in others]
        return all_of(verdicts), f"{_listing(values)}; alike: within {self.share:.0%}"


@dataclass(frozen=True)
class RatioNear:
    """The first value divided by the second is within ``margin`` of ``times``."""

    times: float
    margin: float

    def judge(self, values: Sequence[Estimate]) -> tuple[str, str]:
        a, b = values
        verdict = _within(total((1.0, a), (-self.times, b)), self.margin * abs(b.value))
        return verdict, f"{_listing(values)}: {a.value / b.value:.3f} times, {self.times:g} said"
