"""Predicates over estimates: decided by intervals over seeds and samples, never by one seed or a width of zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.spec import predicates as p
from bench.spec.estimates import Estimate, loss, mean, total


def exact(value: float) -> Estimate:
    return Estimate(value, str(value))


def e(value: float, half: float = 0.01, seeds: int = 3, **changes) -> Estimate:
    """An estimate over several seeds, with an interval over them alone."""
    return Estimate(value, str(value), spread=half, values={i: value for i in range(seeds)}, **changes)


def one(value: float, sample: float | None = 0.5, **changes) -> Estimate:
    """An estimate of one seed."""
    return Estimate(value, str(value), sample=sample, values={0: value}, **changes)


@pytest.mark.parametrize(
    ("predicate", "values", "verdict"),
    [
        (p.Highest(), [e(3), e(2), e(1)], "holds"),
        (p.Highest(), [e(2), e(3), e(1)], "fails"),
        (p.Highest(), [e(3, 1), e(2, 1)], "undecided"),  # 1 < sqrt(2)
        (p.Highest(), [e(3, 0.5), e(2, 0.5)], "holds"),
        (p.Highest(), [exact(3), exact(3)], "fails"),
        (p.Highest(), [e(3, 1), e(2.9, 1), e(9)], "fails"),
        (p.Descending(), [e(3), e(2), e(1)], "holds"),
        (p.Descending(), [e(3), e(1), e(2)], "fails"),
        (p.Descending(), [e(3), e(2, 2)], "undecided"),
        (p.NotBelow(1), [exact(9), exact(10)], "holds"),
        (p.NotBelow(1), [e(9), e(10.5)], "fails"),
        (p.NotBelow(1), [e(9, 1), e(9.5, 1)], "undecided"),
        (p.NotAbove(), [exact(9), exact(9)], "holds"),
        (p.NotAbove(0.1), [e(9.2), e(9)], "fails"),
        (p.NotAbove(0.1), [e(9.05), e(9)], "holds"),
        (p.Equal(0.3), [e(9.1, 0.1), e(9, 0.1)], "holds"),
        (p.Equal(0.3), [e(9.1, 0.3), e(9, 0.3)], "undecided"),  # near, but the interval is wider than the margin
        (p.Equal(0.3), [e(10, 0.1), e(9, 0.1)], "fails"),
        (p.AtLeast(97), [exact(97)], "holds"),
        (p.AtLeast(97), [exact(96.9)], "fails"),
        (p.AtLeast(97), [e(97.1, 0.5)], "undecided"),
        (p.AtMost(1), [exact(1)], "holds"),
        (p.AtMost(1), [exact(2)], "fails"),
        (p.LosesLess(), [e(90), e(88), e(95), e(80)], "holds"),
        (p.LosesLess(), [e(95), e(80), e(90), e(88)], "fails"),
        (p.GainsMore(), [e(90), e(80), e(95), e(94), e(93), e(92)], "holds"),
        (p.GainsMore(), [e(90), e(89), e(95), e(80)], "fails"),
        (p.GainsMore(), [e(90, 5), e(85, 5), e(95, 5), e(94, 5)], "undecided"),
        (p.MattersLess(), [e(90), e(89), e(60)], "holds"),
        (p.MattersLess(), [e(90), e(91), e(120)], "holds"),
        (p.MattersLess(), [e(90), e(60), e(89)], "fails"),
        (p.MattersLess(), [e(90, 2), e(89, 2), e(92, 2)], "undecided"),
        (p.WiderSpread(((2, 2), (2,)), ("time", "space")), [e(9), e(1), e(5), e(1), e(5), e(4)], "holds"),
        (p.WiderSpread(((2, 2), (2,)), ("time", "space")), [e(2), e(1), e(2), e(1), e(9), e(4)], "fails"),
        (p.BestInside(), [e(1), e(5), e(4), e(2)], "holds"),
        (p.BestInside(), [e(1), e(5), e(4), e(6)], "fails"),
        (p.BestInside(), [e(1), e(5, 2), e(4), e(4)], "undecided"),
        (p.NotBelowBest(1), [e(9), e(9.5), e(2)], "holds"),
        (p.NotBelowBest(), [e(9), e(9.5), e(2)], "fails"),
        (p.SameOrder(), [e(3), e(2), e(1), e(30), e(20), e(10)], "holds"),
        (p.SameOrder(), [e(3), e(2), e(1), e(30), e(10), e(20)], "fails"),
        (p.SameOrder(), [e(3), e(2), e(1), e(30), e(20, 9), e(19, 9)], "undecided"),
        (p.Alike(0.1), [e(1.05), e(1.0)], "holds"),
        (p.Alike(0.1), [e(1.5), e(1.0)], "fails"),
        (p.Ratio(50), [e(100), e(1)], "holds"),
        (p.Ratio(50), [e(40), e(1)], "fails"),
        (p.WithinFactor(2), [e(1.5), e(1)], "holds"),
        (p.WithinFactor(2), [e(3), e(1)], "fails"),
        (p.RatioNear(1.18, 0.005), [exact(181_378), exact(153_962)], "holds"),
        (p.RatioNear(1.18, 0.005), [exact(190_000), exact(153_962)], "fails"),
    ],
)
def test_a_predicate_is_decided_by_the_intervals(predicate: p.Predicate, values: list[Estimate], verdict: str) -> None:
    found, text = predicate.judge(values)
    assert found == verdict
    assert text


@pytest.mark.parametrize("gap", [0.1, 3.0, 30.0])
@pytest.mark.parametrize("sample", [None, 0.0, 0.5])
def test_one_seed_decides_nothing_before_the_end_of_the_training(gap: float, sample: float | None) -> None:
    assert p.Highest().judge([one(50 + gap, sample), e(50, 0.1)])[0] == p.ONE_SEED
    assert p.Highest().judge([e(50 + gap, 0.1), one(50, sample)])[0] == p.ONE_SEED


def test_one_seed_decides_at_the_end_of_the_training_and_ten_half_widths_apart() -> None:
    def verdict(gap: float, **changes) -> str:
        return p.Highest().judge([one(50 + gap, 0.3, **changes), one(50, 0.4, ended=True)])[0]

    assert (verdict(5.1, ended=True), verdict(4.9, ended=True), verdict(5.1)) == ("holds", p.ONE_SEED, p.ONE_SEED)
    assert verdict(-5.1, ended=True) == "fails"
    assert p.Highest().judge([one(99, None, ended=True), one(1, None, ended=True)])[0] == p.ONE_SEED  # no interval


def test_a_width_of_zero_decides_nothing() -> None:
    assert p.Highest().judge([e(3, 0.0), e(2, 0.0)])[0] == "undecided"


@pytest.mark.parametrize("predicate", [p.Highest(), p.Equal(60), p.LosesLess()], ids=lambda p: type(p).__name__)
def test_seeds_in_two_groups_decide_nothing(predicate: p.Predicate) -> None:
    values = [e(90), e(50)] if not isinstance(predicate, p.LosesLess) else [e(90), e(88), e(95), e(80)]
    assert predicate.judge(values)[0] == "holds"
    for i in range(len(values)):
        parted = [replace(v, parted="2 of 3 seeds: 99.00") if j == i else v for j, v in enumerate(values)]
        assert predicate.judge(parted)[0] == "undecided"


def test_the_error_of_the_test_sample_counts_beside_that_of_the_seeds() -> None:
    wide = [e(95, 0.1, sample=2.0), e(94, 0.1, sample=2.0)]
    assert p.Highest().judge(wide)[0] == "undecided"
    assert p.Highest().judge([replace(v, sample=0.1) for v in wide])[0] == "holds"


def test_predictions_of_the_same_samples_are_paired() -> None:
    """Two networks that differ in 30 of 1,000 samples, all in favour of the first, are told apart; those that differ in
    400 are not.
    """
    alike, other = np.ones(1000), np.ones(1000)
    alike[:100] = 0
    other[:130] = 0
    a, b = (e(100 * right.mean(), 0.1, sample=2.5, right=right) for right in (alike, other))
    assert p.Highest().judge([a, b])[0] == "holds"
    shuffled = np.concatenate([other[500:], other[:500]])
    assert total((1, a), (-1, b)).half < total((1, a), (-1, replace(b, right=shuffled))).half
    assert p.Highest().judge([a, replace(b, right=None)])[0] == "undecided"
    assert total((1, a), (-1, a)).half > 0


def test_samples_that_the_data_lacks_count_with_their_worst_case() -> None:
    first = e(93.0, half=0.1, worst_case=0.25)
    second = e(92.6, half=0.1, worst_case=0.25)
    alone = total((1.0, replace(first, worst_case=0.0)), (-1.0, replace(second, worst_case=0.0))).half
    assert first.half == pytest.approx(0.35)
    assert total((1.0, first), (-1.0, second)).half == pytest.approx(alone + 0.25)  # right in one, wrong in the other
    assert total((1.0, first), (1.0, second)).half == pytest.approx(alone + 0.5)
    assert loss(first, second).worst_case == 0.25
    assert mean([first, second], "both").half == pytest.approx(alone / 2 + 0.25)
    spread = p.WiderSpread(((2,), (2,)), ("CIFAR10", "MNIST"))
    assert spread.judge([first, second, e(95.0), e(95.2)])[0] == p.UNDECIDED  # 0.4 against 0.2, give or take 0.25


def test_the_loss_of_the_same_networks_is_paired_by_seed() -> None:
    before = Estimate(90.0, "before", spread=12.0, values={0: 80.0, 1: 90.0, 2: 100.0})
    after = Estimate(70.0, "after", spread=12.0, values={0: 60.1, 1: 69.9, 2: 80.0})
    assert loss(before, after).half < 1
    assert loss(before, replace(after, values={0: 60.1, 1: 69.9})).half > 12
    assert loss(exact(9), exact(4)) == replace(loss(exact(9), exact(4)), value=5.0)


def test_a_mean_has_the_fewest_seeds_of_what_it_is_made_of() -> None:
    assert (mean([e(1), one(3), exact(5)], "m").n, mean([e(1), one(3), exact(5)], "m").value) == (1, 3.0)
