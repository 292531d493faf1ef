"""Ledger lines of an experiment, finished or not. No torch."""

from __future__ import annotations

from datetime import UTC, datetime

from bench.ledger import provenance
from bench.ledger.store import Line
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure


def now() -> str:
    """The present as the ledger writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_lines(experiment: Experiment, measures: tuple[Measure, ...], status: str, error: str) -> list[Line]:
    """One line for each measure, without a value. ``status`` is the ledger's word; ``error`` is the reason, for people,
    why there is no value.
    """
    commit, dirty = provenance.git()
    return [
        Line(
            experiment=experiment.id,
            measure=measure.name,
            task=experiment.task.name,
            model=experiment.model.name,
            seed=experiment.seed,
            budget=experiment.budget,
            data=experiment.config["data"],
            unit=measure.unit,
            status=status,
            error=error[:300],
            config_hash=experiment.config_hash,
            data_hash=experiment.data_hash,
            version=experiment.version(measure),
            git_commit=commit,
            git_dirty=dirty,
            started_utc=now(),
        )
        for measure in measures
    ]
