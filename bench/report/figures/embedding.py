"""Figures of the celif paper about one neuron and its embedding: its variables, its gradients, the columns of TE."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bench.report.figures.cells import PlottedCell
from bench.report.figures.curves import plot_curve
from bench.report.figures.landscapes import Points
from bench.report.figures.style import COLOURS, SEQUENTIAL, panels
from bench.spec.table import Table

TARGET = COLOURS[2]
OTHERS = "#aaaaaa"
IMAGE_ROW = 28  # time steps


def traces(table: Table, cells: list[PlottedCell]) -> tuple[Figure, Points]:
    """Image, contextual embedding, threshold and spikes of all output neurons, the target neuron in colour (celif
    Figure 2). The image is to the left of a model's three panels.
    """
    drawn = [cell for cell in cells if "embedding" in cell.series[0]]
    others = [cell for cell in cells if cell not in drawn]
    figure, _ = panels(3 * max(1, len(drawn)), 2, width=3.4, height=1.5)
    figure.clear()
    grid = figure.add_gridspec(3 * max(1, len(drawn)), 2, width_ratios=(1, 3.6))
    points = [_value_point(cell) for cell in others]
    for place, cell in enumerate(drawn):
        values = [_value_text(other) for other in others if other.row == cell.row]
        image = figure.add_subplot(grid[3 * place, 0])
        first = figure.add_subplot(grid[3 * place, 1])
        axes = [first, *(figure.add_subplot(grid[3 * place + i, 1], sharex=first) for i in (1, 2))]
        columns = cell.first_series("sample", "neuron", "target", "t", "pixel", "spike", "threshold", "embedding")
        points += _plot_image(image, cell, columns)
        points += _plot_neurons(axes, cell, columns)
        first.set_title("; ".join([cell.row, *values]))
    return figure, points


def _value_point(cell: PlottedCell) -> dict[str, Any]:
    return {"row": cell.row, "column": cell.column, "value": cell.finding.value}


def _value_text(cell: PlottedCell) -> str:
    """The name of the column of ``cell`` and its value."""
    measure = cell.finding.cell.measure
    assert measure is not None
    unit = f" {measure.unit}" if measure.unit else ""
    return f"{cell.column}: {cell.finding.value or 0:.{measure.digits}f}{unit}"


def _plot_image(axis: Any, cell: PlottedCell, columns: dict[str, list[float]]) -> Points:
    """The image as it is read: a square where the steps make one, else one line."""
    steps = int(max(columns["t"])) + 1
    pixels = columns["pixel"][:steps]
    side = math.isqrt(steps)
    shape = (side, side) if side * side == steps else (1, steps)
    axis.imshow(np.reshape(pixels, shape), cmap="gray_r", aspect="auto" if shape[0] == 1 else "equal")
    label = next(neuron for neuron, target in zip(columns["neuron"], columns["target"], strict=True) if target)
    axis.set(title=f"(a) test image {columns['sample'][0]:.0f}, class {label:.0f}", xticks=[], yticks=[])
    return [{"row": cell.row, "column": cell.column, "t": t, "pixel": pixel} for t, pixel in enumerate(pixels)]


def _plot_neurons(axes: list[Any], cell: PlottedCell, columns: dict[str, list[float]]) -> Points:
    """Embedding and threshold as lines, spikes as ticks, of one neuron after the other, the target neuron last."""
    names = ("neuron", "target", "t", "spike", "threshold", "embedding")
    rows = [dict(zip(names, values, strict=True)) for values in zip(*(columns[n] for n in names), strict=True)]
    target = next(row["neuron"] for row in rows if row["target"])
    neurons = list(dict.fromkeys(row["neuron"] for row in rows))
    for neuron in sorted(neurons, key=lambda number: number == target):
        own = [row for row in rows if row["neuron"] == neuron]
        colour = TARGET if neuron == target else OTHERS
        width = 1.0 if neuron == target else 0.5
        steps = [row["t"] for row in own]
        for axis, name in zip(axes, ("embedding", "threshold"), strict=False):
            axis.plot(steps, [row[name] for row in own], color=colour, linewidth=width)
        spikes = [row["t"] for row in own if row["spike"]]
        axes[2].plot(spikes, [neuron] * len(spikes), "|", color=colour, markersize=4, markeredgewidth=0.5)
    axes[0].plot([], [], color=TARGET, label="target neuron")
    axes[0].plot([], [], color=OTHERS, label="other output neurons")
    axes[0].legend(loc="upper right", ncols=2)
    axes[0].axhline(0, color="#000000", linewidth=0.4)
    axes[0].set_ylabel("(b) TE[t] V[t-1]")
    axes[1].set_ylabel(r"(c) threshold $\Theta$")
    axes[2].set(ylabel="(d) spikes, by neuron", yticks=neurons, xlabel="time step")
    axes[2].invert_yaxis()
    for axis in axes[:2]:
        axis.tick_params(labelbottom=False)
    return [{"row": cell.row, "column": cell.column, **row} for row in rows]


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
    """Similarity between the columns of TE before and after training: matrices above, then means by lag, then the
    scores of periods (celif Figure 7).
    """
    matrices = [cell for cell in cells if "i" in cell.series[0]]
    lags = [cell for cell in cells if "lag" in cell.series[0]]
    periods = [cell for cell in cells if "period" in cell.series[0]]
    figure, _ = panels(max(1, len(matrices) + len(lags) + len(periods)), 2, width=2.9, height=2.3)
    figure.clear()
    grid = figure.add_gridspec(max(1, len(matrices) + len(lags) + len(periods)), 2)
    points: Points = []
    for place, cell in enumerate(matrices):
        for column, name in enumerate(("before", "after")):
            _plot_matrix(figure, grid[place, column], cell, name)
        points += cell.points("i", "j", "before", "after")
    for place, cell in enumerate(lags, start=len(matrices)):
        values = [_value_text(other) for other in cells if not other.series[0] and other.row == cell.row]
        _plot_lags(figure.add_subplot(grid[place, :]), cell, values)
        points += cell.points("lag", "before", "after")
    for place, cell in enumerate(periods, start=len(matrices) + len(lags)):
        _plot_periods(figure.add_subplot(grid[place, :]), cell)
        points += cell.points("period", "before", "after")
    return figure, points + [_value_point(cell) for cell in cells if not cell.series[0]]


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


def _plot_lags(axis: Any, cell: PlottedCell, values: list[str]) -> None:
    """The mean similarity by lag, before and after training; ``values`` stand in the title."""
    columns = cell.first_series("lag", "before", "after")
    for lag in range(IMAGE_ROW, len(columns["lag"]), IMAGE_ROW):
        axis.axvline(lag, color="#cccccc", linewidth=0.4, zorder=0)
    length = len(columns["lag"]) - IMAGE_ROW  # the longest lags are means of few pairs
    _plot_before_and_after(axis, {name: column[:length] for name, column in columns.items()}, "lag")
    axis.set(
        xlabel="lag between time steps (lines: multiples of 28, one row of the image)",
        ylabel="mean cosine similarity",
    )
    axis.set_title("; ".join([cell.row, *values]))


def _plot_periods(axis: Any, cell: PlottedCell) -> None:
    """The score of each period, before and after training."""
    columns = cell.first_series("period", "before", "after")
    axis.axvline(IMAGE_ROW, color="#cccccc", linewidth=0.4, zorder=0)
    axis.axhline(0, color="#000000", linewidth=0.4, zorder=0)
    _plot_before_and_after(axis, columns, "period")
    axis.set(
        xlabel="period (time steps; line: 28, one row of the image)",
        ylabel="similarity score",
        xticks=columns["period"][::2],
    )
    axis.yaxis.labelpad = 7
    axis.set_title(f"{cell.row}: largest score at a period of {cell.finding.value:.0f} steps")


def _plot_before_and_after(axis: Any, columns: dict[str, list[float]], x: str) -> None:
    axis.plot(columns[x], columns["before"], color=COLOURS[0], linestyle="--", label="before training")
    axis.plot(columns[x], columns["after"], color=COLOURS[1], label="after training")
    axis.legend()
