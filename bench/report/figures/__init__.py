"""Figures: a picture and the data drawn in it, from the ledger and the stored series alone. No torch; matplotlib only
to draw.

A figure is a ``Table`` whose ``draw`` names "module:function" of this package: ``function(table, shown) -> (picture,
points)`` gets what is measured and gives the matplotlib figure and the points drawn in it, each with the ``row`` and
``column`` of its cell.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from bench import paths
from bench.errors import BenchError
from bench.ledger import series
from bench.report.verdict import Finding
from bench.spec.experiment import Experiment
from bench.spec.table import Table
from bench.spec.task import BUDGETS, Task
from datamodules.sources import SOURCES

PICTURES = ("svg", "png")


@dataclass(frozen=True)
class Shown:
    """A measured cell: what the ledger says and one series (columns of equal length) a seed, in the order of
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

    def points(self, *names: str, **more: Any) -> list[dict[str, Any]]:
        """The columns ``names`` of every seed's series as points."""
        self.first(*names)
        return [
            {"row": self.row, "column": self.column, "seed": seed, **more, **dict(zip(names, values, strict=True))}
            for seed, columns in zip(self.finding.seeds, self.series, strict=True)
            for values in zip(*(columns[name] for name in names), strict=True)
        ]

    def first(self, *needed: str) -> dict[str, list[float]]:
        """The first seed's series. Raises ``BenchError`` if it lacks one of the columns ``needed``."""
        for columns in self.series:
            if lacking := [name for name in needed if name not in columns]:
                there = f"it has {', '.join(columns)}"
                raise BenchError(
                    f"the series of {self.row} / {self.column} has no column {', '.join(lacking)}; {there}"
                )
        return self.series[0]


def shown(table: Table, found: list[Finding]) -> list[Shown]:
    """The measured cells of ``found`` with their series. Raises ``BenchError`` naming every series that is not
    there.
    """
    chosen, lost = [], []
    for finding in (f for f in found if f.status == "measured"):
        cell = finding.cell
        assert cell.task is not None and cell.model is not None and cell.measure is not None
        kept = []
        for seed in finding.seeds:
            experiment = Experiment(cell.task, cell.model, seed, finding.budget)
            columns = series.read(experiment, cell.measure, finding.protocol)
            if columns is None and cell.measure.series:
                lost.append(str(series.path(experiment, cell.measure, finding.protocol).relative_to(paths.results())))
            else:
                kept.append(columns or {})
        chosen.append(Shown(finding, tuple(kept)))
    if lost:
        raise BenchError(
            f"{table.id}: in the ledger, but without the series behind it: {', '.join(lost)} (in {paths.results()}); "
            "take it back from git, or delete the line from the ledger and run again"
        )
    return chosen


# How the caption says that parts are not in the picture, by status
ABSENT = {
    "data missing": "the data of {} of the figure's parts are not here",
    "": "{} of the figure's parts not measured yet",
}


def caption(everything: list[Finding], drawn: list[Shown]) -> str:
    """Says of the picture what budget, data, seeds and protocol it stands on, and what of ``everything`` is not in
    it.
    """
    found = [s.finding for s in drawn]
    parts = [f"{b} budget ({BUDGETS[b]})" for b in sorted({f.budget for f in found})]
    for name in dict.fromkeys(f.data for f in found):
        source = SOURCES[name]
        parts.append(
            source.title if source.kind == "full" or source.kind in source.title else f"{source.kind}: {source.title}"
        )
    most, least = max(f.n for f in found), min(f.n for f in found)
    parts.append(f"{least} to {most} seeds" if most > least else f"{most} seed{'s' if most > 1 else ''}")
    parts.append("weights: " + ", ".join(sorted({f.protocol for f in found})))
    others = Counter(
        f.status if f.status in ABSENT else "" for f in everything if f.cell.runnable and f.status != "measured"
    )
    return "; ".join([*parts, *(ABSENT[status].format(n) for status, n in others.items())]) + "."


def to_csv(points: list[dict[str, Any]]) -> str:
    """The data drawn, numbers to 6 digits; a column that a point does not have stays empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(name for point in points for name in point)), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in point.items()} for point in points)
    return out.getvalue()


def files(table: Table, found: list[Finding]) -> dict[Path, str | bytes | None]:
    """Content of ``results/figures/<table>.{csv,svg,png}``, the same for the same data; ``None`` (no file) while
    nothing is measured.
    """
    places = {ending: paths.results() / "figures" / f"{table.id}.{ending}" for ending in ("csv", *PICTURES)}
    drawn = shown(table, found)
    if not drawn:
        return dict.fromkeys(places.values())
    from bench.report.figures import style  # loads matplotlib

    module, function = table.draw.split(":")
    with style.ours():
        picture, points = getattr(import_module(f"bench.report.figures.{module}"), function)(table, drawn)
        style.finish(picture, table, caption(found, drawn))
        content = {"csv": to_csv(points), **{ending: style.saved(picture, ending, table.id) for ending in PICTURES}}
    return {places[ending]: made for ending, made in content.items()}
