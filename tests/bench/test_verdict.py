"""Intervals, verdicts and what a rendered cell says."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.ledger import series, store
from bench.ledger.index import Index
from bench.ledger.new_lines import new_lines
from bench.ledger.store import Line
from bench.measures import ACCURACY, ATTACK, ENERGY_INFERENCE, LANDSCAPE_SMALL, SPIKE_RATE, SYNOPS, T_SNE
from bench.papers.registry import MODELS, TABLES
from bench.papers.roles.models import GRU_512, LIF, LSTM_512, RNN_512
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import CIFAR10_SUBSET, DVS_CLIPS, MNIST, NMNIST_STANDIN
from bench.report import notes
from bench.report.csv_table import to_csv
from bench.report.findings import find_results
from bench.report.groups import undivided
from bench.report.intervals import interval, sampling_interval
from bench.report.latex import to_latex
from bench.report.markdown import markdown_grid, to_markdown
from bench.report.text_table import SIGNS, CellText, cell_text, legend, value_text
from bench.report.verdict import Finding, find_result, status_of, verdict
from bench.spec.estimates import half_of_mean
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure
from bench.spec.table import Cell, Table
from tests.bench.test_plan import finished

CELL = Cell("Baseline", "MNIST", "94.85", "%", MNIST, LIF, ACCURACY)
TABLE = Table("roles-6", PAPER, "title", (CELL,))


def result(value: float | None, seed: int = 0, budget: str = "paper", protocol: str = "best_test", **changes) -> Line:
    return finished(
        Experiment(MNIST, LIF, seed, budget), **{"value": value, "protocol": protocol, "n_test": 10_000, **changes}
    )


def test_intervals_equal_textbook_values() -> None:
    assert half_of_mean([1.0, 2.0, 3.0]) == pytest.approx(2.4843, abs=1e-3)  # s = 1, t = 4.303, s/sqrt(3) = .57735
    assert sampling_interval(50.0, 100) == pytest.approx((40.38, 59.62), abs=0.01)  # Wilson
    assert sampling_interval(100.0, 10)[1] == pytest.approx(100.0)
    assert sampling_interval(100.0, 10)[0] == pytest.approx(72.25, abs=0.01)


FLIPPED = {
    "sample": [3, 7, 9, 11],
    "class": [0, 1, 2, 3],
    "flipped": [0.1, 0.2, 0.3, math.nan],
    "taken_for": [1, 2, 3, -1],
}
RISES = {
    "pair": [0, 0, 0, 1, 1, 2, 2],
    "grid": [1, 0, 0, 0, 0, 0, 0],
    "x": [0.0] * 7,
    "y": [0.0] * 7,
    "loss": [9, 0, 0.2, 0.1, 0.3, 0.2, 0.4],
}


@pytest.mark.parametrize(
    ("measure", "columns", "half"),
    [
        (ATTACK, FLIPPED, 0.24843),  # over the samples that were fooled: s = .1, t = 4.303
        (
            LANDSCAPE_SMALL,
            RISES,
            0.24843,
        ),  # over pairs of directions: means .1, .2, .3; the grid's point is none of them
        (ATTACK, {name: column[:1] for name, column in FLIPPED.items()}, None),
        (ATTACK, {}, None),
        (SPIKE_RATE, {"layer": [1, 1], "neuron": [0, 1], "rate": [0.1, 0.3]}, None),
    ],
)
def test_the_interval_joins_that_of_the_stored_repeats_with_that_of_the_seeds(
    places: Path, measure: Measure, columns: dict[str, list], half: float | None
) -> None:
    lines = []
    for seed, value in enumerate((0.2, 0.4)):
        experiment = Experiment(NMNIST_STANDIN, LIF, seed, "laptop")
        lines += [replace(new_lines(experiment, (measure,), "ok", "")[0], value=value, protocol=measure.protocols[-1])]
        series.write_series(experiment, measure, measure.protocols[-1], columns)
    cell = Cell("Baseline", "Flipped", None, measure.unit, NMNIST_STANDIN, LIF, measure)
    one, two = find_result(TABLE, cell, lines[:1]), find_result(TABLE, cell, lines)
    assert (
        (one.low, one.high) == (None, None)
        if half is None
        else (one.low, one.high) == pytest.approx((0.2 - half, 0.2 + half), abs=1e-4)
    )
    assert two.high is not None
    over_seeds = half_of_mean([0.2, 0.4])
    assert two.high - 0.3 == pytest.approx(math.hypot(over_seeds, half or 0.0), rel=1e-4)


def seeds(*values: float, **changes) -> list[Line]:
    return [result(value, seed, **changes) for seed, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "published", "verdict"),
    [
        ((94.8, 94.9, 95.0), "94.85", "reproduced"),  # 94.9 ± 0.50 lies inside 94.85 ± 1
        ((94.8, 94.9, 95.0), "95.80", "inconclusive"),  # it touches the tolerance only
        ((94.8, 94.9, 95.0), "96.50", "below"),
        ((94.8, 94.9, 95.0), "93.30", "above"),
        ((92.0, 94.0, 96.0), "94.00", "inconclusive"),  # ± 4.97: right on average says nothing
        ((92.0, 94.0, 96.0), "105.0", "below"),
        ((94.85,), "94.85", "inconclusive"),  # one seed
        ((80.0,), "94.85", "below"),  # more than ten half-widths of 0.78 outside
        ((88.0,), "94.85", "inconclusive"),
    ],
)
def test_a_value_is_reproduced_only_where_its_interval_lies_inside_the_tolerance(
    values: tuple[float, ...], published: str, verdict: str
) -> None:
    found = find_result(TABLE, replace(CELL, published=published), seeds(*values))
    assert found.verdict == verdict
    assert cell_text(found).lines[-1] == f"({published}) {SIGNS[verdict]} {verdict}"
    assert f"{SIGNS[verdict]} {verdict}: " in legend([found])


@pytest.mark.parametrize("common", [True, False])
@pytest.mark.parametrize("spread", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_reproduced_is_wrong_in_at_most_5_percent_of_draws(n: int, spread: float, common: bool) -> None:
    """Networks whose true accuracy lies just outside the tolerance, read from test sets of two sizes: the error of the
    test set is the same for all seeds, or independent.
    """
    rng = np.random.default_rng(100 * n + int(10 * spread) + common)
    for samples in (200, 10_000):
        truth = 94.85 - 1.001
        accuracies = truth + spread * rng.standard_normal((400, n))
        deviation = 100 * math.sqrt(truth / 100 * (1 - truth / 100) / samples)
        errors = deviation * rng.standard_normal((400, 1 if common else n))
        lines = seeds(*[0.0] * n, n_test=samples)
        verdicts = []
        for draw in np.clip(accuracies + errors, 0, 100).tolist():
            drawn = [replace(line, value=value) for line, value in zip(lines, draw, strict=True)]
            verdicts.append(verdict(CELL, "paper", interval(CELL, drawn)))
        assert verdicts.count("reproduced") <= 0.05 * len(verdicts)


def test_a_true_accuracy_is_often_found_reproduced() -> None:
    """The other side: verdicts that always say inconclusive would be useless."""
    rng = np.random.default_rng(0)
    draws = (94.85 + 0.1 * rng.standard_normal((100, 5))).tolist()
    verdicts = [find_result(TABLE, CELL, seeds(*draw)).verdict for draw in draws]
    assert verdicts.count("reproduced") > 90


def test_equal_seeds_have_the_error_of_their_test_sample() -> None:
    found = find_result(TABLE, CELL, seeds(98.3, 98.3, 98.3))
    assert found.low is not None and found.high is not None
    assert found.high - found.low == pytest.approx(0.51, abs=0.01)
    all_right = find_result(TABLE, CELL, seeds(100.0, 100.0, 100.0, n_test=10))
    assert (all_right.low, all_right.high) == (pytest.approx(72.25, abs=0.01), 100.0)


def test_three_seeds_know_no_more_of_the_test_set_than_one() -> None:
    one = find_result(TABLE, CELL, seeds(90.0, n_test=100))
    three = find_result(TABLE, CELL, seeds(90.0, 90.1, 89.9, n_test=100))
    assert one.half is not None and three.half is not None and three.half > one.half - 0.1


def test_intervals_end_at_0_and_100() -> None:
    found = find_result(TABLE, CELL, seeds(99.0, 90.0, n_test=100))
    assert (found.low, found.high) == (pytest.approx(37, abs=1), 100.0)
    low = find_result(TABLE, CELL, seeds(1.0, 5.0, n_test=100))
    assert low.low == 0.0


def test_seeds_in_two_groups_are_counted_and_decide_nothing() -> None:
    found = find_result(TABLE, replace(CELL, published="98.90"), seeds(99.5, 99.4, 99.6, 99.5, 55.0))
    assert found.verdict == "inconclusive"
    assert cell_text(found).lines == ["90.60", "[4 of 5 seeds: 99.50]", "(98.90) ? inconclusive"]
    assert "two groups" in legend([found])
    continuous = find_result(TABLE, replace(CELL, published="98.90"), seeds(99.5, 90.0, 80.0, 70.0, 60.0))
    assert continuous.parted == ""
    few_samples = find_result(TABLE, CELL, seeds(78.0, 78.0, 84.0, n_test=100))
    assert few_samples.parted == ""  # the test sample alone parts them


def test_one_seed_is_marked_and_its_interval_is_that_of_the_test_sample_only() -> None:
    one = find_result(TABLE, CELL, [result(94.0)])
    more = find_result(TABLE, replace(CELL, row="Other"), [result(94.0), result(95.0, 1)])
    assert ["†" in value_text(f) for f in (one, more)] == [True, False]
    assert "† one seed: ± is the error of the test sample" in legend([one, more])
    assert "†" not in legend([more])


def test_a_recipe_that_departs_from_the_paper_gets_a_label_and_no_verdict() -> None:
    task = replace(MNIST, departs="100 steps, chosen after seeing results")
    found = find_result(TABLE, replace(CELL, task=task), seeds(94.8, 94.9, 95.0))
    assert found.verdict == "another recipe: 100 steps, chosen after seeing results"
    assert cell_text(found).lines[-1] == "(94.85) another recipe"


def test_what_was_tested_on_its_training_samples_says_so() -> None:
    cell = Cell("Baseline", "clips", None, "%", DVS_CLIPS, LIF, ACCURACY)
    (line,) = new_lines(Experiment(DVS_CLIPS, LIF, 0, "laptop"), (ACCURACY,), "ok", "")
    verdict = find_result(TABLE, cell, [replace(line, value=90.0, n_test=10)]).verdict
    assert verdict.startswith("laptop budget, subset, tested on what it was trained on")


def test_the_csv_says_epochs_date_and_commit_of_a_value() -> None:
    lines = [
        replace(line, epochs=100, started_utc=f"2026-11-0{i + 1}T00:00:00Z", git_commit=f"commit{i}")
        for i, line in enumerate(seeds(94.8, 94.9, 95.0))
    ]
    (row,) = csv.DictReader(io.StringIO(to_csv(TABLE, find_results(TABLE, lines))))
    assert (row["n"], row["seeds"], row["date"], row["commit"]) == ("3", "0 1 2", "2026-11-03", "commit2")
    assert (row["epochs_min"], row["epochs"]) == ("100", "100")


def test_a_reduced_budget_gets_a_label_and_no_verdict() -> None:
    found = find_result(TABLE, CELL, [result(94.85, budget="laptop")])
    assert (found.status, found.verdict, found.budget) == ("measured", "laptop budget", "laptop")


def test_paper_budget_is_shown_before_laptop_and_the_tables_protocol_before_others() -> None:
    lines = [result(95.0, budget="laptop"), result(94.0), result(93.5, protocol="last")]
    found = find_result(TABLE, CELL, lines)
    assert (found.value, found.budget, found.protocol) == (94.0, "paper", "best_test")
    assert "last 93.50" in found.note


def test_results_of_another_version_are_stale_and_get_no_verdict() -> None:
    found = find_result(TABLE, CELL, [result(94.0, config_hash="old", version="task=0")])
    assert (found.status, found.value, found.verdict) == ("stale", 94.0, "")
    assert cell_text(found) == CellText("94.00", "94.85", "↻", "stale")


def test_the_same_training_counts_under_whatever_name_it_was_recorded() -> None:
    """The plan holds it for done, so the cell would say "ready to run" for ever."""
    assert find_result(TABLE, CELL, [result(94.9, task="mnist-before", model="before")]).status == "measured"


def test_absent_failed_and_missing_cells_each_say_why(mnist_here: None) -> None:
    absent = Cell("a", "b", None, absent="not applicable", note="the paper leaves it out")
    assert find_result(TABLE, absent, []).status == "not applicable"
    assert find_result(TABLE, CELL, []).status == "ready to run"
    assert (
        'time not known yet at laptop budget: python -m bench run roles-6 --column "MNIST"'
        in find_result(TABLE, CELL, []).note
    )
    failed = find_result(TABLE, CELL, [result(None, status="diverged", error="loss nan")])
    assert failed.status == "ready to run"
    assert "diverged, loss nan" in failed.note


def test_a_cell_that_can_run_says_how_long_it_took_before(mnist_here: None) -> None:
    other = finished(Experiment(MNIST, MODELS["lif-no-leak"], 0, "laptop"), value=90.0, wall_s=82.0)
    assert "about 82 s an experiment at laptop budget" in find_result(TABLE, CELL, [other]).note


def test_data_that_is_missing_now_is_said_to_be_missing_whatever_the_ledger_says(places: Path) -> None:
    other = finished(Experiment(MNIST, replace(LIF, name="other", settings={"leak": 0.7}), 0, "laptop"))
    for lines in ([], [other], [result(None, status="diverged")]):
        missing = find_result(TABLE, CELL, lines, live=True)
        assert missing.status == status_of(TABLE, CELL, lines, live=True) == "data missing"
        assert "MNIST is not here: python -m bench data status" in missing.note


def test_data_that_is_back_is_ready_whatever_the_ledger_says(mnist_here: None) -> None:
    lines = [result(None, status="data missing", started_utc="2026-01-01T00:00:00Z")]
    assert find_result(TABLE, CELL, lines, live=True).status == status_of(TABLE, CELL, lines) == "ready to run"


def test_a_rendered_table_is_the_same_where_the_data_of_its_results_is_missing(places: Path) -> None:
    """The committed tables are checked on machines without data."""
    other = finished(Experiment(MNIST, replace(LIF, name="other", settings={"leak": 0.7}), 0, "laptop"))
    assert find_result(TABLE, CELL, [other]).status == status_of(TABLE, CELL, [other]) == "ready to run"
    assert find_result(TABLE, CELL, []).status == "data missing"


@pytest.mark.parametrize("name", ["roles-6", "celif-1", "celif-4"])
def test_counting_by_status_agrees_with_the_results(name: str) -> None:
    index = Index(store.read())
    table = TABLES[name]
    assert [status_of(table, c, index) for c in table.cells] == [
        find_result(table, c, index).status for c in table.cells
    ]


def test_a_cell_needs_a_reason_to_be_absent() -> None:
    with pytest.raises(ValueError, match="with a note"):
        Cell("a", "b", None, absent="not applicable")


def test_the_csv_has_one_line_a_cell_with_the_documented_columns() -> None:
    table = replace(
        TABLE, cells=(CELL, Cell("With recurrence", "CIFAR10", None, absent="not applicable", note="left out"))
    )
    found = find_results(table, [result(94.0)])
    rows = list(csv.DictReader(io.StringIO(to_csv(table, found))))
    expected = (
        "table row column measure unit published published_text also_published also_published_by"
        " measured measured_text difference ci_low ci_high n seeds epochs_min epochs budget protocol data"
        " params status verdict date commit note"
    )
    assert list(rows[0]) == expected.split()
    assert (rows[0]["published"], rows[0]["measured"], rows[0]["n"], rows[0]["verdict"]) == (
        "94.85",
        "94.00",
        "1",
        "inconclusive",
    )
    assert rows[0]["difference"] == "-0.85"
    assert (rows[1]["status"], rows[1]["note"], rows[1]["measured"]) == ("not applicable", "left out", "")


def test_markdown_marks_what_is_no_reproduction_and_latex_escapes() -> None:
    table = replace(TABLE, cells=(replace(CELL, row="k_tau & 5 %"),))
    found = find_results(table, [result(94.0, budget="laptop")])
    assert "| 94.00 ± 0.47†<br>(94.85) laptop budget |" in to_markdown(table, found, [])
    latex = to_latex(table, found)
    value = r"\num{94.00} $\pm$ \num{0.47}$\dagger$\textsuperscript{a}"
    assert rf"$k_\tau$ \& 5 \% & {value} & \num{{94.85}} \\" in latex
    assert r"\textsuperscript{a} laptop budget." in latex


def test_a_cell_says_every_setting_that_its_budget_changes() -> None:
    subset = replace(CELL, task=CIFAR10_SUBSET)
    line = finished(Experiment(CIFAR10_SUBSET, LIF, 0, "laptop"), value=24.0, protocol="best_test")
    note = find_result(TABLE, subset, [line]).note
    for said in ("1 of 100 epochs", "batch size 32 instead of 512", "steps 2 instead of 4"):
        assert said in note
    assert "instead of" not in find_result(TABLE, CELL, [result(94.0)]).note


def with_units(*units: str) -> tuple[Table, list[Finding]]:
    """A column "Cost, in all" of measured cells with these units."""
    cells = tuple(Cell(f"row {n}", "Cost, in all", "7", unit, MNIST, LIF, ACCURACY) for n, unit in enumerate(units))
    return replace(TABLE, cells=cells), [Finding(cell, "measured", "", 5.0, n=1, budget="paper") for cell in cells]


@pytest.mark.parametrize(
    ("units", "header", "cells"),
    [
        (("nJ", "nJ"), "Cost (nJ), in all", ("5.00†", "5.00†")),
        (("nJ", ""), "Cost, in all", ("5.00† nJ", "5.00†")),
        (("nJ", "%"), "Cost, in all", ("5.00† nJ", "5.00†")),
        (("%", "%"), "Cost, in all", ("5.00†", "5.00†")),
        (("", ""), "Cost, in all", ("5.00†", "5.00†")),
    ],
)
def test_a_unit_is_in_the_header_where_the_whole_column_has_it_and_else_in_the_cells(
    units, header: str, cells: tuple[str, ...]
) -> None:
    table, found = with_units(*units)
    lines = [f"| row {n} | {cell}<br>(7) |" for n, cell in enumerate(cells)]
    assert markdown_grid(table, undivided(table, found)) == [f"| | {header} |", "| --- | --- |", *lines]
    assert f"{{{header.replace('%', chr(92) + '%')}}}" in to_latex(table, found)


def test_networks_without_spikes_have_no_synaptic_operations_in_roles_8_and_keep_their_energy() -> None:
    lines = store.read()
    table = TABLES["roles-8"]
    cells = [c for c in table.cells if c.model in (LSTM_512, GRU_512, RNN_512)]
    for asked, status in (
        (SYNOPS, {"not applicable"}),
        (SPIKE_RATE, {"not applicable"}),
        (ENERGY_INFERENCE, {"measured", "data missing"}),
    ):
        found = [find_result(table, c, lines) for c in cells if c.measure == asked]
        assert len(found) == 9 and status & {f.status for f in found}
        assert {f.status for f in found} <= status | {"ready to run"}
    assert (
        find_result(TABLES["celif-4"], TABLES["celif-4"].cell("LSTM of 66.5k", "Synaptic operations"), lines).value == 0
    )


def test_the_number_under_a_t_sne_map_says_that_it_is_the_kl_divergence() -> None:
    table = TABLES["roles-fig-6"]
    assert {c.column for c in table.cells if c.measure == T_SNE} == {
        "t-SNE (KL divergence)",
        "t-SNE (KL divergence), N-MNIST (simulated)",
        "t-SNE (KL divergence), N-MNIST (7 digits)",
    }
    assert "Kullback-Leibler divergence, in nats" in notes.source(table)
