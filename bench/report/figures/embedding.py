"""Figures of the celif paper about one neuron and its embedding: variables over time, gradients, similarity of the
columns of TE.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from bench.report.figures import Shown
from bench.report.figures.curves import line
from bench.report.figures.landscapes import Points
from bench.report.figures.style import COLOURS, SEQUENTIAL, panels
from bench.spec.table import Table

THRESHOLDS = ("theta", "threshold")
POTENTIALS = ("v", "u")


def traces(table: Table, shown: list[Shown]) -> tuple[Figure, Points]:
    """Potential, threshold and spikes of two neurons, a column of panels a model (celif Figure 2)."""
    figure, axes = panels(2, len(shown), width=4.2, height=1.7, sharex=True)
    points: Points = []
    for place, cell in enumerate(shown):
        columns = cell.first("neuron", "t", "spike")
        states = [name for name in columns if name in POTENTIALS + THRESHOLDS]
        for axis, neuron in zip((both[place] for both in axes), dict.fromkeys(columns["neuron"]), strict=False):
            mine = [i for i, n in enumerate(columns["neuron"]) if n == neuron]
            t = [columns["t"][i] for i in mine]
            for name in states:
                threshold = name in THRESHOLDS
                values = [columns[name][i] for i in mine]
                label = r"threshold $\Theta$" if threshold else "potential $V$"
                axis.plot(
                    t,
                    values,
                    color=COLOURS[2 if threshold else 1],
                    linestyle="--" if threshold else "-",
                    linewidth=1 if threshold else 0.7,
                    label=label,
                )
            spikes = [columns["t"][i] for i in mine if columns["spike"][i]]
            axis.plot(
                spikes,
                [0.04] * len(spikes),
                "|",
                color=COLOURS[0],
                markersize=5,
                transform=axis.get_xaxis_transform(),
                label="spike $S$",
            )
            axis.set(ylabel=f"neuron {neuron:.0f} (unitless)")
            points += [
                {
                    "row": cell.row,
                    "column": cell.column,
                    **{n: columns[n][i] for n in ("neuron", "t", "spike", *states)},
                }
                for i in mine
            ]
        axes[0][place].set_title(cell.row)
        axes[1][place].set_xlabel("time step")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
    return figure, points


def reach(table: Table, shown: list[Shown]) -> tuple[Figure, Points]:
    """Each step's share of the gradient, logarithmic, and where the digits are shown, a panel a column (celif Figure
    6).
    """
    columns = [c for c in table.columns if any(s.column == c for s in shown)]
    figure, (axes,) = panels(1, len(columns), width=5.0 if len(columns) == 1 else 3.6, height=2.6)
    points: Points = []
    for axis, column in zip(axes, columns, strict=True):
        for cell in (s for s in shown if s.column == column):
            line(axis, table, cell, "t", "share")
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


def similarity(table: Table, shown: list[Shown]) -> tuple[Figure, Points]:
    """Similarity between columns of TE before and after training: matrices above, means by lag below (celif Figure
    7).
    """
    matrices = [s for s in shown if "i" in s.series[0]]
    lags = [s for s in shown if "lag" in s.series[0]]
    figure, _ = panels(1 + len(matrices), 2, width=2.9, height=2.3)
    figure.clear()
    grid = figure.add_gridspec(len(matrices) + len(lags), 2)
    points: Points = []
    for place, cell in enumerate(matrices):
        columns = cell.first("i", "j", "before", "after")
        size, block = int(max(columns["j"])) + 1, cell.finding.cell.measure.settings["block"]  # type: ignore[union-attr]
        for side, name in enumerate(("before", "after")):
            axis = figure.add_subplot(grid[place, side])
            matrix = np.zeros((size, size))
            for i, j, value in zip(columns["i"], columns["j"], columns[name], strict=True):
                matrix[int(i), int(j)] = matrix[int(j), int(i)] = value
            edge = size * block
            image = axis.imshow(
                matrix, cmap=SEQUENTIAL, vmin=0, vmax=1, extent=(0, edge, edge, 0), interpolation="nearest"
            )
            axis.set(title=f"{cell.row}, {name} training", xlabel="time step", ylabel="time step")
            figure.colorbar(image, ax=axis, shrink=0.8, label="cosine similarity")
        points += cell.points("i", "j", "before", "after")
    for place, cell in enumerate(lags, start=len(matrices)):
        columns = cell.first("lag", "before", "after")
        axis = figure.add_subplot(grid[place, :])
        for lag in range(28, len(columns["lag"]), 28):
            axis.axvline(lag, color="#cccccc", linewidth=0.4, zorder=0)
        short = len(columns["lag"]) - 28  # the longest lags are means of few pairs
        axis.plot(
            columns["lag"][:short], columns["before"][:short], color=COLOURS[0], linestyle="--", label="before training"
        )
        axis.plot(columns["lag"][:short], columns["after"][:short], color=COLOURS[1], label="after training")
        axis.set(
            xlabel="lag between time steps (lines: multiples of 28, one row of the image)",
            ylabel="mean cosine similarity",
        )
        axis.set_title(f"{cell.row}: {cell.finding.value:.3f} more at lags 28k than at 28k + 14")
        axis.legend()
        points += cell.points("lag", "before", "after")
    return figure, points
