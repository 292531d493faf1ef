"""Learning curves: test value over epochs or iterations, a line a model; a band is the range of the seeds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bench.report.figures.cells import PlottedCell
from bench.report.figures.landscapes import Points, grid_points, loss_rise, plot_surface
from bench.report.figures.model_styles import model_style
from bench.report.figures.style import panels, wrapped_panels
from bench.spec.table import Table
from bench.spec.task import Task


def loss_without_memory(task: Task) -> float | None:
    """Test loss of a network that remembers nothing; ``None`` for a task that needs no memory.

    It is 1/6 in the adding problem (the network says 1) and 10 ln 8 / (T + 20) in copy memory.
    """
    if task.data == "adding":
        return 1 / 6
    if task.data == "copy-memory":
        return 10 * math.log(8) / (task.data_settings["delay"] + 20)
    return None


def plot_curve(axis: Any, cell: PlottedCell, x: str, y: str) -> None:
    """One model's curve: the mean over seeds, as far as all of them were trained, and their range."""
    cell.first_series(x, y)
    length = min(len(columns[x]) for columns in cell.series)
    places = cell.series[0][x][:length]
    values = np.array([columns[y][:length] for columns in cell.series])
    style = model_style(cell.model)
    axis.plot(places, values.mean(0), label=cell.row, markevery=max(1, length // 8), **style)
    if len(values) > 1:
        axis.fill_between(places, values.min(0), values.max(0), color=style["color"], alpha=0.2, linewidth=0)


def losses(table: Table, cells: list[PlottedCell]) -> tuple[Figure, Points]:
    """Test loss over iterations, a panel a column, with the loss without memory dashed (celif Figure 5)."""
    columns = [column for column in table.columns if any(cell.column == column for cell in cells)]
    figure, axes = wrapped_panels(len(columns), 2, width=2.9, height=1.9)
    points: Points = []
    legend: dict[str, Any] = {}
    for axis, column in zip(axes, columns, strict=True):
        panel = [cell for cell in cells if cell.column == column]
        for cell in panel:
            plot_curve(axis, cell, "step", "test_loss")
            points += cell.points("step", "test_loss")
        level = loss_without_memory(panel[0].task)
        if level is not None:
            axis.axhline(
                level, color="#666666", linewidth=0.9, linestyle=(0, (2, 2)), label="baseline:\nremembers nothing"
            )
            points.append({"row": "baseline", "column": column, "test_loss": level})
        axis.set(title=column, xlabel="iterations", ylim=(0, None))
        axis.set_ylabel("MSE" if panel[0].task.data == "adding" else "cross-entropy (nats)")
        legend |= {label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(legend.values(), legend.keys(), loc="outside right center")
    return figure, points


def curves_and_landscapes(table: Table, cells: list[PlottedCell]) -> tuple[Figure, Points]:
    """Test accuracy over epochs, then each model's loss landscape as a surface, two panels a row (celif Figure 4).

    All surfaces have one scale of height.
    """
    curves = [cell for cell in cells if "test_accuracy" in cell.series[0]]
    landscapes = [cell for cell in cells if "grid" in cell.series[0]]
    count = max(1, bool(curves) + len(landscapes))
    rows = math.ceil(count / 2)
    columns = min(2, count)
    figure, _ = panels(rows, columns, width=3.2, height=2.5)
    figure.clear()
    points: Points = []
    if curves:
        axis = figure.add_subplot(rows, columns, 1)
        for cell in curves:
            plot_curve(axis, cell, "epoch", "test_accuracy")
            points += cell.points("epoch", "test_accuracy")
        axis.set(xlabel="epochs", ylabel="test accuracy (%)", title="Learning curves")
        axis.legend()
    top = max((float(loss_rise(cell)[1].max()) for cell in landscapes), default=1.0)
    for place, cell in enumerate(landscapes, start=1 + bool(curves)):
        plot_surface(figure, (rows, columns, place), cell, top if top > 0 else 1.0)
        points += grid_points(cell)
    return figure, points
