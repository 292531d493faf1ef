"""Captions say how long and on what the drawn networks were trained; unequal trainings are not drawn together."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from bench.papers.registry import TABLES
from bench.report import figures
from bench.report.figures.trainings import trained_equally
from bench.report.findings import find_results
from tests.bench.test_figures import FIGURES, measured

FIGURE = TABLES["roles-fig-5"]


def test_the_caption_says_budget_data_epochs_seeds_and_what_is_missing(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.report.verdict.missing", lambda name: [])
    lines = [line for line in measured(FIGURE, seeds=2) if line.data == "nmnist-standin"]
    found = find_results(FIGURE, lines)
    text = figures.caption(found, figures.plotted_cells(FIGURE, found))
    assert text.startswith("Budget laptop: less training than in the paper. Data: stand-in for N-MNIST")
    assert "Trained for 5 of 100 epochs with 2 seeds. Weights of the last epoch." in text
    assert text.endswith("Not measured yet: 6 of 9 parts.")


def test_the_caption_names_the_data_that_is_missing(places: Path) -> None:
    lines = [line for line in measured(FIGURE) if line.data == "nmnist-standin"]
    found = find_results(FIGURE, lines)
    text = figures.caption(found, figures.plotted_cells(FIGURE, found))
    assert text.endswith("Weights of the last epoch. Without data: 6 of 9 parts (N-MNIST, N-MNIST (7 digits)).")


def test_epochs_and_seeds_are_named_for_each_curve_where_they_differ(places: Path) -> None:
    table = FIGURES["celif-fig-5"]
    lines = [line for line in measured(table, seeds=2) if line.task == "copy-100"]
    first = next(line for line in lines if line.seed == 1)
    found = find_results(table, [line for line in lines if line.experiment != first.experiment])
    cells = [cell for cell in figures.plotted_cells(table, found) if cell.task.name == "copy-100"]
    text = figures.caption(found, cells)
    one, two, *_ = (cell.row for cell in cells)
    assert f"Trained for 30 of 50 epochs with 1 seed ({one}); 30 of 50 epochs with 2 seeds ({two} / " in text


def test_trainings_of_unequal_length_are_not_drawn_beside_each_other(places: Path) -> None:
    table = FIGURES["celif-fig-8"]
    found = find_results(table, measured(table))
    drawn = {path.suffix: content for path, content in figures.files(table, found).items()}
    rows = {row["row"] for row in csv.DictReader(drawn[".csv"].splitlines())}
    epochs = {f.cell.row: f.epochs for f in found}
    assert epochs["ALIF, recurrent"] != epochs["CE-LIF, feedforward"]
    assert len({epochs[row] for row in rows}) == 1
    cells = figures.plotted_cells(table, found)
    equal, unequal = trained_equally(cells)
    assert {cell.row for cell in equal} == rows
    assert {cell.row for cell in unequal} == set(table.rows) - rows
    text = figures.caption(found, equal, unequal)
    assert "Not drawn, because the training has another length: " in text
    assert all(cell.row in text for cell in unequal)


def test_a_row_of_a_plug_in_is_drawn_in_any_case_and_decides_nothing(places: Path) -> None:
    table = FIGURES["celif-fig-8"]
    cells = figures.plotted_cells(table, find_results(table, measured(table)))
    equal, unequal = trained_equally(cells)
    own = [
        replace(cell, finding=replace(cell.finding, cell=replace(cell.finding.cell, row=name, own=True)))
        for cell in unequal[:1]
        for name in ("one", "two", "three", "four")
    ]
    assert trained_equally([*cells, *own]) == ([*equal, *own], unequal)


def test_trainings_to_the_end_of_their_recipes_are_drawn_beside_each_other(places: Path) -> None:
    table = FIGURES["celif-fig-8"]
    cells = figures.plotted_cells(table, find_results(table, measured(table, budget="paper")))
    assert trained_equally(cells) == (cells, [])
