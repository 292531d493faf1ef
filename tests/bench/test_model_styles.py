"""A model has one colour, marker and line style in all figures, and readers can tell the models of a figure apart."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.papers.registry import MODELS, TABLES
from bench.report.figures.model_styles import ModelStyles, drawn_models, model_style, variant
from bench.spec.model import Model
from bench.spec.table import Paper, Table
from tests.bench.test_figures import FIGURES, finished, measured

# Machado et al. 2009, severity 1, on linear RGB
COLOUR_BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour: str, blindness: str) -> np.ndarray:
    """CIE L*a*b* of a colour as a reader with ``blindness`` sees it."""
    srgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(COLOUR_BLINDNESS[blindness] @ linear, 0, 1) / TO_XYZ.sum(1)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def figure(models: list[Model], paper: str = "third") -> Table:
    """A figure of a paper that draws ``models``."""
    template = FIGURES["roles-fig-3"].cells[0]
    cells = tuple(replace(template, row=model.name, model=model) for model in models)
    return Table(f"{paper}-fig-1", Paper(paper, paper, "", "", ""), "A figure", cells, draw="features:rates")


def test_a_model_looks_the_same_in_two_figures(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: dict[str, set[tuple[Any, ...]]] = {}
    for name in ("celif-fig-4", "celif-fig-6"):
        axis = finished(FIGURES[name], measured(FIGURES[name]), monkeypatch).axes[0]
        for line in axis.lines:
            neuron = line.get_label().replace(":", ",").split(",")[0]
            looks.setdefault(neuron, set()).add((line.get_color(), line.get_marker(), line.get_linestyle()))
    assert {neuron: len(found) for neuron, found in looks.items()} == {
        "LIF": 1,
        "ALIF": 1,
        "CE-LIF": 1,
        "LSTM": 1,
        "Plain LSTM": 1,
    }
    assert len({look for found in looks.values() for look in found}) == 5


def test_the_baseline_is_black_and_what_two_papers_draw_looks_the_same_in_both() -> None:
    assert model_style(MODELS["lif"])["color"] == "#000000"
    assert model_style(MODELS["lstm-256"]) == model_style(MODELS["lstm-512"])
    assert model_style(MODELS["lif-rec"]) == model_style(MODELS["lif-recurrent"])


@pytest.mark.parametrize("blindness", COLOUR_BLINDNESS)
@pytest.mark.parametrize("paper", ["celif", "roles"])
def test_readers_can_tell_the_colours_of_a_papers_models_apart(paper: str, blindness: str) -> None:
    models = [model for table in FIGURES.values() if table.paper.id == paper for model in drawn_models(table)]
    colours = {variant(model): model_style(model)["color"] for model in models}
    assert len(set(colours.values())) == len(colours)
    for a, b in itertools.combinations(colours.values(), 2):
        assert np.linalg.norm(lab(a, blindness) - lab(b, blindness)) > 15, (a, b)


def test_a_third_paper_has_colours_of_its_own_and_changes_no_others() -> None:
    models = [replace(MODELS["lif"], name=f"new-{i}", settings={"leak": i / 20}) for i in range(12)]
    styles = ModelStyles([*TABLES.values(), figure(models)])
    looks = [styles.style(model) for model in models]
    assert len({look["color"] for look in looks[:9]}) == 9  # black is the baseline's
    assert len({(look["color"], look["marker"]) for look in looks}) == 12
    assert all(styles.style(model) == model_style(model) for table in FIGURES.values() for model in drawn_models(table))


def test_models_of_one_figure_that_differ_only_in_width_look_different() -> None:
    narrow = MODELS["celif-84k"]
    wide = MODELS["celif-154k"]
    apart = ModelStyles([figure([narrow]), figure([wide])])
    together = ModelStyles([figure([narrow, wide])])
    assert apart.style(narrow) == apart.style(wide)
    assert together.style(narrow)["color"] != together.style(wide)["color"]
