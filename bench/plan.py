"""The plan: declared minus finished."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import Any

from bench import paths
from bench.errors import BenchError, unknown
from bench.ledger import store
from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.ledger.validity import valid
from bench.measures import MEASURES
from bench.papers.registry import MODELS, TABLES, TASKS
from bench.spec import own
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure
from bench.spec.model import Model
from bench.spec.table import Cell, Table
from bench.spec.task import BUDGETS
from datamodules.sources import missing


@dataclass(frozen=True)
class Job:
    """An experiment and the measures of it that are still missing, and the tables that ask for them.

    ``weights_elsewhere``: the sha256 of its weights if another home or host has trained it and this one lacks them.
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
        raise unknown("table", name, TABLES, "python -m bench list")
    return TABLES[name]


def select(table: Table, rows: Iterable[str] = (), columns: Iterable[str] = ()) -> list[Cell]:
    """Cells of the named rows and columns (all where none is named); upper or lower case, with "|" or, as tables print
    it, "/". A column is named by its head or by the name of its task ("nmnist-standin"), which needs no quotes. A row
    may be named by its first part, "6" of "6 | V[t-1]", where no other row begins so.

    Raises ``BenchError`` for unknown names.
    """
    own_rows = {name.removesuffix(own.MARK): [name] for name in table.rows}
    short = _first_parts(table.rows) | own_rows
    in_rows = _named(f"row of {table.id}", rows, {name: [name] for name in table.rows}, short)
    heads = {name: [name] for name in table.columns}
    tasks: dict[str, list[str]] = {}
    for cell in table.cells:
        if cell.task and cell.runnable and cell.task.name not in heads:
            tasks.setdefault(cell.task.name, []).append(cell.column)
    in_columns = _named(f"column of {table.id}", columns, tasks | heads, {})
    return [c for c in table.cells if c.row in in_rows and c.column in in_columns]


def name_key(name: str) -> str:
    """What counts of the name of a row or column."""
    return name.lower().replace("|", "/")


def _first_parts(rows: list[str]) -> dict[str, list[str]]:
    """First part of a row's name -> the row, of those that one row has."""
    parts = [row.partition(" | ")[0] for row in rows]
    return {part: [row] for part, row in zip(parts, rows, strict=True) if parts.count(part) == 1}


def _named(kind: str, names: Iterable[str], known: Mapping[str, list[str]], short: Mapping[str, list[str]]) -> set[str]:
    """What ``names`` stand for, or everything where there are none. ``short`` are other names of the ``known``."""
    by_key = {name_key(name): values for name, values in (*short.items(), *known.items())}
    chosen: set[str] = set()
    for name in names:
        if name_key(name) not in by_key:
            raise unknown(kind, name, known)
        chosen.update(by_key[name_key(name)])
    return chosen or {value for values in known.values() for value in values}


def experiments(cell: Cell, budget: str, seeds: int, overrides: tuple = ()) -> list[Experiment]:
    """The experiments of ``cell`` from seed 0 on. They have paper budget where ``budget`` changes nothing."""
    if budget not in BUDGETS:
        raise unknown("budget", budget, BUDGETS)
    if seeds < 1:
        raise BenchError(f"seeds must be at least 1, got {seeds}")
    assert cell.task is not None and cell.model is not None
    budget = Experiment(cell.task, cell.model, 0, budget, overrides).at_largest_budget().budget
    return [Experiment(cell.task, cell.model, seed, budget, overrides) for seed in range(seeds)]


