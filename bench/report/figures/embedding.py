"""Figures of the celif paper about one neuron and its embedding: its variables, its gradients, the columns of TE."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bench.report.figures import PlottedCell
from bench.report.figures.curves import plot_curve
from bench.report.figures.landscapes import Points
from bench.report.figures.style import COLOURS, SEQUENTIAL, panels
from bench.spec.table import Table

THRESHOLDS = ("theta", "threshold")
POTENTIALS = ("v", "u")
IMAGE_ROW = 28  # time steps


def traces(table: Table, cells: list[PlottedCell]) -> tuple[Figure, Points]:
    """Potential, threshold and spikes of two neurons, a column of panels a model (celif Figure 2)."""
    figure, axes = panels(2, len(cells), width=4.2, height=1.7, sharex=True)
    points: Points = []
    for place, cell in enumerate(cells):
        columns = cell.first_series("neuron", "t", "spike")
        states = [name for name in columns if name in POTENTIALS + THRESHOLDS]
        neurons = dict.fromkeys(columns["neuron"])
        for axis, neuron in zip((row[place] for row in axes), neurons, strict=False):
            steps = [i for i, n in enumerate(columns["neuron"]) if n == neuron]
            trace = {name: [columns[name][i] for i in steps] for name in ("neuron", "t", "spike", *states)}
            _plot_trace(axis, trace, states)
            axis.set(ylabel=f"neuron {neuron:.0f} (unitless)")
            points += [
                {"row": cell.row, "column": cell.column, **dict(zip(trace, values, strict=True))}
                for values in zip(*trace.values(), strict=True)
            ]
        axes[0][place].set_title(cell.row)
        axes[1][place].set_xlabel("time step")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
    return figure, points


def _plot_trace(axis: Any, trace: dict[str, list[float]], states: list[str]) -> None:
    """The ``states`` of one neuron as lines and its spikes as ticks below them."""
    for name in states:
        threshold = name in THRESHOLDS
        axis.plot(
            trace["t"],
            trace[name],
            color=COLOURS[2 if threshold else 1],
            linestyle="--" if threshold else "-",
            linewidth=1 if threshold else 0.7,
            label=r"threshold $\Theta$" if threshold else "potential $V$",
        )
    spikes = [t for t, spike in zip(trace["t"], trace["spike"], strict=True) if spike]
    axis.plot(
        spikes,
        [0.04] * len(spikes),
        "|",
        color=COLOURS[0],
        markersize=5,
        transform=axis.get_xaxis_transform(),
        label="spike $S$",
    )


def reach(table: Table, cells: list[PlottedCell]) -> tuple[Figure, Points]:
    """Each step's share of the gradient, logarithmic, and the steps that show the digits; a panel a column (celif
    Figure 6).
    """
    columns = [column for column in table.columns if any(cell.column == column for cell in cells)]
    figure, (axes,) = panels(1, len(columns), width=5.0 if len(columns) == 1 else 3.6, height=2.6)
    points: Points = []
    for axis, column in zip(axes, columns, strict=True):
        for cell in (cell for cell in cells if cell.column == column):
            plot_curve(axis, cell, "t", "share")
            axis.lines[-1].set_label(f"{cell.row}: {100 * (cell.finding.value or 0):.2g} % on t < 10")
            points += cell.points("t", "share")
        axis.axvspan(0, 10, color="#999999", alpha=0.25, linewidth=0)
        axis.set(
            yscale="log",
            title=column,
            xlabel="time step (grey: the digits to remember)",
            ylabel="share of |dL/dS| of the last hidden layer",
        )
        axis.legend()
    return figure, points


def similarity(table: Table, cells: list[PlottedCell]) -> tuple[Figure, Points]:
    """Similarity between the columns of TE before and after training: matrices above, means by lag below (celif
    Figure 7).
    """
    matrices = [cell for cell in cells if "i" in cell.series[0]]
    lags = [cell for cell in cells if "lag" in cell.series[0]]
    figure, _ = panels(1 + len(matrices), 2, width=2.9, height=2.3)
    figure.clear()
    grid = figure.add_gridspec(len(matrices) + len(lags), 2)
    points: Points = []
    for place, cell in enumerate(matrices):
        for side, name in enumerate(("before", "after")):
            _plot_matrix(figure, grid[place, side], cell, name)
        points += cell.points("i", "j", "before", "after")
    for place, cell in enumerate(lags, start=len(matrices)):
        _plot_lags(figure.add_subplot(grid[place, :]), cell)
        points += cell.points("lag", "before", "after")
    return figure, points


def _plot_matrix(figure: Figure, place: Any, cell: PlottedCell, name: str) -> None:
    """The similarity of each two columns of TE, ``name`` ("before" or "after") training."""
    columns = cell.first_series("i", "j", "before", "after")
    measure = cell.finding.cell.measure
    assert measure is not None
    size = int(max(columns["j"])) + 1
    matrix = np.zeros((size, size))
    for i, j, value in zip(columns["i"], columns["j"], columns[name], strict=True):
        matrix[int(i), int(j)] = value
        matrix[int(j), int(i)] = value
    steps = size * measure.settings["block"]
    axis = figure.add_subplot(place)
    image = axis.imshow(matrix, cmap=SEQUENTIAL, vmin=0, vmax=1, extent=(0, steps, steps, 0), interpolation="nearest")
    axis.set(title=f"{cell.row}, {name} training", xlabel="time step", ylabel="time step")
    figure.colorbar(image, ax=axis, shrink=0.8, label="cosine similarity")


def _plot_lags(axis: Any, cell: PlottedCell) -> None:
    """The mean similarity by lag, before and after training."""
    columns = cell.first_series("lag", "before", "after")
    for lag in range(IMAGE_ROW, len(columns["lag"]), IMAGE_ROW):
        axis.axvline(lag, color="#cccccc", linewidth=0.4, zorder=0)
    length = len(columns["lag"]) - IMAGE_ROW  # the longest lags are means of few pairs
    lags = columns["lag"][:length]
    axis.plot(lags, columns["before"][:length], color=COLOURS[0], linestyle="--", label="before training")
    axis.plot(lags, columns["after"][:length], color=COLOURS[1], label="after training")
    axis.set(
        xlabel="lag between time steps (lines: multiples of 28, one row of the image)",
        ylabel="mean cosine similarity",
    )
    axis.set_title(f"{cell.row}: {cell.finding.value:.3f} more at lags 28k than at 28k + 14")
    axis.legend()
