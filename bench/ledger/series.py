"""Series behind a measure's value (curves, distributions): one CSV each under ``results/series/``, for figures. No
torch.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from bench import paths
from bench.ledger.store import write
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure


def path(experiment: Experiment, measure: Measure, protocol: str) -> Path:
    """Where a series is; the experiment's id is in the name, so that a changed recipe never finds an old one."""
    e = experiment
    name = f"{e.model.name}_{e.budget}_{e.seed}_{protocol}_{e.id}.csv"
    return paths.results() / "series" / measure.name / e.task.name / name


def write_series(experiment: Experiment, measure: Measure, protocol: str, columns: dict[str, list]) -> None:
    """Write ``columns`` of equal length (numbers to 6 digits), whole or not at all; nothing where there are none."""
    if not columns:
        return
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(
        [f"{v:.6g}" if isinstance(v, float) else v for v in row] for row in zip(*columns.values(), strict=True)
    )
    write(path(experiment, measure, protocol), out.getvalue())


def read(experiment: Experiment, measure: Measure, protocol: str) -> dict[str, list[float]] | None:
    """The columns, ``None`` where the series is not there."""
    where = path(experiment, measure, protocol)
    if not where.exists():
        return None
    header, *rows = csv.reader(io.StringIO(where.read_text(encoding="utf-8")))
    return {name: [float(row[i]) for row in rows] for i, name in enumerate(header)}


def repeats(columns: Mapping[str, list[float]], measure: Measure) -> list[float]:
    """What the value of ``measure`` is the mean of, but for a constant: one an attacked sample that was fooled, one a
    pair of directions.

    Points of a grid are drawn and no part of the value. Empty where the measure or the series has no such thing.
    """
    if measure.repeats is None or any(name not in columns for name in measure.repeats):
        return []
    value, by = (columns[name] for name in measure.repeats)
    found: dict[float, list[float]] = {}
    for number, one, drawn in zip(value, by, columns.get("grid", [0] * len(value)), strict=True):
        if math.isfinite(number) and not drawn:
            found.setdefault(one, []).append(number)
    return [fmean(numbers) for numbers in found.values()]