def find_experiment(table: str, row: str, column: str, seed: int, budget: str) -> Experiment:
    """The experiment of one cell, named as in ``select``.

    Raises ``BenchError`` for a name that does not exist, a cell that nothing is trained for, several experiments under
    one name, a seed that is no number of 0 or more, and a budget that the task lacks.
    """
    named = find_table(table)
    cells = select(named, [row], [column])
    if not cells:
        columns = ", ".join(dict.fromkeys(c.column for c in select(named, [row])))
        raise BenchError(f"{table} has no cell in row {row!r}, column {column!r}; columns of this row: {columns}")
    if budget not in BUDGETS:
        raise unknown("budget", budget, BUDGETS)
    if type(seed) is not int or seed < 0:
        raise BenchError(f"a seed is a whole number of 0 or more, got {seed!r}")
    by_id: dict[str, Experiment] = {}
    for cell in cells:
        if cell.runnable:
            assert cell.task is not None and cell.model is not None
            experiment = Experiment(cell.task, cell.model, seed, budget).at_largest_budget()
            by_id[experiment.id] = experiment
    if not by_id:
        reason = cells[0].note or "its value needs no training"
        raise BenchError(f"nothing is trained for {table} / {row} / {column}: {reason}")
    if len(by_id) > 1:
        columns = ", ".join(dict.fromkeys(cell.column for cell in cells))
        raise BenchError(f"{column!r} names several columns of {table}: {columns}")
    return next(iter(by_id.values()))


def make(
    selection: Iterable[tuple[str, Cell]], budget: str, seeds: int, lines: Iterable[Line], overrides: tuple = ()
) -> Plan:
    """Plan the (table id, cell) pairs of ``selection``: each experiment once, however many cells show it."""
    by_experiment = Index.of(lines).by_experiment
    known: dict[tuple[int, int], list[Experiment]] = {}
    cells = 0
    done = 0
    waiting: list[tuple[str, Cell]] = []
    wanted: dict[str, tuple[Experiment, dict[str, Measure], dict[str, None]]] = {}
    for table, cell in selection:
        if not cell.runnable:
            if not cell.absent and not cell.fact:
                waiting.append((table, cell))
            continue
        assert cell.measure is not None
        cells += 1
        finished = True
        place = id(cell.task), id(cell.model)
        if place not in known:
            known[place] = experiments(cell, budget, seeds, overrides)
        for experiment in known[place]:
            if any(valid(line, experiment, cell.measure) for line in by_experiment.get(experiment.id, ())):
                continue
            finished = False
            _, measures, tables = wanted.setdefault(experiment.id, (experiment, {}, {}))
            measures[cell.measure.name] = cell.measure
            tables[table] = None
        done += finished
    jobs = [
        Job(e, tuple(measures.values()), tuple(tables), _weights_elsewhere(e, by_experiment.get(e.id, [])))
        for e, measures, tables in wanted.values()
    ]
    absent = {name for name in {job.experiment.config["data"] for job in jobs} if missing(name)}
    ready = tuple(job for job in jobs if job.experiment.config["data"] not in absent)
    no_data = tuple(job for job in jobs if job.experiment.config["data"] in absent)
    return Plan(cells, done, ready, no_data, tuple(waiting))


def weights_here(experiment: Experiment) -> bool:
    """Whether the weights of ``experiment`` are kept in this home."""
    return (paths.home() / "experiments" / experiment.id / "weights.pt").exists()


def _weights_elsewhere(experiment: Experiment, lines: list[Line]) -> str:
    if weights_here(experiment):
        return ""
    return next(
        (line.checkpoint_sha256 for line in reversed(lines) if line.status == "ok" and line.checkpoint_sha256), ""
    )


Trainings = tuple[str, str, str, str]  # task, model, budget and config hash of trainings that took the same


