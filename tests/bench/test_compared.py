"""A W&B run says what its experiment means for the tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.ledger import store
from bench.papers.registry import MODELS, TASKS
from bench.papers.roles.models import LIF
from bench.papers.roles.tasks import MNIST
from bench.report import compared as comparison
from bench.report.compared import compared
from bench.spec.experiment import Experiment
from tests.bench.test_verdict import result

CELL = "cell/roles-6/Baseline/MNIST"


def test_a_run_has_measured_published_difference_and_verdict_of_the_cells_that_it_serves(places: Path) -> None:
    found = compared(Experiment(MNIST, LIF, 0, "paper"), [result(97.0)])
    assert found[f"{CELL}/measured"] == 97.0 and found[f"{CELL}/published"] == 94.85
    assert found[f"{CELL}/difference"] == pytest.approx(2.15)
    assert found[f"{CELL}/verdict"] in ("inconclusive", "above") and found[f"{CELL}/seeds"] == 1
    assert all("MNIST" in name for name in found)


def test_other_seeds_of_the_ledger_count_and_a_value_of_before_is_replaced(places: Path) -> None:
    store.append([result(90.0, seed=0), result(96.0, seed=1)])
    found = compared(Experiment(MNIST, LIF, 0, "paper"), [result(98.0)])
    assert (found[f"{CELL}/measured"], found[f"{CELL}/seeds"]) == (97.0, 2)


def test_a_budget_that_the_table_does_not_show_and_changed_settings_enter_no_table(places: Path) -> None:
    store.append([result(96.0)])
    laptop = Experiment(MNIST, LIF, 0, "laptop")
    assert compared(laptop, [result(50.0, budget="laptop")]) == {}
    assert compared(replace(laptop, overrides=(("epochs", 3),)), [result(50.0)]) == {}


def test_the_places_of_a_result_are_the_cells_that_show_it_with_what_is_published_there() -> None:

    columns = comparison.places(TASKS["mnist"], MODELS["lif-recurrent"])
    cells = list(zip(*columns.values(), strict=True))
    assert ("roles", "roles-6", "With recurrence", "MNIST", "accuracy", "96.98") in cells
    assert all(paper == "roles" for paper in columns["paper"])
