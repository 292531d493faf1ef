"""Figures of the roles paper beyond landscapes: spike rates, feature spaces, attacks."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bench.ledger import series
from bench.report.figures.cells import PlottedCell
from bench.report.figures.landscapes import Points
from bench.report.figures.model_styles import model_style
from bench.report.figures.style import COLOURS, wrapped_panels
from bench.spec.table import Table

BINS = 40


def rates(table: Table, cells: list[PlottedCell]) -> tuple[Figure, Points]:
    """Distribution of the hidden neurons' rates, all seeds together, a panel a column (roles Figure 3)."""
    columns = list(dict.fromkeys(cell.column for cell in cells))
    figure, axes = wrapped_panels(len(columns), 2, width=3.4, height=2.3)
    points: Points = []
    for axis, column in zip(axes, columns, strict=True):
        panel = [(cell, _hidden_rates(cell)) for cell in cells if cell.column == column]
        top = max(max(values) for _, values in panel) or 1.0
        edges = np.linspace(0, top, BINS + 1)
        for cell, values in panel:
            share = np.histogram(values, edges)[0] / len(values)
            style = model_style(cell.model)
            axis.stairs(
                100 * share,
                edges,
                color=style["color"],
                linestyle=style["linestyle"],
                linewidth=1.2,
                label=f"{cell.row}, mean {fmean(values):.3f}",
            )
            axis.axvline(fmean(values), color=style["color"], linestyle=":", linewidth=0.8)
            points += [
                {"row": cell.row, "column": column, "from": float(a), "to": float(b), "share": float(p)}
                for a, b, p in zip(edges, edges[1:], share, strict=False)
            ]
        axis.set(title=column, xlabel="spikes per neuron and step", ylabel="hidden neurons (%)", xlim=(0, top))
        axis.legend()
    return figure, points


def _hidden_rates(cell: PlottedCell) -> list[float]:
    """Rates of the first hidden layer's neurons, of all seeds."""
    cell.first_series("layer", "rate")
    return [
        rate
        for columns in cell.series
        for layer, rate in zip(columns["layer"], columns["rate"], strict=True)
        if layer == 1
    ]


def embeddings(table: Table, cells: list[PlottedCell]) -> tuple[Figure, Points]:
    """t-SNE of the last hidden layer, a panel a model (roles Figure 6).

    The classes are named at their medians, and the silhouette stands above the panel.
    """
    silhouettes = {(cell.row, cell.task.name): cell for cell in cells if "silhouette" in cell.series[0]}
    maps = [cell for cell in cells if "x" in cell.series[0]]
    figure, axes = wrapped_panels(len(maps), 3, width=2.3, height=2.4)
    points: Points = [
        {"row": cell.row, "column": cell.column, "silhouette": float(cell.finding.value or 0)}
        for cell in silhouettes.values()
    ]
    for axis, cell in zip(axes, maps, strict=True):
        columns = cell.first_series("x", "y", "class")
        _plot_map(axis, columns)
        title = [cell.row, cell.task.title]
        if silhouette := silhouettes.get((cell.row, cell.task.name)):
            title.append(f"silhouette {silhouette.finding.value:.3f}")
        axis.set_title("\n".join(title))
        points += [
            {"row": cell.row, "column": cell.column, "x": a, "y": b, "class": int(k)}
            for a, b, k in zip(columns["x"], columns["y"], columns["class"], strict=True)
        ]
    return figure, points


def _plot_map(axis: Any, columns: dict[str, list[float]]) -> None:
    """Samples as dots in their class's colour, and the class's name at the median of its samples."""
    axis.axis("off")
    x, y, classes = (np.array(columns[name]) for name in ("x", "y", "class"))
    for k in np.unique(classes):
        samples = classes == k
        axis.scatter(x[samples], y[samples], s=2, color=COLOURS[int(k) % len(COLOURS)], linewidths=0, rasterized=True)
    for k in np.unique(classes):
        samples = classes == k
        axis.text(
            float(np.median(x[samples])),
            float(np.median(y[samples])),
            f"{k:.0f}",
            ha="center",
            va="center",
            fontsize=7,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
        )


def attacks(table: Table, cells: list[PlottedCell]) -> tuple[Figure, Points]:
    """Share of flipped input entries that fools a model: mean and interval as in the tables, and a box from the first
    to the third quartile of all samples (roles Figure 8).

    The share of samples that was fooled stands below the model's name.
    """
    fooled = {(cell.row, cell.task.name): cell.finding.value for cell in cells if cell.finding.cell.unit == "%"}
    flips = [cell for cell in cells if "flipped" in cell.series[0]]
    points: Points = [{"row": cell.row, "column": cell.column, "value": cell.finding.value} for cell in cells]
    tasks = list(dict.fromkeys(cell.task.title for cell in cells))
    figure, axes = wrapped_panels(len(tasks), 2, width=3.9, height=0.6 + 0.32 * len(table.rows))
    for axis, title in zip(axes, tasks, strict=True):
        panel = [cell for cell in flips if cell.task.title == title]
        labels = []
        for place, cell in enumerate(panel):
            share = fooled.get((cell.row, cell.task.name))
            labels.append(cell.row if share is None else f"{cell.row}\n({share:.1f} % fooled)")
            numbers = _flip_numbers(cell)
            if numbers:
                _plot_flips(axis, place, numbers, model_style(cell.model))
                points.append({"row": cell.row, "column": cell.column, **numbers})
        axis.set(
            title=title,
            xlabel="flipped input entries (%)\nmean ± 95 % as tabled,\nbox: quartiles of samples",
            xlim=(0, None),
        )
        axis.set(yticks=range(len(panel)), yticklabels=labels)
        axis.invert_yaxis()
    return figure, points


def _flip_numbers(cell: PlottedCell) -> dict[str, float]:
    """Flipped entries in %: mean, half interval, quartiles and number of samples; empty for less than two samples."""
    measure = cell.finding.cell.measure
    value = cell.finding.value
    assert measure is not None and value is not None
    samples = [100 * share for columns in cell.series for share in series.repeats(columns, measure)]
    if len(samples) < 2:
        return {}
    low = cell.finding.low
    high = cell.finding.high
    quartile_1, median, quartile_3 = (float(q) for q in np.quantile(samples, (0.25, 0.5, 0.75)))
    return {
        "mean": 100 * value,
        "ci_half": 0.0 if low is None or high is None else 50 * (high - low),
        "quartile_1": quartile_1,
        "median": median,
        "quartile_3": quartile_3,
        "samples": len(samples),
    }


def _plot_flips(axis: Any, place: int, numbers: dict[str, float], style: dict[str, Any]) -> None:
    color = style["color"]
    width = numbers["quartile_3"] - numbers["quartile_1"]
    axis.barh(place, width, left=numbers["quartile_1"], height=0.5, color=color, alpha=0.25, linewidth=0)
    axis.plot([numbers["median"]] * 2, [place - 0.25, place + 0.25], color=color, linewidth=0.8)
    axis.errorbar(numbers["mean"], place, xerr=numbers["ci_half"], fmt=style["marker"], color=color, capsize=2)
