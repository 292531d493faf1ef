"""Intervals, verdicts and what a rendered cell says."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench.ledger import series, store
from bench.ledger.index import Index
from bench.ledger.new_lines import new_lines
from bench.ledger.store import Line
from bench.measures import ACCURACY, ATTACK, ENERGY_INFERENCE, LANDSCAPE_SMALL, SPIKE_RATE, SYNOPS, T_SNE
from bench.papers.registry import MODELS, TABLES
from bench.papers.roles.models import GRU_512, LIF, LSTM_512, RNN_512
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import CIFAR10_SUBSET, MNIST, NMNIST_STANDIN
from bench.report import notes
from bench.report.csv_table import to_csv
from bench.report.findings import find_results
from bench.report.intervals import mean_interval, sampling_interval
from bench.report.latex import to_latex
from bench.report.markdown import markdown_grid, to_markdown
from bench.report.text_table import cell_text, legend, text_table
from bench.report.verdict import Finding, find_result, status_of
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
    low, high = mean_interval([1.0, 2.0, 3.0])  # mean 2, s = 1, t = 4.303, s/sqrt(3) = .57735
    assert (low, high) == pytest.approx((2 - 2.4843, 2 + 2.4843), abs=1e-3)
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
def test_with_one_seed_the_interval_is_that_of_the_stored_repeats_where_there_are_some(
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
    assert (two.low, two.high) == pytest.approx(mean_interval([0.2, 0.4]))


@pytest.mark.parametrize(("value", "verdict"), [(94.9, "within"), (95.8, "within"), (96.5, "above"), (93.0, "below")])
def test_paper_budget_on_real_data_gets_a_verdict(value: float, verdict: str) -> None:
    assert find_result(TABLE, CELL, [result(value)]).verdict == verdict


@pytest.mark.parametrize(("published", "verdict"), [("94.9", "within"), ("98.5", "in interval"), ("99.5", "below")])
def test_a_published_value_that_only_the_interval_over_seeds_reaches_is_said_so(published: str, verdict: str) -> None:
    lines = [result(value, seed) for seed, value in enumerate((92.0, 94.0, 96.0))]  # 94 ± 4.97
    found = find_result(TABLE, replace(CELL, published=published), lines)
    assert found.verdict == verdict
    shown = cell_text(found)
    assert shown == f"94.00 ± 4.97{'' if verdict == 'within' else f' {verdict}'} ({published})"
    assert ("not the measure's tolerance" in legend([found])) == (verdict == "in interval")


def test_one_seed_is_marked_where_others_have_more() -> None:
    one = find_result(TABLE, CELL, [result(94.0)])
    more = find_result(TABLE, replace(CELL, row="Other"), [result(94.0), result(95.0, 1)])
    both = replace(TABLE, cells=(one.cell, more.cell))
    assert ["†" in row[1] for row in text_table(both, [one, more])[1:]] == [True, False]
    assert "with one seed (†)" in legend([one, more])
    assert "†" not in text_table(TABLE, [one])[1][1] + legend([one])


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
    assert "stale" in cell_text(found)


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
        "table row column measure unit published measured ci_low ci_high n budget protocol data params status verdict"
        " note"
    )
    assert list(rows[0]) == expected.split()
    assert (rows[0]["published"], rows[0]["measured"], rows[0]["n"], rows[0]["verdict"]) == (
        "94.85",
        "94.00",
        "1",
        "within",
    )
    assert (rows[1]["status"], rows[1]["note"], rows[1]["measured"]) == ("not applicable", "left out", "")


def test_markdown_marks_what_is_no_reproduction_and_latex_escapes() -> None:
    table = replace(TABLE, cells=(replace(CELL, row="k_tau & 5 %"),))
    found = find_results(table, [result(94.0, budget="laptop")])
    assert "94.00 ± 0.47 * (94.85)" in to_markdown(table, found, []).replace("\\*", "*")
    assert "no verdict" in legend(found)
    latex = to_latex(table, found)
    assert r"$k_\tau$ \& 5 \% & 94.00 $\pm$ 0.47 * (94.85) \\" in latex


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
        (("nJ", "nJ"), "Cost (nJ), in all", ("5.00 (7)", "5.00 (7)")),
        (("nJ", ""), "Cost, in all", ("5.00 nJ (7)", "5.00 (7)")),
        (("nJ", "%"), "Cost, in all", ("5.00 nJ (7)", "5.00 (7)")),
        (("%", "%"), "Cost, in all", ("5.00 (7)", "5.00 (7)")),
        (("", ""), "Cost, in all", ("5.00 (7)", "5.00 (7)")),
    ],
)
def test_a_unit_is_in_the_header_where_the_whole_column_has_it_and_else_in_the_cells(
    units, header: str, cells: tuple[str, ...]
) -> None:
    table, found = with_units(*units)
    assert markdown_grid(table, found) == [
        f"| | {header} |", "| --- | --- |", *(f"| row {n} | {cell} |" for n, cell in enumerate(cells)),
    ]  # fmt: skip
    latex = to_latex(table, found)
    assert f" & {header.replace('%', chr(92) + '%')} " in latex and f"row 0 & {cells[0]} " in latex


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
        assert len(found) == 9 and {f.status for f in found} == status
    assert (
        find_result(TABLES["celif-4"], TABLES["celif-4"].cell("LSTM of 66.5k", "Synaptic operations"), lines).value == 0
    )


def test_the_number_under_a_t_sne_map_says_that_it_is_the_kl_divergence() -> None:
    table = TABLES["roles-fig-6"]
    assert {c.column for c in table.cells if c.measure == T_SNE} == {
        "t-SNE (KL divergence)",
        "t-SNE (KL divergence), N-MNIST (simulated)",
    }
    assert "Kullback-Leibler divergence, in nats" in notes.source(table)
