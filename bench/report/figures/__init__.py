"""Figures: a picture and the data drawn in it, from the ledger and the stored series alone. No torch; matplotlib is
loaded only to draw.

A figure is a ``Table`` whose ``draw`` names "module:function" of this package. ``function(table, cells)`` gets the
measured cells and returns the matplotlib figure and the points drawn in it. Each point has the ``row`` and the
``column`` of its cell. ``published`` draws figures of all tables together.
"""

from __future__ import annotations

import csv
import io
from importlib import import_module
from pathlib import Path
from typing import Any

from bench import paths
from bench.report.figures.cells import PlottedCell, is_drawn, plotted_cells
from bench.report.figures.trainings import caption, trained_equally
from bench.report.verdict import Finding
from bench.spec.table import Table

PICTURES = ("svg", "png", "pdf")
Contents = dict[Path, str | bytes | None]


def to_csv(points: list[dict[str, Any]]) -> str:
    """The points, with numbers to 6 digits; a column that a point does not have stays empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(name for point in points for name in point)), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in point.items()} for point in points)
    return out.getvalue()


def places(name: str) -> dict[str, Path]:
    """File ending -> file of the figure ``name``."""
    return {ending: paths.results() / "figures" / f"{name}.{ending}" for ending in ("csv", *PICTURES)}


def files(table: Table, findings: list[Finding]) -> Contents:
    """Content of ``results/figures/<table>.{csv,svg,png,pdf}``, the same for the same data; ``None`` (no file) while
    nothing is measured.
    """
    files_of = places(table.id)
    measured = plotted_cells(table, findings)
    if not measured:
        return dict.fromkeys(files_of.values())
    cells, unequal = trained_equally(measured)
    from bench.report.figures import style  # loads matplotlib

    module, function = table.draw.split(":")
    with style.figure_settings():
        module = module if "." in module else f"bench.report.figures.{module}"
        picture, points = getattr(import_module(module), function)(table, cells)
        style.finish(picture, f"{table.id}: {table.title}", caption(findings, cells, unequal))
        contents = style.contents(picture, table.id, PICTURES)
    return {files_of["csv"]: to_csv(points), **{files_of[ending]: content for ending, content in contents.items()}}


__all__ = ["PICTURES", "Contents", "PlottedCell", "caption", "files", "is_drawn", "places", "plotted_cells", "to_csv"]
