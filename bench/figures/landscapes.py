"""Loss landscapes: filled contours, a panel a model and a line of panels a task, one scale of colour for all."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from bench.figures import Shown
from bench.figures.style import SEQUENTIAL, panels
from bench.table import Table


def grid_of(cell: Shown) -> tuple[np.ndarray, np.ndarray]:
    """Points along a side and the loss over the grid, ``[y, x]``, of the first seed."""
    columns = cell.first("grid", "x", "y", "loss")
    points = [(x, y, loss) for on, x, y, loss in zip(columns["grid"], columns["x"], columns["y"], columns["loss"], strict=True) if on]
    side = sorted({x for x, _, _ in points})
    at = {x: i for i, x in enumerate(side)}
    values = np.full((len(side), len(side)), np.nan)
    for x, y, loss in points:
        values[at[y], at[x]] = loss
    return np.array(side), values


def draw(table: Table, shown: list[Shown]) -> tuple[Figure, dict[str, list]]:
    """Contours of the loss minus that at the centre, levels shared by all panels (logarithmic: landscapes differ in size)."""
    columns = list(dict.fromkeys(s.column for s in shown))
    across = max(sum(s.column == c for s in shown) for c in columns)
    figure, axes = panels(len(columns), across, width=2.2, height=2.5, sharex=True, sharey=True)
    for axis in (a for line in axes for a in line):
        axis.axis("off")
    data: dict[str, list[Any]] = {name: [] for name in ("row", "column", "x", "y", "loss", "increase")}
    found = {(s.row, s.column): grid_of(s) for s in shown}
    rises = {place: values - values[len(side) // 2, len(side) // 2] for place, (side, values) in found.items()}
    top = max(float(rise.max()) for rise in rises.values())
    levels = [0.0, *np.geomspace((top if top > 0 else 1.0) / 100, top if top > 0 else 1.0, 13)]
    norm = BoundaryNorm(levels, 256)
    for line, column in zip(axes, columns, strict=True):
        for axis, cell in zip(line, (s for s in shown if s.column == column), strict=False):
            (side, values), rise = found[cell.row, column], rises[cell.row, column]
            axis.axis("on")
            filled = axis.contourf(side, side, np.maximum(rise, 0.0), levels=levels, cmap=SEQUENTIAL, norm=norm, extend="max")
            axis.contour(side, side, rise, levels=levels[1::2], colors="white", linewidths=0.4)
            axis.plot(0, 0, "+", color="white", markersize=6)
            axis.set(
                title=f"{cell.row}, {column}\nmean rise {cell.finding.value:.3g}", aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1)
            )
            axis.set(xlabel="along direction 1", ylabel="along direction 2" if axis is line[0] else "")
            for i, y in enumerate(side):
                for j, x in enumerate(side):
                    for name, value in zip(data, (cell.row, column, x, y, values[i, j], rise[i, j]), strict=True):
                        data[name].append(value if isinstance(value, str) else float(value))
    bar = figure.colorbar(filled, ax=[a for line in axes for a in line], ticks=levels[1::4], format="%.2g", shrink=0.9)
    bar.set_label("training loss above that of the trained weights (+)")
    return figure, data
