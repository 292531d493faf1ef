"""What tables say of a data set that lacks some of the published samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.measures import ACCURACY
from bench.papers.roles.models import LIF
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import CIFAR10
from bench.report import facts
from bench.report.intervals import interval, sampling_interval
from bench.report.verdict import find_result
from bench.spec.experiment import Experiment
from bench.spec.table import Cell, Fact, Table
from tests.bench.test_plan import finished


def test_missing_test_samples_widen_the_interval_by_their_worst_case_and_leave_the_verdict() -> None:
    near_complete = Cell("Baseline", "CIFAR10", "93.09", "%", CIFAR10, LIF, ACCURACY)
    table = Table("roles-6", PAPER, "title", (near_complete,))
    lines = [
        finished(Experiment(CIFAR10, LIF, seed, "paper"), value=93.1, protocol="best_test", n_test=9_975)
        for seed in range(3)
    ]
    found = find_result(table, near_complete, lines)
    low, high = sampling_interval(93.1, 9_975)
    assert (found.low, found.high) == pytest.approx((low - 0.25, high + 0.25))
    assert found.note == "near-complete: 25 of 10,000 test samples are missing, at most 0.25 points"
    assert found.verdict == "reproduced"
    perfect = [replace(line, value=100.0) for line in lines]
    assert interval(near_complete, perfect).high == 100.0
    short = finished(Experiment(CIFAR10, LIF, 0, "laptop"), value=60.0, protocol="best_test", n_test=9_975)
    assert find_result(table, near_complete, [short]).verdict == "laptop budget"


@pytest.mark.parametrize(
    ("name", "published", "text", "verdict", "note"),
    [
        ("samples", "60,000", "59,889", "differs", "near-complete: 111 of 60,000 samples are missing"),
        ("classes", "10", "10", "equal", ""),
    ],
)
def test_a_near_complete_set_is_compared_and_its_missing_samples_are_the_reason(
    places: Path, name: str, published: str, text: str, verdict: str, note: str
) -> None:
    fact_cell = Cell("row", "CIFAR10", published, "", CIFAR10, LIF, fact=Fact(name))
    facts.save({facts.data_question(name, "cifar10"): text})
    found = facts.answer(fact_cell)
    assert (found.text, found.verdict, found.note) == (text, verdict, note)
