"""Figures 2 and 7 of celif: every value is in the figure, the target neuron is marked."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.bench.test_figures import FIGURES, contents, finished, measured


@pytest.mark.parametrize("name", ["celif-fig-2", "celif-fig-7"])
def test_a_figure_of_which_only_values_without_a_series_are_measured_is_drawn(places: Path, name: str) -> None:
    lines = [line for line in measured(FIGURES[name]) if line.measure in ("accuracy", "te-before", "te-late")]
    drawn = contents(FIGURES[name], lines)
    assert drawn[".png"].startswith(b"\x89PNG")
    assert all(row["value"] for row in csv.DictReader(drawn[".csv"].splitlines()))


def test_the_target_neuron_alone_is_in_the_strong_colour_and_all_ten_are_drawn(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = FIGURES["celif-fig-2"]
    image, *panels = finished(table, measured(table), monkeypatch).axes
    assert "test image 4, class 3" in image.get_title() and "Accuracy" in panels[0].get_title()
    colours = []
    for axis in panels:
        drawn = [line.get_color() for line in axis.lines if len(line.get_xdata()) > 2]
        assert len(drawn) == 10 and drawn[:9] == drawn[:1] * 9 and drawn[9] != drawn[0]
        colours.append(drawn[9])
    (ticks,) = (line for line in panels[2].lines if line.get_color() == colours[0])
    assert set(ticks.get_ydata()) == {3} and len(set(colours)) == 1


def test_the_figure_s_data_has_image_embedding_threshold_and_spikes(places: Path) -> None:
    table = FIGURES["celif-fig-2"]
    rows = list(csv.DictReader(contents(table, measured(table))[".csv"].splitlines()))
    assert sum(bool(row["pixel"]) for row in rows) == 784
    neurons = [row for row in rows if row["neuron"]]
    assert len(neurons) == 7840 and all(row[n] for row in neurons for n in ("embedding", "threshold", "spike"))
    assert {row["neuron"] for row in neurons if row["target"] == "1"} == {"3"}
