"""Loss landscapes: a panel a model and a line of panels a task, as contours with one scale of colour for all or as
surfaces.
"""

from __future__ import annotations

import math
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from bench.report.figures import Shown
from bench.report.figures.style import SEQUENTIAL, panels
from bench.spec.table import Table

Points = list[dict[str, Any]]


def grid_of(cell: Shown) -> tuple[np.ndarray, np.ndarray]:
    """Points along a side and the loss over the grid, ``[y, x]``, of the first seed."""
    columns = cell.first("grid", "x", "y", "loss")
    points = [
        (x, y, loss)
        for on, x, y, loss in zip(columns["grid"], columns["x"], columns["y"], columns["loss"], strict=True)
        if on
    ]
    side = sorted({x for x, _, _ in points})
    at = {x: i for i, x in enumerate(side)}
    values = np.full((len(side), len(side)), np.nan)
    for x, y, loss in points:
        values[at[y], at[x]] = loss
    return np.array(side), values


def points_of(cell: Shown) -> Points:
    """The grid as it is drawn."""
    side, values = grid_of(cell)
    places = ((i, j) for i in range(len(side)) for j in range(len(side)))
    return [
        {"row": cell.row, "column": cell.column, "x": float(side[j]), "y": float(side[i]), "loss": float(values[i, j])}
        for i, j in places
    ]


def rise_of(cell: Shown) -> tuple[np.ndarray, np.ndarray]:
    """Points along a side and the loss above that of the trained weights."""
    side, values = grid_of(cell)
    return side, values - values[len(side) // 2, len(side) // 2]


def draw(table: Table, shown: list[Shown]) -> tuple[Figure, Points]:
    """Contours of the loss above that of the trained weights, logarithmic levels shared by all panels: landscapes
    differ in size.
    """
    columns = list(dict.fromkeys(s.column for s in shown))
    most = max(sum(s.column == c for s in shown) for c in columns)
    across = most if most <= 3 else math.ceil(most / 2)
    by_column = ([s for s in shown if s.column == c] for c in columns)
    lines = [cells[i : i + across] for cells in by_column for i in range(0, len(cells), across)]
    figure, axes = panels(len(lines), across, width=2.2, height=2.5, sharex=True, sharey=True)
    for axis in (a for line in axes for a in line):
        axis.axis("off")
    top = max(float(rise_of(s)[1].max()) for s in shown)
    top = top if top > 0 else 1.0
    levels = [
        0.0,
        *(float(f"{level:.4g}") for level in np.geomspace(top / 100, top, 13)),
    ]  # logarithms differ between CPUs in the last bit
    norm = BoundaryNorm(levels, 256)
    for line, cells in zip(axes, lines, strict=True):
        for axis, cell in zip(line, cells, strict=False):
            side, rise = rise_of(cell)
            axis.axis("on")
            filled = axis.contourf(
                side, side, np.maximum(rise, 0.0), levels=levels, cmap=SEQUENTIAL, norm=norm, extend="max"
            )
            axis.contour(side, side, rise, levels=levels[1::2], colors="white", linewidths=0.4)
            axis.plot(0, 0, "+", color="white", markersize=6)
            axis.set(
                title="\n".join([*wrap(cell.row, 26), cell.column, f"mean rise {cell.finding.value:.3g}"]),
                aspect="equal",
                xticks=(-1, 0, 1),
                yticks=(-1, 0, 1),
            )
            axis.set(xlabel="along direction 1", ylabel="along direction 2" if axis is line[0] else "")
    bar = figure.colorbar(filled, ax=[a for line in axes for a in line], ticks=levels[1::4], format="%.2g", shrink=0.9)
    bar.set_label("training loss above that at +")
    return figure, [point for s in shown for point in points_of(s)]


def surface(figure: Figure, place: tuple[int, int, int], cell: Shown, top: float) -> None:
    """One landscape as a surface, its height up to ``top``."""
    axis: Any = figure.add_subplot(*place, projection="3d")
    side, rise = rise_of(cell)
    x, y = np.meshgrid(side, side)
    axis.plot_surface(
        x, y, rise, cmap=SEQUENTIAL, vmin=0, vmax=top, linewidth=0.2, edgecolor="white", rstride=1, cstride=1
    )
    axis.set(
        title=f"{cell.row}\nmean rise {cell.finding.value:.3g}",
        zlim=(min(0.0, float(rise.min())), top),
        xticks=(-1, 0, 1),
        yticks=(-1, 0, 1),
    )
    axis.set(xlabel="direction 1", ylabel="direction 2", zlabel="rise of training loss")
    axis.tick_params(pad=-2)
    for scale in (axis.xaxis, axis.yaxis, axis.zaxis):
        scale.labelpad = -5  # no layout engine sees these labels: farther out they would be cut off
