"""Histories: loss and accuracy after every epoch of an experiment, one CSV file each under
``results/series/history/``. No torch.
"""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import paths
from bench.errors import BenchError
from bench.ledger import series, store
from bench.ledger.store import Line
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure
from bench.spec.model import Model
from bench.spec.task import Task

FOLDER = "history"
COUNTERS = ("epoch", "step")  # ``step``: optimiser steps until then
METRICS = ("train/loss", "test/loss", "test/accuracy", "val/loss", "val/accuracy", "spike_rate")
COLUMNS = (*COUNTERS, *(name.replace("/", "_") for name in METRICS))
Columns = dict[str, list[float]]


def path(experiment: Experiment) -> Path:
    """File of the history of ``experiment``, with its id in the name."""
    return series.training_file(FOLDER, experiment)


def write(experiment: Experiment, records: Sequence[Mapping[str, Any]], steps: int) -> None:
    """Write the ``records`` of a training, one for each epoch, whole or not at all. ``steps``: its optimiser steps.

    Numbers have 7 digits, as in the ledger. A metric without a finite number in every record has no column.
    """
    names = [name for name in METRICS if all(math.isfinite(record.get(name, math.nan)) for record in records)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COUNTERS, *(name.replace("/", "_") for name in names)])
    for epoch, record in enumerate(records, start=1):
        writer.writerow([epoch, epoch * (steps // len(records)), *(f"{record[name]:.7g}" for name in names)])
    store.write(path(experiment), out.getvalue())


def read(experiment: Experiment, epochs: int | None = None) -> Columns | None:
    """The columns of a history, ``None`` without a file. Raises ``BenchError`` for a damaged file.

    With ``epochs``, the number of epochs in the ledger, it also raises where the file has another number.
    """
    file = series.training_file_present(FOLDER, experiment)
    return None if file is None else _read_file(file, epochs)


def seeds(task: Task, model: Model, budget: str) -> list[int]:
    """The seeds of the experiments of ``model`` on ``task`` that have a history, sorted."""
    if budget != "paper" and budget not in task.budgets:
        return []
    pattern = f"series/{FOLDER}/{task.name}/*_*_*_*.csv"
    folders = filter(None, (paths.results(), paths.below()))
    names = [file.stem.split("_") for folder in folders for file in folder.glob(pattern)]
    ids = {name[-1] for name in names}
    numbers = sorted({int(name[-2]) for name in names if name[-2].isdigit()})
    return [seed for seed in numbers if Experiment(task, model, seed, budget).id in ids]


def value(experiment: Experiment, measure: Measure, epochs: int, protocol: str) -> float | None:
    """What ``measure`` would be if the training had stopped after ``epochs`` epochs, rounded as in the ledger.

    ``None`` without a history, with a shorter one, and for a measure that is not a column of it. A learning-rate
    schedule is that of the whole training. Raises ``BenchError`` as ``read``.
    """
    columns = read(experiment)
    key = measure.key.replace("/", "_")
    if columns is None or measure.reader or key not in columns or not 1 <= epochs <= len(columns["epoch"]):
        return None
    chosen_by = {"last": "epoch", "best_test": key, "best_val": f"val_{key.removeprefix('test_')}"}.get(protocol)
    if chosen_by not in columns:
        return None
    numbers = columns[chosen_by][:epochs]
    best = max if protocol == "last" or measure.best == "max" else min
    return round(columns[key][numbers.index(best(numbers))], 4 if measure.unit else 7)


def check(lines: Iterable[Line]) -> None:
    """Read every history of this ledger. Raises ``BenchError`` as ``read`` for the first that is damaged."""
    epochs: dict[str, int] = defaultdict(int)
    for line in lines:
        if line.status == "ok":
            epochs[line.experiment] = line.epochs or 0
    for file in sorted((paths.results() / "series" / FOLDER).glob("*/*.csv")):
        _read_file(file, epochs[file.stem.split("_")[-1]] or None)


def _read_file(file: Path, epochs: int | None) -> Columns:
    columns = series.read_columns(file, _header_problem)
    if problem := _problem(columns, epochs):
        raise BenchError(f"{file}: {problem}; {series.REMEDY}")
    return columns


def _header_problem(header: list[str]) -> str:
    if tuple(header[:2]) == COUNTERS and len(header) > 2 and header == [name for name in COLUMNS if name in header]:
        return ""
    return f"the header is not that of a history (epoch, step, and some of {', '.join(COLUMNS[2:])})"


def _problem(columns: Columns, epochs: int | None) -> str:
    """What is wrong with the numbers below a right header; empty where nothing is."""
    rows = len(columns["epoch"])
    if not rows:
        return "it is cut off"
    for name, numbers in columns.items():
        for number, value in enumerate(numbers, start=1):
            if not math.isfinite(value):
                return f"line {number + 1} has {name} {value}, which is not a finite number"
            if name == "epoch" and value != number:
                return f"epoch {number} is missing: line {number + 1} has epoch {value:g}"
    if epochs and rows != epochs:
        return f"it has {rows} epochs where the ledger has {epochs}"
    return ""
