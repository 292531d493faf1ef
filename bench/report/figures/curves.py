"""Learning curves: test value over epochs or iterations, one line a model, the band being the seeds' range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bench.report.figures import Shown
from bench.report.figures.landscapes import Points, points_of, rise_of, surface
from bench.report.figures.style import look, panels, spread
from bench.spec.table import Table
from bench.spec.task import Task


def baseline(task: Task) -> float | None:
    """Loss of a network that remembers nothing: 1/6 in the adding problem (it says 1), 10 ln 8 / (T + 20) in copy
    memory.
    """
    if task.data == "adding":
        return 1 / 6
    if task.data == "copy-memory":
        return 10 * math.log(8) / (task.data_settings["delay"] + 20)
    return None


def line(axis: Any, table: Table, cell: Shown, x: str, y: str, marker: bool = True) -> None:
    """One model's curve: mean over seeds that were trained equally long, and their range."""
    cell.first(x, y)
    length = min(len(s[x]) for s in cell.series)
    values = np.array([s[y][:length] for s in cell.series])
    style = look(table.rows, cell.row) | ({} if marker else {"marker": ""})
    axis.plot(cell.series[0][x][:length], values.mean(0), label=cell.row, markevery=max(1, length // 8), **style)
    if len(values) > 1:
        axis.fill_between(
            cell.series[0][x][:length], values.min(0), values.max(0), color=style["color"], alpha=0.2, linewidth=0
        )


def losses(table: Table, shown: list[Shown]) -> tuple[Figure, Points]:
    """Test loss over iterations, a panel a column, the baseline dashed (celif Figure 5)."""
    columns = [c for c in table.columns if any(s.column == c for s in shown)]
    figure, places = spread(len(columns), 2, width=2.9, height=1.9)
    points: Points = []
    named: dict[str, Any] = {}
    for axis, column in zip(places, columns, strict=True):
        inside = [s for s in shown if s.column == column]
        for cell in inside:
            line(axis, table, cell, "step", "test_loss")
            points += cell.points("step", "test_loss")
        level = baseline(inside[0].task)
        if level is not None:
            axis.axhline(
                level, color="#666666", linewidth=0.9, linestyle=(0, (2, 2)), label="baseline:\nremembers nothing"
            )
            points.append({"row": "baseline", "column": column, "test_loss": level})
        axis.set(title=column, xlabel="iterations", ylim=(0, None))
        axis.set_ylabel("MSE" if inside[0].task.data == "adding" else "cross-entropy (nats)")
        named |= {label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside right center")
    return figure, points


def curves_and_landscapes(table: Table, shown: list[Shown]) -> tuple[Figure, Points]:
    """Test accuracy over epochs, then each model's loss landscape as a surface of one height, two panels a line (celif
    Figure 4).
    """
    curves = [s for s in shown if "test_accuracy" in s.series[0]]
    surfaces = [s for s in shown if "grid" in s.series[0]]
    count = max(1, bool(curves) + len(surfaces))
    down, across = math.ceil(count / 2), min(2, count)
    figure, _ = panels(down, across, width=3.2, height=2.5)
    figure.clear()
    points: Points = []
    if curves:
        axis = figure.add_subplot(down, across, 1)
        for cell in curves:
            line(axis, table, cell, "epoch", "test_accuracy")
            points += cell.points("epoch", "test_accuracy")
        axis.set(xlabel="epochs", ylabel="test accuracy (%)", title="Learning curves")
        axis.legend()
    top = max((float(rise_of(s)[1].max()) for s in surfaces), default=1.0)
    for place, cell in enumerate(surfaces, start=1 + bool(curves)):
        surface(figure, (down, across, place), cell, top if top > 0 else 1.0)
        points += points_of(cell)
    return figure, points
