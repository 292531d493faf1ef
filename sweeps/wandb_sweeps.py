"""W&B sweeps: their YAML, made from the declarations, and what an agent runs.

The sweep of a table is a grid over its cells (task/model) and seeds; the sweep of a search is its neuron's space. In a
sweep W&B names the runs itself. The experiment keeps its id, and its ledger lines name the run.
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from bench import paths
from bench.errors import BenchError, unknown
from bench.ledger import store
from bench.ledger.validity import valid
from bench.papers.registry import TABLES, TASKS, find_model
from bench.plan import Job, select
from bench.spec import plugins
from bench.spec.experiment import Experiment
from bench.spec.overrides import parsed
from bench.spec.table import Cell, Table
from datamodules.sources import missing

HEAD = "# Written by: python -m sweeps wandb write\n"


def folder() -> Path:
    """Where the sweeps are written: with plug-ins in the results, which are not the committed ones."""
    return paths.results() / "wandb" if paths.plugged() else paths.ROOT / "sweeps" / "wandb"


def cells(chosen: Iterable[Cell]) -> list[str]:
    """ "task/model" of each of the ``chosen`` cells that can be trained."""
    return list(dict.fromkeys(f"{c.task.name}/{c.model.name}" for c in chosen if c.runnable and c.task and c.model))


def _sweep(name: str, method: str, goal: str, command: list[str], parameters: dict[str, Any], head: str = HEAD) -> str:
    content = {
        "name": name,
        "method": method,
        "metric": {"name": goal, "goal": "maximize"},
        "program": "sweeps",
        "command": ["${env}", "${interpreter}", "-m", "sweeps", "wandb", *command, *plugins.options(), "${args}"],
        "parameters": parameters,
    }
    return head + yaml.safe_dump(content, sort_keys=False, width=100)


def _grid(table: Table, pairs: list[str], budget: str = "paper", seeds: int = 3) -> dict[str, Any]:
    """The parameters of a sweep that trains each of ``pairs`` (task/model) with each seed."""
    return {
        "cell": {"values": pairs},
        "seed": {"values": list(range(seeds))},
        "budget": {"value": budget},
        "table": {"value": table.id},
    }


def table_yaml(table: Table) -> str:
    """The sweep of ``table``; one that has nothing to train yet has an empty grid, which W&B refuses."""
    return _sweep(table.id, "grid", "test/accuracy", ["run"], _grid(table, cells(table.cells)))


@dataclass(frozen=True)
class Selection:
    """A part of ``table`` that a sweep trains at ``budget``, with ``seeds`` seeds.

    Raises ``BenchError`` for names that the table does not have, a budget that a task lacks and less than one seed.
    """

    table: Table
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    budget: str = "paper"
    seeds: int = 3

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise BenchError(f"seeds must be at least 1, got {self.seeds}")
        for cell in self.cells:
            if cell.runnable and cell.task is not None:
                cell.task.at(self.budget)

    @property
    def cells(self) -> list[Cell]:
        return select(self.table, self.rows, self.columns)

    def without_data(self) -> list[str]:
        """Names of the data sets of these cells that are not on this host."""
        names = {cell.task.data for cell in self.cells if cell.runnable and cell.task}
        return sorted(name for name in names if missing(name))

    def yaml(self, every: bool = False) -> str:
        """The sweep of these cells: those whose data is on this host, or ``every`` one. Raises ``BenchError`` where
        none is left.
        """
        absent = [] if every else self.without_data()
        pairs = cells(cell for cell in self.cells if cell.task and cell.task.data not in absent)
        if not pairs:
            reason = f"data missing: {', '.join(absent)}; --all writes them too" if absent else "nothing can be trained"
            raise BenchError(f"no cell of {self.table.id} is left for a sweep ({reason})")
        words = [self.table.id, *(part for name in self.rows for part in ("--row", name))]
        words += [part for name in self.columns for part in ("--column", name)]
        words += ["--budget", self.budget, "--seeds", str(self.seeds), *(["--all"] if every else [])]
        name = " ".join([self.table.id, *self.rows, *self.columns, f"({self.budget})"])
        parameters = _grid(self.table, pairs, self.budget, self.seeds)
        head = f"{HEAD.rstrip()} {shlex.join(words)}\n"
        return _sweep(name, "grid", "test/accuracy", ["run"], parameters, head)


def parameter(distribution: BaseDistribution) -> dict[str, Any]:
    """The W&B parameter that is ``distribution``, one to one. Raises ``BenchError`` where there is none."""
    if isinstance(distribution, CategoricalDistribution):
        return {"values": list(distribution.choices)}
    if isinstance(distribution, FloatDistribution) and distribution.step is None:
        kind = "log_uniform_values" if distribution.log else "uniform"
        return {"distribution": kind, "min": distribution.low, "max": distribution.high}
    if isinstance(distribution, IntDistribution) and distribution.step == 1 and not distribution.log:
        return {"distribution": "int_uniform", "min": distribution.low, "max": distribution.high}
    raise BenchError(f"{distribution} has no counterpart in W&B")


def setting(name: str, text: str, distribution: BaseDistribution) -> Any:
    """The value that ``text`` is for a setting with ``distribution``. Raises ``BenchError`` where it is none."""
    value = parsed(text)
    if isinstance(distribution, CategoricalDistribution):
        for choice in distribution.choices:
            if choice in (value, text):
                return choice
        raise BenchError(f"--{name} takes one of {', '.join(map(str, distribution.choices))}, got {text!r}")
    whole = isinstance(distribution, IntDistribution)
    if isinstance(value, float) and whole and value.is_integer():
        value = int(value)
    kinds: tuple[type, ...] = (int,) if whole else (int, float)
    if type(value) not in kinds or not math.isfinite(value):
        raise BenchError(f"--{name} takes a {'whole ' if whole else ''}number, got {text!r}")
    return value


def search_yaml(task: str, model: str, budget: str) -> str:
    """The sweep of the search of ``model`` on ``task``."""
    from sweeps.search_space import space

    parameters = {name: parameter(distribution) for name, distribution in space(find_model(model), TASKS[task]).items()}
    fixed = {"task": {"value": task}, "model": {"value": model}, "budget": {"value": budget}}
    return _sweep(f"search {model} on {task} ({budget})", "bayes", "val/accuracy", ["trial"], fixed | parameters)


def differing() -> list[str]:
    """Names of the committed files that are not what the declarations give."""
    texts = {f"{t.id}.yaml": table_yaml(t) for t in TABLES.values()}
    files = {p.name: p.read_text(encoding="utf-8") for p in folder().glob("*.yaml")}
    return sorted(name for name in texts.keys() | files.keys() if texts.get(name) != files.get(name))


def write() -> int:
    """Write the sweep of every table; their number."""
    for name in differing():
        (folder() / name).unlink(missing_ok=True)
        if (table := TABLES.get(name.removesuffix(".yaml"))) is not None:
            store.write(folder() / name, table_yaml(table))
    return len(TABLES)


def job(table: str, cell: str, seed: int, budget: str) -> Job:
    """What one run of a table's sweep trains. Raises ``BenchError`` for anything that is not in the table."""
    if table not in TABLES:
        raise unknown("table", table, TABLES)
    matching = [
        c for c in TABLES[table].cells if c.runnable and c.task and c.model and f"{c.task.name}/{c.model.name}" == cell
    ]
    if not matching:
        raise unknown(f"cell of {table}", cell, cells(TABLES[table].cells))
    task, model = cell.split("/")
    measures = {c.measure.name: c.measure for c in matching if c.measure}
    experiment = Experiment(TASKS[task], find_model(model), seed, budget).at_largest_budget()
    return Job(experiment, tuple(measures.values()), (table,))


