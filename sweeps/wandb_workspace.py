"""A W&B workspace ready to open, made from the declarations: each table has a section. Needs the package
``wandb-workspaces``.

The seeds of a model on a task are one group: panels show its mean and standard error.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.measures import MEASURES
from bench.report.compared import cell_key
from bench.report.verdict import published_number
from bench.spec.measure import Measure
from bench.spec.table import Cell, Table
from bench.training import wandb_mode
from bench.training.tracking import measure_key

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Section, Workspace

NAME = "Papers: measured and published"
STEP = "trainer/global_step"
CURVES = ("test/accuracy", "val/accuracy", "test/loss", "val/loss", "train/loss")
GROUP = "Group"  # W&B's name for the group of a run, "task/model" here
GROUPED: dict[str, Any] = {"groupby": GROUP, "groupby_aggfunc": "mean", "groupby_rangefunc": "stderr"}
ENERGY = ("energy:energy", "energy:count", "spike_rate:spike_rate")  # readers, as measures name them
ROBUSTNESS = (
    "event_drop:event_drop",
    "generalisation:at_resolution",
    "attack:flipped",
    "attack:success",
    "loss_landscape:loss_landscape",
)
COLUMNS = ("config:task", "config:model", "config:seed", "config:budget", "summary:wall_s")


def _packages() -> tuple[Any, Any, Any]:
    """``expr``, ``reports`` and ``workspaces`` of wandb-workspaces. Raises ``BenchError`` where it is not installed."""
    try:
        from wandb_workspaces import expr, workspaces
        from wandb_workspaces.reports import v2 as reports
    except ImportError:
        raise BenchError("a workspace needs a package that is not here: pip install wandb-workspaces") from None
    return expr, reports, workspaces


def _bars(title: str, metrics: list[str], unit: str = "") -> Any:
    _, reports, _ = _packages()
    return reports.BarPlot(title=title, metrics=metrics, title_x=unit, max_bars_to_show=100, **GROUPED)


def _column(table: Table, cells: Sequence[Cell]) -> list[Any]:
    """Panels of a column's ``cells`` with one measure."""
    first = cells[0]
    assert first.measure is not None
    unit = first.measure.unit
    compared = [cell for cell in cells if published_number(cell) is not None]
    if not compared:
        measured = [cell_key(table, cell, "measured") for cell in cells]
        return [_bars(f"{first.column}: {first.measure.title} (nothing published)", measured, unit)]
    values = [
        cell_key(table, cell, name)
        for cell in cells
        for name in ("measured", *(["published"] if cell in compared else []))
    ]
    differences = [cell_key(table, cell, "difference") for cell in compared]
    return [
        _bars(f"{first.column}: {first.measure.title}, measured and published", values, unit),
        _bars(f"{first.column}: measured minus published, by row", differences, unit),
    ]


def _table_section(table: Table) -> Section:
    _, _, workspaces = _packages()
    columns: dict[tuple[str, str], list[Cell]] = {}
    for cell in table.cells:
        if cell.runnable and cell.measure is not None:
            columns.setdefault((cell.column, cell.measure.name), []).append(cell)
    panels = [panel for cells in columns.values() for panel in _column(table, cells)]
    return workspaces.Section(name=f"{table.id}: {table.title}", panels=panels)


def _measures_section(name: str, readers: Sequence[str]) -> Section:
    """A panel for each measure of ``readers``, by the last protocol that it has (the best epoch, mostly)."""
    _, _, workspaces = _packages()
    measures: list[Measure] = [measure for measure in MEASURES.values() if measure.reader in readers]
    panels = [_bars(f"{m.name}: {m.title}", [measure_key(m.name, m.protocols[-1])], m.unit) for m in measures]
    return workspaces.Section(name=name, panels=panels)


def build(tables: Iterable[Table], entity: str, project: str, budget: str = "") -> Workspace:
    """The workspace of ``tables``, of runs at ``budget`` or, without one, at all but smoke. Nothing is sent."""
    expr, reports, workspaces = _packages()
    accuracy = MEASURES["accuracy"]
    accuracies = [_bars(f"test accuracy, {p}", [measure_key(accuracy.name, p)], "%") for p in accuracy.protocols]
    curves = [reports.LinePlot(title=name, x=STEP, y=[name], **GROUPED) for name in CURVES]
    sections = [
        workspaces.Section(name="Accuracy by task and model", panels=accuracies, is_open=True, pinned=True),
        workspaces.Section(name="Learning curves by task and model", panels=curves, is_open=True),
        *map(_table_section, tables),
        _measures_section("Energy and activity", ENERGY),
        _measures_section("Robustness", ROBUSTNESS),
    ]
    budgets = expr.Config("budget") == budget if budget else expr.Config("budget") != "smoke"
    runs = workspaces.RunsetSettings(
        filters=[expr.Metric("JobType") == "training", budgets],
        groupby=[expr.Config("task"), expr.Config("model"), expr.Config("budget")],
        pinned_columns=list(COLUMNS),
    )
    return workspaces.Workspace(entity=entity, project=project, name=NAME, sections=sections, runset_settings=runs)


def _project() -> str:
    return os.environ.get("WANDB_PROJECT") or wandb_mode.PROJECT


def definition(tables: Iterable[Table], budget: str = "") -> str:
    """The workspace as the JSON text that W&B keeps."""
    workspace = build(tables, os.environ.get("WANDB_ENTITY", ""), _project(), budget)
    return workspace._to_model().spec.model_dump_json(by_alias=True, exclude_none=True, indent=1) + "\n"


def save(tables: Iterable[Table], budget: str = "") -> str:
    """Save the workspace as a new view of the project; a line with its address. Raises ``BenchError`` where W&B does
    not take it.
    """
    _packages()
    decision = wandb_mode.decide()
    if decision.mode != "online":
        raise BenchError(f"a workspace is saved online only; log in first, or write it with --out ({decision.line})")
    from wandb import Api

    try:
        entity = os.environ.get("WANDB_ENTITY") or Api().default_entity or ""
        return f"saved: {build(tables, entity, _project(), budget).save().url}"
    except Exception as error:  # of the service, of any kind
        raise BenchError(f"W&B did not take the workspace ({' '.join(str(error).split())[:200]})") from None
