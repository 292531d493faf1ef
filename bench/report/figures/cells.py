"""The cells that a figure draws, with the series behind them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from bench import paths
from bench.errors import BenchError
from bench.ledger import histories, series
from bench.report.verdict import SHOWN_BUDGETS, Finding
from bench.spec.experiment import Experiment
from bench.spec.model import Model
from bench.spec.table import Table
from bench.spec.task import Task


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
