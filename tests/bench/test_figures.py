"""Figures: drawn from ledger and stored series alone, the same files for the same data, no picture of nothing."""

from __future__ import annotations

import csv
import itertools
import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import BenchError
from bench.ledger import histories, series, store
from bench.ledger.new_lines import new_lines
from bench.papers.registry import TABLES
from bench.report import figures, render
from bench.report.findings import find_results
from bench.report.markdown import to_markdown
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure
from bench.spec.table import Table
from tests.bench.embedding_series import periods, shares, trace
from tests.conftest import ROOT

FIGURES = {t.id: t for t in TABLES.values() if t.draw}


def landscape_series(seed: int) -> dict[str, list]:
    side = [i / 4 for i in range(-4, 5)]
    points = [(x, y) for x in side for y in side]
    loss = [0.1 + (1 + seed) * (x * x + 2 * y * y) for x, y in points]
    n = len(points)
    return {"pair": [0] * n, "grid": [1] * n, "x": [x for x, _ in points], "y": [y for _, y in points], "loss": loss}


def history(seed: int) -> list[dict[str, float]]:
    loss = [0.18 * math.exp(-e * (1 + seed % 3) / 20) for e in range(1, 31)]
    return [{"test/loss": v, "test/accuracy": 100 * (1 - v)} for v in loss]


def profile(seed: int) -> dict[str, list]:
    size = [math.exp(-(419 - t) / (20 * (1 + seed % 3))) for t in range(420)]
    return {"t": list(range(420)), "share": [v / sum(size) for v in size]}


def lags(seed: int) -> dict[str, list]:
    after = [0.5 + 0.4 * math.cos(2 * math.pi * lag / 28) * math.exp(-lag / 300) for lag in range(784)]
    return {"lag": list(range(784)), "before": [1.0] + [0.5] * 783, "after": after}


def matrix(seed: int) -> dict[str, list]:
    places = [(i, j) for i in range(112) for j in range(i, 112)]
    after = [0.5 + 0.5 * math.cos(2 * math.pi * 7 * (j - i) / 28) * math.exp(-(j - i) / 40) for i, j in places]
    return {
        "i": [i for i, _ in places],
        "j": [j for _, j in places],
        "before": [0.5 + (i == j) / 14 for i, j in places],
        "after": after,
    }


def rates(seed: int) -> dict[str, list]:
    rate = [0.2 * (n / 512) ** (1 + seed % 3) for n in range(512)]
    return {"layer": [1] * 512 + [2] * 10, "neuron": [*range(512), *range(10)], "rate": [*rate, *[0.1] * 10]}


def flips(seed: int) -> dict[str, list]:
    share = [0.01 + 0.002 * (seed % 5) + 0.004 * math.sin(i) for i in range(100)]
    return {
        "sample": [*range(100)],
        "class": [i % 10 for i in range(100)],
        "flipped": [*share[:99], math.nan],
        "taken_for": [3] * 99 + [-1],
    }


def classes(seed: int) -> dict[str, list]:
    return {"class": [*range(10)], "samples": [9] * 10, "silent": [0] * 10, "silhouette": [0.3] * 10}


def plane(seed: int) -> dict[str, list]:
    kind = [i % 10 for i in range(500)]
    x, y = ([10 * f(k) + 2 * f(i * i) for i, k in enumerate(kind)] for f in (math.sin, math.cos))
    return {"x": x, "y": y, "class": kind}


SERIES = {
    "spike-rate": rates,
    "attack-500": flips,
    "attack-500-rms": lambda seed: {},
    "attack-500-success": lambda seed: {},
    "silhouette": classes,
    "t-sne": plane,
    "loss-landscape": landscape_series,
    "gradient-reach": profile,
    "te-similarity": lags,
    "te-similarity-matrix": matrix,
    "te-period-scores": periods,
    "te-before": lambda seed: {},
    "te-late": lambda seed: {},
    "neuron-trace": trace,
    "trace-share": shares,
    "accuracy": lambda seed: {},
}


