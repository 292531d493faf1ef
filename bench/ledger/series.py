"""Series behind a measure's value (curves, distributions): one CSV file each under ``results/series/``, for figures.
No torch.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean

from bench import paths
from bench.errors import BenchError
from bench.ledger import csv_files
from bench.ledger.store import write
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure

REMEDY = "take it back from git or train again"


def path(experiment: Experiment, measure: Measure, protocol: str) -> Path:
    """File of a series. The experiment's id is in its name, so that a changed recipe never finds an old one."""
    name = f"{experiment.model.name}_{experiment.budget}_{experiment.seed}_{protocol}_{experiment.id}.csv"
    return paths.results() / "series" / measure.name / experiment.task.name / name


def training_file(kind: str, experiment: Experiment) -> Path:
    """File of what a training leaves behind beside its measures, of the ``kind`` "history" or "correct"."""
    name = f"{experiment.model.name}_{experiment.budget}_{experiment.seed}_{experiment.id}.csv"
    return paths.results() / "series" / kind / experiment.task.name / name


def training_file_present(kind: str, experiment: Experiment) -> Path | None:
    """Such a file that exists. The same training may have another model's or budget's name in it, but has one id."""
    file = paths.present(training_file(kind, experiment))
    if file.exists():
        return file
    pattern = f"series/{kind}/{experiment.task.name}/*_{experiment.id}.csv"
    folders = filter(None, (paths.results(), paths.below()))
    return next((found for folder in folders for found in sorted(folder.glob(pattern))), None)


def write_series(experiment: Experiment, measure: Measure, protocol: str, columns: dict[str, list]) -> None:
    """Write ``columns`` of equal length (numbers to 6 digits), whole or not at all; nothing where there are none."""
    if not columns:
        return
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in row])
    write(path(experiment, measure, protocol), out.getvalue())


def read(experiment: Experiment, measure: Measure, protocol: str) -> dict[str, list[float]] | None:
    """The columns, ``None`` without such a file. Raises ``BenchError`` for a damaged file."""
    file = paths.present(path(experiment, measure, protocol))
    return read_columns(file, _header_problem) if file.exists() else None


def read_columns(file: Path, header_problem: Callable[[list[str]], str]) -> dict[str, list[float]]:
    """The columns of a file of numbers. Raises ``BenchError`` as ``csv_files.read``, and for a field that is none."""
    header, rows = csv_files.read(file, header_problem, REMEDY)
    try:
        columns = [list(map(float, texts)) for texts in zip(*rows, strict=True)] or [[] for _ in header]
    except ValueError:
        raise BenchError(f"{file}:{_not_a_number(header, rows)}; {REMEDY}") from None
    return dict(zip(header, columns, strict=True))


def _not_a_number(header: list[str], rows: list[list[str]]) -> str:
    """Line, name and text of the first field that is no number."""
    return next(
        f"{number}: {name} is {text!r}, not a number"
        for number, row in enumerate(rows, start=2)
        for name, text in zip(header, row, strict=True)
        if not _is_number(text)
    )


def _header_problem(header: list[str]) -> str:
    if len(set(header)) == len(header) and all(name and not _is_number(name) for name in header):
        return ""
    return "the header does not have a name for each column"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def repeats(columns: Mapping[str, list[float]], measure: Measure) -> list[float]:
    """The numbers whose mean, but for a constant, is the value of ``measure``: one for each attacked sample that was
    fooled, or for each pair of directions.

    Points of a grid are drawn and no part of the value. Empty where the measure or the series has no such thing.
    """
    if measure.repeats is None or any(name not in columns for name in measure.repeats):
        return []
    values, labels = (columns[name] for name in measure.repeats)
    on_grid = columns.get("grid", [0] * len(values))
    by_label: dict[float, list[float]] = {}
    for value, label, grid in zip(values, labels, on_grid, strict=True):
        if math.isfinite(value) and not grid:
            by_label.setdefault(label, []).append(value)
    return [fmean(numbers) for numbers in by_label.values()]
