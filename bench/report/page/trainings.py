"""The trainings behind a table: recipe with the source of each value, learning curves, cost and weights by seed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from bench.errors import BenchError
from bench.ledger import histories
from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.measures import MEASURES
from bench.plan import ExpectedTimes
from bench.report.page import drawing
from bench.report.page.evidence import budget_of, training_id
from bench.report.verdict import Finding, duration
from bench.spec.experiment import Experiment
from bench.spec.model import Model
from bench.spec.task import BUDGETS, Task

CURVES = {"test_accuracy": "test accuracy (%)", "test_loss": "test loss"}  # the first that a history has is drawn


@dataclass(frozen=True)
class Weights:
    """What one seed left behind."""

    seed: int
    experiment: str
    epochs: str
    time: str
    peak: str
    commit: str
    environment: str
    date: str
    sha256: str


@dataclass(frozen=True)
class Training:
    """A task and a model at one budget. ``recipe`` has name, value and source of each setting; or only of those that
    differ from the recipe of another training on the page, whose id is ``base``, with ``base_title``.
    """

    id: str
    title: str
    budget: str
    departs: str
    recipe: tuple[tuple[str, str, str], ...]
    curves: Markup | str
    no_curves: str
    weights: tuple[Weights, ...]
    expected: str
    base: str = ""
    base_title: str = ""


def trainings(findings: Iterable[Finding], index: Index, times: ExpectedTimes) -> list[Training]:
    """The trainings of the cells that an experiment can measure, each once."""
    by_id: dict[str, Training] = {}
    for f in findings:
        cell = f.cell
        if not cell.runnable:
            continue
        assert cell.task is not None and cell.model is not None and cell.measure is not None
        name = training_id(cell, budget_of(f))
        if name not in by_id:
            by_id[name] = _training(name, cell.task, cell.model, budget_of(f), index, times)
    return list(_shortened(by_id.values()))


def homes(findings: Mapping[str, Iterable[Finding]]) -> dict[str, str]:
    """Id of a training -> the first table with a cell of it: the page that has its recipe."""
    found: dict[str, str] = {}
    for table, of_table in findings.items():
        for f in of_table:
            if f.cell.runnable:
                found.setdefault(training_id(f.cell, budget_of(f)), table)
    return found


def _shortened(full: Iterable[Training]) -> Iterator[Training]:
    """The first training of each task and budget as it is; of the others the settings that differ from it."""
    firsts: dict[tuple[str, str], Training] = {}
    for training in full:
        task = training.id.split("/")[1]
        first = firsts.setdefault((task, training.budget), training)
        if first is training:
            yield training
            continue
        names = {name for name, _, _ in training.recipe}
        absent = tuple((name, "default", "") for name, _, _ in first.recipe if name not in names)
        different = tuple(row for row in training.recipe if row not in first.recipe)
        yield replace(training, recipe=different + absent, base=first.id, base_title=first.title)


def _training(name: str, task: Task, model: Model, budget: str, index: Index, times: ExpectedTimes) -> Training:
    experiment = index.experiment(task, model, budget)
    lines = _lines(experiment, index)
    drawn, reason = _curves(name, experiment, [line.seed for line in lines])
    seconds = None if lines else times.usual(experiment, ())
    return Training(
        name,
        f"{task.title}, {model.title}",
        f"{budget} budget: {BUDGETS[budget]}",
        experiment.departs,
        tuple((key, _plain(value), experiment.sources[key]) for key, value in experiment.config.items()),
        drawn,
        reason,
        tuple(_weights(line) for line in lines),
        f"about {duration(seconds)} a seed" if seconds else "",
    )


def _lines(experiment: Experiment, index: Index) -> list[Line]:
    """One finished line a seed, that of a training (a measure of the history) where there is one, with its time."""
    by_seed: dict[int, Line] = {}
    for line in index.by_config(experiment.config_hash):
        current = (line.budget, line.data_hash) == (experiment.budget, experiment.data_hash)
        if not current or not line.version.startswith(f"{experiment.versions} "):
            continue
        if line.seed not in by_seed or _training_time(line) > _training_time(by_seed[line.seed]):
            by_seed[line.seed] = line
    return [by_seed[seed] for seed in sorted(by_seed)]


def _training_time(line: Line) -> float:
    """Seconds of the training; 0 where the line has those of reading a measure, or nothing."""
    measure = MEASURES.get(line.measure)
    return line.wall_s or 0.0 if measure and measure.from_history else 0.0


def _weights(line: Line) -> Weights:
    return Weights(
        line.seed,
        line.experiment,
        str(line.epochs or ""),
        duration(seconds) if (seconds := _training_time(line)) else "not recorded",
        f"{line.peak_mb:.0f} MB" if line.peak_mb else "",
        line.git_commit + (" with changes" if line.git_dirty else ""),
        line.environment,
        line.started_utc[:10],
        line.checkpoint_sha256,
    )


def _curves(training: str, experiment: Experiment, seeds: Iterable[int]) -> tuple[Markup | str, str]:
    """The learning curves of ``seeds``, or the reason why there are none."""
    columns = {}
    for seed in seeds:
        try:
            history = histories.read(Experiment(experiment.task, experiment.model, seed, experiment.budget))
        except BenchError as error:
            return "", str(error)
        if history is not None:
            columns[seed] = history
    for name, label in CURVES.items():
        drawn = [drawing.Curve(f"seed {seed}", history[name]) for seed, history in columns.items() if name in history]
        if drawn:
            return drawing.curves(drawn, label, f"curve/{training}"), ""
    return "", "No history of this training is stored, so no learning curve is drawn."


def _plain(value: Any) -> str:
    """A setting in print."""
    if isinstance(value, str):
        return value or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict) and value:
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
    if value in ({}, []):
        return "none"
    return json.dumps(value, ensure_ascii=False)