def made_up(measure: Measure, seed: int) -> dict[str, list]:
    """A series as ``measure`` would store it."""
    name = max((n for n in SERIES if measure.name.startswith(n)), key=len)
    return SERIES[name](seed)


def measured(table: Table, seeds: int = 1, budget: str = "laptop", with_series: bool = True) -> list[store.Line]:
    """Ledger lines and series of all cells of ``table`` that can run, with made-up values, as ``run`` leaves them."""
    lines = []
    for place, cell in enumerate(c for c in table.cells if c.runnable):
        assert cell.task and cell.model and cell.measure
        for seed in range(seeds):
            experiment = Experiment(cell.task, cell.model, seed, budget if budget in cell.task.budgets else "paper")
            for protocol in cell.measure.protocols:
                (line,) = new_lines(experiment, (cell.measure,), "ok", "")
                changes = {"value": 0.5 + place + 0.1 * seed, "protocol": protocol, "n_test": 100}
                lines.append(replace(line, **changes, epochs=experiment.config["epochs"]))
                if with_series and cell.measure.history:
                    histories.write(experiment, history(place + seed), 3000)
                elif with_series:
                    series.write_series(experiment, cell.measure, protocol, made_up(cell.measure, place + seed))
    store.append(lines)
    return store.read()


def contents(table: Table, lines: list[store.Line]) -> dict[str, Any]:
    return {path.suffix: content for path, content in figures.files(table, find_results(table, lines)).items()}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_from_its_stored_series(places: Path, name: str) -> None:
    table = FIGURES[name]
    lines = measured(table, seeds=2, budget="paper")
    drawn = contents(table, lines)
    assert drawn[".png"].startswith(b"\x89PNG") and drawn[".svg"].lstrip().startswith("<?xml")
    assert drawn[".pdf"].startswith(b"%PDF")
    rows = list(csv.DictReader(drawn[".csv"].splitlines()))
    assert {(r["row"], r["column"]) for r in rows if r["row"] != "baseline"} == {
        (c.row, c.column) for c in table.cells if c.runnable
    }
    numbers = [float(v) for r in rows for k, v in r.items() if k not in ("row", "column", "label") and v]
    assert numbers and all(math.isfinite(v) for v in numbers)


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_data_gives_the_same_files(places: Path, name: str) -> None:
    table = FIGURES[name]
    lines = measured(table)
    first = contents(table, lines)
    assert contents(table, list(reversed(lines))) == first
    assert b"20" + b"26-" not in first[".svg"].encode() and b"Software" not in first[".png"]
    assert not [word for word in (b"CreationDate", b"Producer", b"Creator") if word in first[".pdf"]]


