"""Ledger lines for experiments whose data is not there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bench.experiment import Experiment, Measure
from bench.ledger import Line
from datamodules.sources import SOURCES


def missing_data(experiment: Experiment, measures: tuple[Measure, ...]) -> list[Line]:
    """Lines that say the data of ``experiment`` was not there."""
    source = SOURCES[experiment.config["data"]]
    line = Line(
        experiment.id,
        "",
        experiment.task.name,
        experiment.model.name,
        experiment.seed,
        experiment.budget,
        source.name,
        status="data missing",
    )
    line = replace(line, error=f"{source.title} is not in BENCH_DATA", config_hash=experiment.config_hash, data_hash=experiment.data_hash)
    line = replace(line, started_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    return [replace(line, measure=m.name, unit=m.unit, version=experiment.version(m)) for m in measures]
