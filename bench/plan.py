"""The plan: declared minus finished."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import Any

from bench import paths
from bench.errors import BenchError, unknown
from bench.ledger.store import Line
from bench.ledger.validity import valid
from bench.measures import MEASURES
from bench.papers.registry import MODELS, TABLES, TASKS
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure
from bench.spec.table import Cell, Table
from bench.spec.task import BUDGETS
from datamodules.sources import missing


@dataclass(frozen=True)
class Job:
    """An experiment and the measures of it that are still missing, and the tables that ask for them.

    ``weights_elsewhere``: sha256 of its weights where another home or host has trained it, and they are needed here for these
    measures.
    """

    experiment: Experiment
    measures: tuple[Measure, ...]
    tables: tuple[str, ...] = ()
    weights_elsewhere: str = ""


@dataclass(frozen=True)
class Plan:
    """``cells`` counts runnable cells of the selection; ``jobs`` is what is left, ``no_data`` what is left and cannot
    run here.
    """

    cells: int
    done: int
    jobs: tuple[Job, ...]
    no_data: tuple[Job, ...]
    waiting: tuple[tuple[str, Cell], ...]  # (table, cell) that nothing can run yet


def find_table(name: str) -> Table:
    if name not in TABLES:
        raise unknown("table", name, TABLES)
    return TABLES[name]


def select(table: Table, rows: Iterable[str] = (), columns: Iterable[str] = ()) -> list[Cell]:
    """Cells of the named rows and columns (all where none is named), case-insensitive, with "|" or, as tables print it,
    "/".

    Raises ``BenchError`` for unknown names.
    """

    def key(name: str) -> str:
        return name.lower().replace("|", "/")

    chosen = []
    for kind, names, known in (("row", rows, table.rows), ("column", columns, table.columns)):
        by_name = {key(k): k for k in known}
        for name in names:
            if key(name) not in by_name:
                raise unknown(f"{kind} of {table.id}", name, known)
        chosen.append({by_name[key(name)] for name in names} or set(known))
    return [c for c in table.cells if c.row in chosen[0] and c.column in chosen[1]]


def experiments(cell: Cell, budget: str, seeds: int, overrides: tuple = ()) -> list[Experiment]:
    if budget not in BUDGETS:
        raise unknown("budget", budget, BUDGETS)
    if seeds < 1:
        raise BenchError(f"seeds must be at least 1, got {seeds}")
    assert cell.task is not None and cell.model is not None
    return [Experiment(cell.task, cell.model, seed, budget, overrides) for seed in range(seeds)]


def make(
    selection: Iterable[tuple[str, Cell]], budget: str, seeds: int, lines: Iterable[Line], overrides: tuple = ()
) -> Plan:
    """Plan the (table id, cell) pairs of ``selection``: each experiment once, however many cells show it."""
    by_id: dict[str, list[Line]] = {}
    for line in lines:
        by_id.setdefault(line.experiment, []).append(line)
    cells = done = 0
    waiting: list[tuple[str, Cell]] = []
    wanted: dict[str, tuple[Experiment, dict[str, Measure], dict[str, None]]] = {}
    for table, cell in selection:
        if not cell.runnable:
            if not cell.absent and not cell.fact:
                waiting.append((table, cell))
            continue
        cells += 1
        finished = True
        assert cell.measure is not None
        for experiment in experiments(cell, budget, seeds, overrides):
            if any(valid(line, experiment, cell.measure) for line in by_id.get(experiment.id, ())):
                continue
            finished = False
            _, measures, tables = wanted.setdefault(experiment.id, (experiment, {}, {}))
            measures[cell.measure.name], tables[table] = cell.measure, None
        done += finished
    jobs = [
        Job(experiment, tuple(measures.values()), tuple(tables), _elsewhere(experiment, by_id.get(experiment.id, [])))
        for experiment, measures, tables in wanted.values()
    ]
    absent = {name: missing(name) for name in {j.experiment.config["data"] for j in jobs}}
    here = [j for j in jobs if not absent[j.experiment.config["data"]]]
    return Plan(cells, done, tuple(here), tuple(j for j in jobs if j not in here), tuple(waiting))


def weights_here(experiment: Experiment) -> bool:
    """Whether the weights of ``experiment`` are kept in this home."""
    return (paths.home() / "experiments" / experiment.id / "weights.pt").exists()


def _elsewhere(experiment: Experiment, lines: list[Line]) -> str:
    if weights_here(experiment):
        return ""
    return next(
        (line.checkpoint_sha256 for line in reversed(lines) if line.status == "ok" and line.checkpoint_sha256), ""
    )


STEPPED = {"lsnn"}  # networks that no fused scan can run: hours where others take minutes


def expected_seconds(job: Job, lines: Iterable[Line]) -> float | None:
    """``usual_seconds`` of a job; weights that are kept here cost nothing."""
    lines = list(lines)
    if weights_here(job.experiment):
        return _reading(job.experiment, job.measures, lines) or 1.0
    return usual_seconds(job.experiment, job.measures, lines)


def usual_seconds(experiment: Experiment, measures: Iterable[Measure], lines: Iterable[Line]) -> float | None:
    """Expected wall time of a training and of ``measures`` read off its weights; ``None`` where nothing like it was
    trained.

    The training as the median of the closest earlier ones, each scaled by the work, epochs x samples x steps: of the
    same settings, else of the model on this task at this budget, else on the same data; else, likewise, of models that
    have neurons as it does, or have none. Trainings of recipes that have changed since count after all others. Networks
    that go step by step in PyTorch are compared with such.
    """
    lines = list(lines)
    own, kind, stepped = experiment.model.name, bool(experiment.model.neuron), experiment.config["network"] in STEPPED
    data, epoch = experiment.config["data"], _size(experiment.config)
    rates: dict[int, list[float]] = {}
    for line in lines:
        if line.data != data or line.status != "ok" or not line.wall_s or not line.epochs:
            continue
        task, measure = TASKS.get(line.task), MEASURES.get(line.measure)
        if measure is None or not measure.from_history or task is None or line.budget not in ("paper", *task.budgets):
            continue
        size = epoch
        if line.config_hash == experiment.config_hash:
            distance = 0
        elif line.model in MODELS:
            akin = bool(MODELS[line.model].neuron) == kind
            here = (line.task, line.budget) == (experiment.task.name, experiment.budget)
            current, size, network = _now(line.task, line.model, line.budget)
            if (network in STEPPED) != stepped:
                continue
            distance = (
                (1 if here else 2)
                + (0 if line.model == own else 2 if akin else 4)
                + (0 if line.config_hash == current else 6)
            )
        else:
            continue
        rates.setdefault(distance, []).append(line.wall_s / (line.epochs * size))
    if not rates:
        return None
    return median(rates[min(rates)]) * experiment.config["epochs"] * epoch + _reading(experiment, measures, lines)


@cache
def _now(task: str, model: str, budget: str) -> tuple[str, float, str]:
    """Hash of the present settings of what a ledger line tells of, their ``_size``, and the network."""
    experiment = Experiment(TASKS[task], MODELS[model], 0, budget)
    return experiment.config_hash, _size(experiment.config), experiment.config["network"]


def _size(config: Mapping[str, Any]) -> float:
    """Samples x steps of an epoch, as far as they differ between trainings on the same data."""
    settings = config["data_settings"]
    samples = settings["batches"] * config["batch_size"] if "batches" in settings else 1
    return samples * settings.get("steps", settings.get("delay", 1)) / settings.get("bin_ms", 1)


def _reading(experiment: Experiment, measures: Iterable[Measure], lines: list[Line]) -> float:
    # a line has its share of the time, one of as many as there are protocols
    return sum((_usual(experiment, m.name, lines) or 0.0) * len(m.protocols) for m in measures if not m.from_history)


def _usual(experiment: Experiment, measure: str, lines: list[Line]) -> float | None:
    named = [
        line
        for line in lines
        if line.status == "ok" and line.wall_s and line.measure == measure
        and (line.task, line.budget) == (experiment.task.name, experiment.budget)
    ]  # fmt: skip
    model = experiment.model
    kin = [line for line in named if line.model in MODELS and bool(MODELS[line.model].neuron) == bool(model.neuron)]
    closest = [line for line in named if line.model == model.name] or kin or named
    return median(line.wall_s for line in closest if line.wall_s) if closest else None


def clock(seconds: float) -> str:
    """``1:05`` or ``2:03:10``."""
    minutes, s = divmod(int(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"