@pytest.mark.parametrize("name", ["roles-fig-5", "celif-fig-8"])
def test_contours_are_the_same_on_a_cpu_whose_logarithms_differ_in_the_last_bit(
    places: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, geomspace = FIGURES[name], np.geomspace
    lines = measured(table)
    first = contents(table, lines)
    monkeypatch.setattr(np, "geomspace", lambda *range_: np.nextafter(geomspace(*range_), math.inf))
    assert contents(table, lines)[".svg"] == first[".svg"]


FIGURE = FIGURES["roles-fig-5"]


def test_nothing_measured_gives_table_files_and_no_picture(places: Path) -> None:
    folder = places / "results" / "figures"
    folder.mkdir(parents=True)
    (folder / "roles-fig-5.svg").write_text("drawn from results that are gone")
    assert [p.name for p in render.differing([FIGURE], []) if p.parent == folder] == ["roles-fig-5.svg"]
    render.render([FIGURE], [])
    assert list(folder.iterdir()) == []
    assert (places / "results" / "tables" / "roles-fig-5.md").exists()


def test_a_missing_series_is_named_and_the_tables_are_written(places: Path) -> None:
    lines = measured(FIGURE, with_series=False)
    with pytest.raises(
        BenchError, match=r"roles-fig-5: in the ledger, but without the series.*series/loss-landscape.*from git"
    ):
        render.render([FIGURE], lines)
    assert (places / "results" / "tables" / "roles-fig-5.csv").exists()
    assert not (places / "results" / "figures").exists()


def test_a_series_with_other_columns_is_one_message(places: Path) -> None:
    measured(FIGURE)
    for path in (places / "results" / "series").rglob("*.csv"):
        path.write_text("t,value\n1,2\n")
    with pytest.raises(BenchError, match="has no column grid, x, y, loss; it has t, value"):
        render.render([FIGURE], store.read())


def test_check_compares_data_and_svg_and_asks_for_a_png_and_a_pdf(places: Path) -> None:
    lines = measured(FIGURE)
    render.render([FIGURE], lines)
    folder = places / "results" / "figures"
    assert render.differing([FIGURE], lines) == []
    (folder / "roles-fig-5.png").write_bytes(b"by another machine's libraries")
    render.render([FIGURE], lines)
    assert (
        render.differing([FIGURE], lines) == []
        and (folder / "roles-fig-5.png").read_bytes() == b"by another machine's libraries"
    )
    (folder / "roles-fig-5.png").unlink()
    (folder / "roles-fig-5.pdf").unlink()
    (folder / "roles-fig-5.csv").write_text("edited")
    differing = {path.name for path in render.differing([FIGURE], lines)}
    assert differing == {"roles-fig-5.csv", "roles-fig-5.png", "roles-fig-5.pdf"}
    render.render([FIGURE], lines)
    assert (folder / "roles-fig-5.png").stat().st_size > 10_000
    assert (folder / "roles-fig-5.pdf").stat().st_size > 10_000


def test_curves_are_drawn_from_histories_whatever_became_of_the_value(places: Path) -> None:
    table = FIGURES["celif-fig-4"]
    measured(table)
    drawn = contents(table, [])
    rows = {(r["row"], r["column"]) for r in csv.DictReader(drawn[".csv"].splitlines())}
    assert rows == {(row, "Learning curve") for row in table.rows}
    found = find_results(table, [])
    text = figures.caption(found, figures.plotted_cells(table, found))
    assert "Budget laptop: " in text and "with 1 seed. " in text and "Without data: 3 of 6 parts" in text
    assert "celif-fig-4.png" in to_markdown(table, found, [])


def test_a_value_of_a_curve_without_its_history_is_named(places: Path) -> None:
    table = FIGURES["celif-fig-5"]
    lines = measured(table, with_series=False)
    with pytest.raises(BenchError, match=r"celif-fig-5: in the ledger, but without .*series/history/adding-100/celif_"):
        contents(table, lines)


def finished(table: Table, lines: list[store.Line], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The matplotlib figure of ``table`` as it is saved, laid out."""
    from bench.report.figures import style

    pictures: list[Any] = []
    monkeypatch.setattr(style, "contents", lambda picture, name, endings: pictures.append(picture) or {})
    figures.files(table, find_results(table, lines))
    with style.figure_settings():
        pictures[0].set_dpi(200)  # as PNGs are saved
        pictures[0].canvas.draw()
    return pictures[0]


def laptop_lines(table: Table, lines: list[store.Line]) -> list[store.Line]:
    """Without the real N-MNIST and all but one length of a task: about what a laptop has."""
    return [line for line in lines if line.data != "nmnist" and not line.task.endswith(("200", "400", "500", "800"))]


@pytest.mark.parametrize("some", [True, False], ids=["what a laptop has", "everything"])
@pytest.mark.parametrize("name", FIGURES)
def test_figures_fit_a_page_and_no_text_is_small_cut_off_or_touches_another(
    places: Path, monkeypatch: pytest.MonkeyPatch, name: str, some: bool
) -> None:
    table = FIGURES[name]
    lines = measured(table, budget="laptop" if some else "paper")
    picture = finished(table, laptop_lines(table, lines) if some else lines, monkeypatch)
    assert picture.get_figwidth() <= 6.9
    page = picture.bbox
    gap = 0.03 * picture.dpi
    texts = {"title": picture._suptitle, "caption": picture._supxlabel}
    for number, axis in enumerate(picture.axes):
        names = [
            ("title", axis.title),
            *((f"{n} label", getattr(axis, f"{n}axis").label) for n in "xyz" if hasattr(axis, f"{n}axis")),
        ]
        texts |= {f"{label} of panel {number}": text for label, text in names if axis.axison and text.get_text()}
        legend = axis.get_legend()
        texts |= {f"legend {i} of panel {number}": text for i, text in enumerate(legend.get_texts() if legend else ())}
        # 3d axes and colour bars move their ticks while they are drawn
        if axis.name != "3d" and axis.axison and axis.get_label() != "<colorbar>":
            drawn = [
                text
                for n in "xy"
                for tick in getattr(axis, f"{n}axis")._update_ticks()
                for text in (tick.label1, tick.label2)
            ]
            texts |= {
                f"tick {t.get_text()} {i} of panel {number}": t
                for i, t in enumerate(drawn)
                if t.get_visible() and t.get_text()
            }
    texts |= {f"legend {i}": text for legend in picture.legends for i, text in enumerate(legend.get_texts())}
    boxes = {label: text.get_window_extent() for label, text in texts.items()}
    assert not [label for label, text in texts.items() if text.get_fontsize() < 7]
    assert not [
        label
        for label, b in boxes.items()
        if b.xmin < 1 or b.ymin < 1 or b.xmax > page.xmax - 1 or b.ymax > page.ymax - 1
    ]
    close = [
        (a, b)
        for (a, x), (b, y) in itertools.combinations(boxes.items(), 2)
        if x.padded(gap / 2).overlaps(y.padded(gap / 2))
    ]
    assert not [pair for pair in close if not all(label.startswith(("tick", "legend")) for label in pair)]
    assert not [
        pair
        for pair in close
        if all(label.startswith("tick") for label in pair) and boxes[pair[0]].overlaps(boxes[pair[1]])
    ]
    panels = [axis.get_tightbbox() for axis in picture.axes if axis.axison]
    assert all(boxes["caption"].ymax + gap < p.ymin and p.ymax + gap < boxes["title"].ymin for p in panels)


def test_the_five_t_sne_maps_of_a_laptop_stand_in_two_lines(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = FIGURES["roles-fig-6"]
    standin = [line for line in laptop_lines(table, measured(table)) if line.data == "nmnist-standin"]
    picture = finished(table, standin, monkeypatch)
    lines = Counter(round(axis.get_position().y0, 2) for axis in picture.axes if axis.collections)
    assert list(lines.values()) == [3, 2]


def test_nothing_that_is_drawn_loads_matplotlib_before(places: Path) -> None:
    code = (
        "import sys; from bench.__main__ import cli\ncli(['render'], standalone_mode=False)\nsys.exit('matplotlib' in"
        " sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "matplotlib was loaded to draw nothing"


def test_the_command_line_draws_and_says_where(places: Path) -> None:
    measured(FIGURE)
    done = subprocess.run(
        [sys.executable, "-m", "bench", "render", "roles-fig-5"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "roles-fig-5.png" in (places / "results" / "tables" / "roles-fig-5.md").read_text()
    assert (places / "results" / "figures" / "roles-fig-5.svg").exists()


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_attacks_interval_is_the_same_in_picture_and_table(places: Path, seeds: int) -> None:
    table = FIGURES["roles-fig-8"]
    lines = measured(table, seeds)
    drawn = {
        (r["row"], r["column"]): float(r["ci_half"])
        for r in csv.DictReader(contents(table, lines)[".csv"].splitlines())
        if r["ci_half"]
    }
    found = {(f.cell.row, f.cell.column): f for f in find_results(table, lines)}
    assert len(drawn) > 4
    for place, half in drawn.items():
        low, high = found[place].low, found[place].high
        assert low is not None and high is not None and 50 * (high - low) == pytest.approx(half, rel=1e-4)


def test_make_reproduces_a_figure_by_paper_and_number() -> None:
    done = subprocess.run(["make", "-n", "reproduce-figure-roles-8"], cwd=ROOT, capture_output=True, text=True)
    assert "bench run --budget laptop --seeds 1 roles-fig-8" in " ".join(done.stdout.split())
