"""Loss landscapes, a panel a model and a row of panels a task: as contours with one scale of colour, or as surfaces."""

from __future__ import annotations

import math
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from bench.report.figures.cells import PlottedCell
from bench.report.figures.style import SEQUENTIAL, panels
from bench.spec.table import Table

Points = list[dict[str, Any]]


def loss_grid(cell: PlottedCell) -> tuple[np.ndarray, np.ndarray]:
    """Points along a side and the loss over the grid, ``[y, x]``, of the first seed."""
    columns = cell.first_series("grid", "x", "y", "loss")
    points = [
        (x, y, loss)
        for on_grid, x, y, loss in zip(columns["grid"], columns["x"], columns["y"], columns["loss"], strict=True)
        if on_grid
    ]
    side = sorted({x for x, _, _ in points})
    index = {x: i for i, x in enumerate(side)}
    values = np.full((len(side), len(side)), np.nan)
    for x, y, loss in points:
        values[index[y], index[x]] = loss
    return np.array(side), values


def grid_points(cell: PlottedCell) -> Points:
    """The grid as points of the figure's data."""
    side, values = loss_grid(cell)
    places = ((i, j) for i in range(len(side)) for j in range(len(side)))
    return [
        {"row": cell.row, "column": cell.column, "x": float(side[j]), "y": float(side[i]), "loss": float(values[i, j])}
        for i, j in places
    ]


def loss_rise(cell: PlottedCell) -> tuple[np.ndarray, np.ndarray]:
    """Points along a side and the loss above that of the trained weights, ``[y, x]``."""
    side, values = loss_grid(cell)
    return side, values - values[len(side) // 2, len(side) // 2]


def draw(table: Table, cells: list[PlottedCell]) -> tuple[Figure, Points]:
    """Contours of the loss above that of the trained weights. All panels share logarithmic levels, because landscapes
    differ in size.
    """
    columns = list(dict.fromkeys(cell.column for cell in cells))
    most = max(sum(cell.column == column for cell in cells) for column in columns)
    width = most if most <= 3 else math.ceil(most / 2)
    by_column = ([cell for cell in cells if cell.column == column] for column in columns)
    rows = [panel[i : i + width] for panel in by_column for i in range(0, len(panel), width)]
    figure, axes = panels(len(rows), width, width=2.2, height=2.5, sharex=True, sharey=True)
    for axis in (axis for row in axes for axis in row):
        axis.axis("off")
    top = max(float(loss_rise(cell)[1].max()) for cell in cells)
    top = top if top > 0 else 1.0
    # rounded: logarithms differ between CPUs in the last bit
    levels = [0.0, *(float(f"{level:.4g}") for level in np.geomspace(top / 100, top, 13))]
    norm = BoundaryNorm(levels, 256)
    for row, panel in zip(axes, rows, strict=True):
        for axis, cell in zip(row, panel, strict=False):
            filled = _plot_contours(axis, cell, levels, norm)
            axis.set(xlabel="along direction 1", ylabel="along direction 2" if axis is row[0] else "")
    bar = figure.colorbar(
        filled, ax=[axis for row in axes for axis in row], ticks=levels[1::4], format="%.2g", shrink=0.9
    )
    bar.set_label("training loss above that at +")
    return figure, [point for cell in cells for point in grid_points(cell)]


def _plot_contours(axis: Any, cell: PlottedCell, levels: list[float], norm: BoundaryNorm) -> Any:
    side, rise = loss_rise(cell)
    axis.axis("on")
    filled = axis.contourf(side, side, np.maximum(rise, 0.0), levels=levels, cmap=SEQUENTIAL, norm=norm, extend="max")
    axis.contour(side, side, rise, levels=levels[1::2], colors="white", linewidths=0.4)
    axis.plot(0, 0, "+", color="white", markersize=6)
    axis.set(
        title="\n".join([*wrap(cell.row, 26), cell.column, f"mean rise {cell.finding.value:.3g}"]),
        aspect="equal",
        xticks=(-1, 0, 1),
        yticks=(-1, 0, 1),
    )
    return filled


def plot_surface(figure: Figure, place: tuple[int, int, int], cell: PlottedCell, top: float) -> None:
    """One landscape as a surface on axes up to the height ``top``; ``place`` is rows, columns and number."""
    axis: Any = figure.add_subplot(*place, projection="3d")
    side, rise = loss_rise(cell)
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