class ExpectedTimes:
    """How long trainings and readings took before, from ledger lines that are grouped once.

    A training takes the median of the closest earlier ones, each scaled by the work, epochs x samples x steps: of the
    same settings, else of the model on this task at this budget, else on the same data; else, likewise, of models that
    have neurons as it does, or have none. Trainings of recipes that have changed since count after all others.
    """

    def __init__(self, lines: Iterable[Line]) -> None:
        self._trainings: dict[str, dict[Trainings, list[float]]] = {}  # data -> … -> seconds an epoch
        self._readings: dict[tuple[str, str, str], dict[str, list[float]]] = {}  # task, budget, measure -> model -> s
        for line in lines:
            if line.status != "ok" or not line.wall_s:
                continue
            by_model = self._readings.setdefault((line.task, line.budget, line.measure), {})
            by_model.setdefault(line.model, []).append(line.wall_s)
            measure = MEASURES.get(line.measure)
            task = TASKS.get(line.task)
            if not line.epochs or measure is None or task is None or not measure.from_history:
                continue
            if line.budget in ("paper", *task.budgets):
                group = self._trainings.setdefault(line.data, {})
                key = (line.task, line.model, line.budget, line.config_hash)
                group.setdefault(key, []).append(line.wall_s / line.epochs)

    def job(self, job: Job) -> float | None:
        """Seconds of what is missing of an experiment; weights that are kept here cost nothing."""
        if weights_here(job.experiment):
            return self._reading(job.experiment, job.measures) or 1.0
        return self.usual(job.experiment, job.measures)

    def usual(self, experiment: Experiment, measures: Iterable[Measure]) -> float | None:
        """Seconds of a training and of reading ``measures``; ``None`` where nothing like it was trained."""
        config = experiment.config
        size = _size(config)
        rates: dict[int, list[float]] = {}
        for (task, model, budget, config_hash), epochs in self._trainings.get(config["data"], {}).items():
            distance = 0
            scale = size
            if config_hash != experiment.config_hash:
                if model not in MODELS:
                    continue
                current, scale = _now(task, model, budget)
                same_place = (task, budget) == (experiment.task.name, experiment.budget)
                distance = 1 if same_place else 2
                distance += _kinship(model, experiment.model)
                distance += 0 if config_hash == current else 6
            rates.setdefault(distance, []).extend(seconds / scale for seconds in epochs)
        if not rates:
            return None
        return median(rates[min(rates)]) * config["epochs"] * size + self._reading(experiment, measures)

    def _reading(self, experiment: Experiment, measures: Iterable[Measure]) -> float:
        """Seconds of reading ``measures``; a line has the share of one protocol."""
        readings = [m for m in measures if not m.from_history]
        return sum((self._usual_reading(experiment, m.name) or 0.0) * len(m.protocols) for m in readings)

    def _usual_reading(self, experiment: Experiment, measure: str) -> float | None:
        by_model = self._readings.get((experiment.task.name, experiment.budget, measure), {})
        model = experiment.model
        alike = [name for name in by_model if name in MODELS and _kinship(name, model) < 4]
        chosen = [model.name] if model.name in by_model else alike or list(by_model)
        times = [seconds for name in chosen for seconds in by_model[name]]
        return median(times) if times else None


def _kinship(name: str, model: Model) -> int:
    """0 where ``name`` is that of ``model``, 2 where both have neurons or both have none, else 4."""
    if name == model.name:
        return 0
    return 2 if bool(MODELS[name].neuron) == bool(model.neuron) else 4


def expected_times(lines: Iterable[Line]) -> ExpectedTimes:
    """Of ``lines`` and, where another ledger is in use, of the one that comes with the suite for what ``lines`` lack.

    Smoke and exploratory runs are estimated from such runs alone: their data is far smaller.
    """
    own = list(lines)
    if paths.results() in (paths.COMMITTED, paths.exploratory()):
        return ExpectedTimes(own)
    known = {line.config_hash for line in own}
    return ExpectedTimes([*own, *(line for line in store.read(paths.COMMITTED) if line.config_hash not in known)])


@cache
def _now(task: str, model: str, budget: str) -> tuple[str, float]:
    """Hash of the present settings of what a ledger line tells of, and their ``_size``."""
    experiment = Experiment(TASKS[task], MODELS[model], 0, budget)
    return experiment.config_hash, _size(experiment.config)


def _size(config: Mapping[str, Any]) -> float:
    """Samples x steps of an epoch, as far as they differ between trainings on the same data."""
    settings = config["data_settings"]
    samples = settings["batches"] * config["batch_size"] if "batches" in settings else 1
    return samples * settings.get("steps", settings.get("delay", 1)) / settings.get("bin_ms", 1)


def clock(seconds: float) -> str:
    """``1:05`` or ``2:03:10``."""
    minutes, s = divmod(int(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"
