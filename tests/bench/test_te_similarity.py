"""Similarity of CE-LIF's temporal embedding between steps: what its scores find, and what they are not taken in by."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from bench.measures import TE_LATE, TE_LATE_EQUAL_LAGS
from bench.measures.te_similarity import (
    before_training,
    best_period,
    by_lag,
    distinction,
    late_similarity,
    score,
    scores,
    similarity,
    te_similarity,
)
from bench.papers.celif.models import ALIF_REC, CELIF
from bench.training import trained
from tests.bench.test_figure_measures import small

SHORT = {"shortest": 3, "longest": 6}  # periods of an embedding of 24 steps
TE = "layers.0.neuron.te"


def planted(period: float, fall: float = 300.0) -> list[float]:
    """A similarity by lag that repeats with ``period`` and falls with the lag."""
    return [(0.4 + 0.3 * math.cos(2 * math.pi * lag / period)) * math.exp(-lag / fall) for lag in range(784)]


def bands(period: int) -> list[float]:
    """A similarity by lag with narrow bands at the multiples of ``period``."""
    return [0.1 + 0.5 * math.exp(-(min(lag % period, -lag % period) ** 2) / 8) for lag in range(784)]


def test_similarity_of_a_hand_made_embedding() -> None:
    te = torch.tensor([[1.0, 0.0, 2.0, 1.0], [0.0, 3.0, 0.0, 1.0]])  # columns along x, y, x and between
    half = math.sqrt(0.5)
    expected = torch.tensor(
        [[1, 0, 1, half], [0, 1, 0, half], [1, 0, 1, half], [half, half, half, 1]], dtype=torch.float64
    )
    assert torch.allclose(similarity(te), expected, atol=1e-6)
    assert by_lag(expected) == pytest.approx([1.0, half / 3 * 1, (1 + half) / 2, half], abs=1e-6)


def test_a_similarity_that_only_falls_with_the_lag_scores_0_at_every_period() -> None:
    falling = [0.9 - lag / 1000 for lag in range(784)]
    assert list(scores(falling)) == list(range(20, 41))
    assert all(abs(value) < 1e-12 for value in scores(falling).values())


def test_in_a_similarity_that_falls_ever_more_slowly_no_period_stands_out() -> None:
    slower = scores([math.exp(-lag / 150) for lag in range(784)])
    assert max(slower.values()) < 0 and distinction(slower, 28) < 0


@pytest.mark.parametrize("shape", [planted, bands])
def test_a_planted_period_of_28_is_found_and_one_of_30_is_not_taken_for_28(shape) -> None:  # type: ignore[no-untyped-def]
    assert distinction(scores(shape(28)), 28) > 0.005
    assert distinction(scores(shape(30)), 28) < -0.005
    for period in range(22, 39):
        found = scores(shape(period))
        assert max(found, key=lambda p: found[p]) == period


def test_the_score_is_high_where_columns_repeat_with_the_period() -> None:
    t = torch.arange(784)
    te = torch.stack([torch.cos(2 * math.pi * t / 28), torch.sin(2 * math.pi * t / 28)])
    assert score(by_lag(similarity(te)), 28) == pytest.approx(2.0, abs=1e-5)  # 1 at whole periods, -1 half-way
    assert score(by_lag(similarity(te)), 56) == pytest.approx(0.0, abs=1e-5)


def test_half_an_odd_period_lies_between_two_lags() -> None:
    lags = [0.0, 0, 0, 0, 1, 3, 9, 2, 4, 0]  # period 5: neighbours are 2, 3 and 7, 8
    assert score(lags, 5) == 3 - (0 + 0 + 2 + 4) / 4


def test_as_many_rows_count_as_the_steps_allow_and_fewer_than_one_are_an_error() -> None:
    ones = [0.0] * 784
    for lag in (28, 56, 84, 112, 140, 168):
        ones[lag] = 1.0
    assert score(ones, 28) == 1.0
    assert score([*ones[:168], 0.0, *ones[169:]], 28) == pytest.approx(5 / 6)
    assert score(ones[:71], 28) == 1.0  # two rows
    assert score(ones[:43], 28) == 1.0
    with pytest.raises(ValueError, match="a period of 28 needs more than 42 steps, TE has 42"):
        score(ones[:42], 28)


def test_before_training_is_what_the_seed_makes(places: Path) -> None:
    trained_experiment = small(CELIF)
    reading = te_similarity(trained_experiment, "last", period=4, **SHORT)
    assert reading.series["before"] == pytest.approx(reading.series["after"]) and len(reading.series["lag"]) == 24
    absolute = before_training(trained_experiment, "last").value
    trained_experiment.states["last"][TE].copy_(torch.randn(6, 24))
    moved = te_similarity(trained_experiment, "last", period=4, **SHORT)
    assert moved.series["before"] == reading.series["before"] and moved.series["after"] != pytest.approx(
        reading.series["after"]
    )
    assert before_training(trained_experiment, "last").value == absolute
    matrix = te_similarity(trained_experiment, "last", period=4, block=8, **SHORT).series
    assert list(zip(matrix["i"], matrix["j"], strict=True)) == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    for reader in (te_similarity, best_period, before_training, late_similarity):
        with pytest.raises(trained.NotApplicable, match="without a temporal embedding"):
            reader(small(ALIF_REC), "last")


def test_the_similarity_before_training_is_the_mean_of_absolute_values_off_the_diagonal(places: Path) -> None:
    trained_experiment = small(CELIF)
    te = trained_experiment.states["last"][TE].double()
    columns = te / te.norm(dim=0)
    pairs = [abs(float(columns[:, i] @ columns[:, j])) for i in range(24) for j in range(24) if i != j]
    assert before_training(trained_experiment, "last").value == pytest.approx(sum(pairs) / len(pairs))


def test_the_period_of_the_embedding_has_the_largest_score(places: Path) -> None:
    trained_experiment = small(CELIF)
    turn = 2 * math.pi * torch.arange(24) / 5
    trained_experiment.states["last"][TE].copy_(torch.stack([turn.cos(), turn.sin()] * 3))
    reading = best_period(trained_experiment, "last", **SHORT)
    assert reading.value == 5 and reading.series["period"] == [3, 4, 5, 6]
    assert max(reading.series["after"]) == reading.series["after"][2]
    assert te_similarity(trained_experiment, "last", period=5, **SHORT).value == pytest.approx(
        reading.series["after"][2] - sorted(reading.series["after"])[-2]
    )
    assert te_similarity(trained_experiment, "last", period=4, **SHORT).value < 0


def test_late_steps_are_compared_with_early_ones_also_at_equal_lags(places: Path) -> None:
    trained_experiment = small(CELIF)
    te = torch.zeros(6, 24)
    te[0] = 1.0
    te[:, 18:] = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0, 0.0])[:, None]  # the last quarter leans to another side
    trained_experiment.states["last"][TE].copy_(te)
    half = math.sqrt(0.5)
    late = late_similarity(trained_experiment, "last", **TE_LATE.settings).value
    assert late == pytest.approx((6 * 18 * half + 15) / (6 * 18 + 15) - 1)
    assert late_similarity(trained_experiment, "last", **TE_LATE_EQUAL_LAGS.settings).value == pytest.approx(0)