def run(job: Job, threads: int) -> list[store.Line]:
    """Train and measure ``job`` in this process, unless the ledger has it; its ledger lines."""
    from bench.report.compared import compared, places
    from bench.training import run as training
    from bench.training import tracking
    from sweeps.closing import experiment_lock
    from sweeps.trials import series_files

    with experiment_lock(job.experiment.id) as free:
        if not free:
            raise BenchError(f"experiment {job.experiment.id} is running in another process of this host")
        lines = [
            x
            for x in store.read(only=[job.experiment.task.name])
            if any(valid(x, job.experiment, m) for m in job.measures)
        ]
        missing = tuple(
            m for m in job.measures if not any(x.measure == m.name for x in lines if x.experiment == job.experiment.id)
        )
        lines = [x for x in lines if x.experiment == job.experiment.id]
        if missing:
            compare = partial(compared, job.experiment)
            new, _ = training.run(
                job.experiment,
                missing,
                threads,
                context=places(job.experiment.task, job.experiment.model),
                compare=compare,
            )
            if os.environ.get("WANDB_SWEEP_ID"):  # in a sweep W&B names the run
                new = [replace(line, wandb_run=os.environ.get("WANDB_RUN_ID", line.wandb_run)) for line in new]
            store.append(new, {paths.results() / name for name, _ in series_files(job, new)})
            return [*lines, *new]
        with tracking.start(job.experiment) as tracked:  # the sweep gets the known value
            tracked.log({"test/accuracy": next((x.value for x in lines if x.measure == "accuracy"), None)})
        return lines


def offline() -> list[Path]:
    """Folders of offline runs that have not been uploaded, oldest first."""
    runs = sorted((paths.home() / "wandb" / "wandb").glob("offline-run-*"))
    return [run for run in runs if not list(run.glob("*.synced"))]
