"""Figures: a picture and the data drawn in it, from the ledger and the stored series alone. No torch; matplotlib is
loaded only to draw.

A figure is a ``Table`` whose ``draw`` names "module:function" of this package. ``function(table, cells)`` gets the
measured cells and returns the matplotlib figure and the points drawn in it. Each point has the ``row`` and the
``column`` of its cell.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from bench import paths
from bench.errors import BenchError
from bench.ledger import histories, series
from bench.report.verdict import SHOWN_BUDGETS, Finding
from bench.spec.experiment import Experiment
from bench.spec.model import Model
from bench.spec.table import Table
from bench.spec.task import BUDGETS, Task
from datamodules.sources import SOURCES

PICTURES = ("svg", "png")

# What the caption says about cells that are not in the picture, by status
ABSENT = {
    "data missing": "the data of {} of the figure's parts are not here",
    "": "{} of the figure's parts not measured yet",
}


@dataclass(frozen=True)
class PlottedCell:
    """A cell that is drawn: its finding, and one series (columns of equal length) a seed, in the order of
    ``finding.seeds``.
    """

    finding: Finding
    series: tuple[dict[str, list[float]], ...]

    @property
    def row(self) -> str:
        return self.finding.cell.row

    @property
    def column(self) -> str:
        return self.finding.cell.column

    @property
    def task(self) -> Task:
        assert self.finding.cell.task is not None
        return self.finding.cell.task

    @property
    def model(self) -> Model:
        assert self.finding.cell.model is not None
        return self.finding.cell.model

    def points(self, *names: str) -> list[dict[str, Any]]:
        """The columns ``names`` of every seed's series as points."""
        self.first_series(*names)
        return [
            {"row": self.row, "column": self.column, "seed": seed, **dict(zip(names, values, strict=True))}
            for seed, columns in zip(self.finding.seeds, self.series, strict=True)
            for values in zip(*(columns[name] for name in names), strict=True)
        ]

    def first_series(self, *names: str) -> dict[str, list[float]]:
        """The first seed's series. Raises ``BenchError`` if any seed's series lacks one of the columns ``names``."""
        for columns in self.series:
            if missing := [name for name in names if name not in columns]:
                raise BenchError(
                    f"the series of {self.row} / {self.column} has no column {', '.join(missing)}; "
                    f"it has {', '.join(columns)}"
                )
        return self.series[0]


def plotted_cells(table: Table, findings: list[Finding]) -> list[PlottedCell]:
    """The measured cells of ``findings`` with their series, and cells of curves whose experiments have a history.

    The series of a measure with ``history`` is the experiment's history. Raises ``BenchError`` with the path of every
    series that does not exist.
    """
    cells = []
    missing = []
    for finding in filter(None, map(_drawable, findings)):
        cell = finding.cell
        assert cell.task is not None and cell.model is not None and cell.measure is not None
        by_seed = []
        for seed in finding.seeds:
            experiment = Experiment(cell.task, cell.model, seed, finding.budget)
            if cell.measure.history:
                path = histories.path(experiment)
                columns = histories.read(experiment)
            else:
                path = series.path(experiment, cell.measure, finding.protocol)
                columns = series.read(experiment, cell.measure, finding.protocol)
            expected = cell.measure.history or (cell.measure.series and cell.measure.reader)
            if columns is None and expected:
                missing.append(str(path.relative_to(paths.results())))
            by_seed.append(columns or {})
        cells.append(PlottedCell(finding, tuple(by_seed)))
    if missing:
        raise BenchError(
            f"{table.id}: in the ledger, but without the series behind it: {', '.join(missing)} (in {paths.results()});"
            " take it back from git, or delete the line from the ledger and run again"
        )
    return cells


def is_drawn(findings: Iterable[Finding]) -> bool:
    """Whether there is a picture: any of ``findings`` can be drawn."""
    return any(_drawable(finding) is not None for finding in findings)


def _drawable(finding: Finding) -> Finding | None:
    """``finding`` if it is measured. A curve needs no value: then with budget and seeds of the histories there are."""
    cell = finding.cell
    if finding.status == "measured":
        return finding
    if cell.task is None or cell.model is None or cell.measure is None or not cell.measure.history:
        return None
    for budget in SHOWN_BUDGETS:
        if seeds := tuple(histories.seeds(cell.task, cell.model, budget)):
            data = Experiment(cell.task, cell.model, seeds[0], budget).config["data"]
            return replace(finding, seeds=seeds, n=len(seeds), budget=budget, protocol="last", data=data)
    return None


def caption(findings: list[Finding], cells: list[PlottedCell]) -> str:
    """Budget, data, seeds and protocol of the plotted ``cells``, and how many ``findings`` are not among them."""
    measured = [cell.finding for cell in cells]
    parts = [f"{budget} budget ({BUDGETS[budget]})" for budget in sorted({f.budget for f in measured})]
    parts += [_data_title(name) for name in dict.fromkeys(f.data for f in measured)]
    most = max(f.n for f in measured)
    least = min(f.n for f in measured)
    if most > least:
        parts.append(f"{least} to {most} seeds")
    else:
        parts.append(f"{most} seed{'s' if most > 1 else ''}")
    parts.append("weights: " + ", ".join(sorted({f.protocol for f in measured})))
    drawn = [cell.finding.cell for cell in cells]
    left = [f for f in findings if f.cell.runnable and f.cell not in drawn]
    absent = Counter(f.status if f.status in ABSENT else "" for f in left)
    return "; ".join([*parts, *(ABSENT[status].format(n) for status, n in absent.items())]) + "."


def _data_title(name: str) -> str:
    """Title of a data set, which says so if it is a subset or a stand-in."""
    source = SOURCES[name]
    return source.title if source.kind == "full" or source.kind in source.title else f"{source.kind}: {source.title}"


def to_csv(points: list[dict[str, Any]]) -> str:
    """The points, with numbers to 6 digits; a column that a point does not have stays empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(name for point in points for name in point)), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in point.items()} for point in points)
    return out.getvalue()


def files(table: Table, findings: list[Finding]) -> dict[Path, str | bytes | None]:
    """Content of ``results/figures/<table>.{csv,svg,png}``, the same for the same data; ``None`` (no file) while
    nothing is measured.
    """
    places = {ending: paths.results() / "figures" / f"{table.id}.{ending}" for ending in ("csv", *PICTURES)}
    cells = plotted_cells(table, findings)
    if not cells:
        return dict.fromkeys(places.values())
    from bench.report.figures import style  # loads matplotlib

    module, function = table.draw.split(":")
    with style.figure_settings():
        module = module if "." in module else f"bench.report.figures.{module}"
        picture, points = getattr(import_module(module), function)(table, cells)
        style.finish(picture, table, caption(findings, cells))
        contents = {ending: style.file_content(picture, ending, table.id) for ending in PICTURES}
    return {places["csv"]: to_csv(points), **{places[ending]: content for ending, content in contents.items()}}
