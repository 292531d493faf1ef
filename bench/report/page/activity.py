"""Trained networks in the terms of NeuroBench (Yik et al. 2025): footprint, sparsities and synaptic operations."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.papers.registry import TASKS, find_model
from bench.report import facts
from bench.spec.experiment import Experiment

FLOAT_BYTES = 4
UNKNOWN = "–"


@dataclass(frozen=True)
class Activity:
    """One trained network, with means over its seeds. ``effective_acs`` and ``dense`` are operations of one sample."""

    task: str
    model: str
    budget: str
    seeds: int
    footprint: str
    connection_sparsity: str
    activation_sparsity: str
    effective_acs: str
    dense: str


def activities(index: Index) -> list[Activity]:
    """Every trained network with spikes in the ledger. Numbers that facts.csv lacks are ``UNKNOWN``."""
    groups: dict[tuple[str, str, str, str], dict[int, Line]] = {}
    for line in index:
        if line.status == "ok" and line.spike_rate is not None and line.params and line.synops is not None:
            groups.setdefault((line.task, line.model, line.budget, line.config_hash), {})[line.seed] = line
    values = facts.read()
    return [_activity(list(by_seed.values()), values) for by_seed in groups.values()]


def _activity(lines: list[Line], values: dict[facts.Question, str]) -> Activity:
    """The activity of one network from its ``lines``, one a seed, and the ``values`` of facts.csv."""
    first = lines[0]
    experiment = _experiment(first)
    questions = facts.connections_of(experiment) if experiment else []
    known = {question.fact: values[question] for question in questions if question in values}
    dense = known.get("dense operations")
    return Activity(
        first.task,
        first.model,
        first.budget,
        len(lines),
        f"{FLOAT_BYTES * (first.params or 0) / 1000:,.0f} kB",
        known.get("connection sparsity", UNKNOWN),
        f"{1 - fmean(line.spike_rate or 0.0 for line in lines):.3f}",
        f"{fmean(line.synops or 0.0 for line in lines):,.0f}",
        f"{int(dense):,}" if dense else UNKNOWN,
    )


def _experiment(line: Line) -> Experiment | None:
    """The experiment of ``line``; ``None`` where its recipe is gone or is another one now."""
    if line.task not in TASKS or line.budget not in ("paper", *TASKS[line.task].budgets):
        return None
    try:
        experiment = Experiment(TASKS[line.task], find_model(line.model), line.seed, line.budget)
    except KeyError:
        return None
    return experiment if experiment.config_hash == line.config_hash else None
