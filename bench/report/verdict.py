"""What the ledger says about a cell: value, interval, status and verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from bench.ledger import series
from bench.ledger.store import Line
from bench.ledger.validity import valid
from bench.plan import usual_seconds
from bench.report import facts
from bench.spec.experiment import Experiment
from bench.spec.table import Cell, Table
from datamodules.sources import SOURCES

# Student t, two-sided 95 %, by degrees of freedom; 1.96 beyond
_T95 = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
    2.120,
    2.110,
    2.101,
    2.093,
    2.086,
)


@dataclass(frozen=True)
class Finding:
    """One cell as measured or, for a fact, computed. ``status``: measured, stale, ready to run, not run (nothing can
    run it yet), not reported, not applicable, data missing. ``text`` is what a fact says.
    """

    cell: Cell
    status: str
    note: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    budget: str = ""
    protocol: str = ""
    data: str = ""
    params: int | None = None
    verdict: str = ""
    text: str = ""
    seeds: tuple[int, ...] = ()


def mean_interval(values: list[float]) -> tuple[float, float]:
    """95 % interval of the mean of two or more values (Student t): of seeds, or of a series' repeats."""
    t = _T95[len(values) - 2] if len(values) - 2 < len(_T95) else 1.96
    half = t * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


def sampling_interval(percent: float, n: int) -> tuple[float, float]:
    """95 % Wilson interval in % of an accuracy from ``n`` test samples: what one seed can say."""
    z, p = 1.96, percent / 100
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return 100 * (centre - half), 100 * (centre + half)


def published_number(cell: Cell) -> float | None:
    """The published value as a number, ``None`` where it is not one."""
    try:
        return float((cell.published or "").replace(",", ""))
    except ValueError:
        return None


def find_result(table: Table, cell: Cell, lines: Iterable[Line]) -> Finding:
    """The best the ledger has for ``cell``: paper budget before laptop, current before stale."""
    if cell.fact and cell.absent != "not applicable":
        a = facts.answer(cell)
        return Finding(cell, a.status, _join(cell.note, a.note), params=a.params, verdict=a.verdict, text=a.text)
    if not cell.runnable:
        return Finding(cell, cell.absent or "not run", cell.note)
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    task, model, measure = cell.task, cell.model, cell.measure
    everything = list(lines)
    for budget in ("paper", "laptop"):
        if current := results(cell, budget, everything):
            protocol = table.protocol if table.protocol in current else min(current)
            return _measured(cell, budget, protocol, current)
    lines = [line for line in everything if line.task == task.name and line.measure == measure.name]
    mine = [line for line in lines if line.model == model.name and line.budget in ("paper", "laptop")]
    stale = [line for line in mine if line.status == "ok" and line.protocol == table.protocol]
    if stale:
        last = max(stale, key=lambda line: line.started_utc)
        was = f"measured {last.started_utc[:10]} by another version ({last.version}, config {last.config_hash})"
        return Finding(
            cell,
            "stale",
            _join(cell.note, was),
            last.value,
            n=1,
            budget=last.budget,
            protocol=last.protocol,
            data=last.data,
        )
    last_try = max(mine, key=lambda line: line.started_utc, default=None)
    if last_try and last_try.status == "not applicable":
        return Finding(cell, "not applicable", _join(cell.note, last_try.error))
    looked = max(
        (line for line in everything if line.data == task.data), key=lambda line: line.started_utc, default=None
    )
    if looked and looked.status == "data missing":
        where = f"{SOURCES[task.data].title} was not there on {looked.started_utc[:10]}: python -m bench data status"
        return Finding(cell, "data missing", _join(cell.note, where), data=task.data)
    failed = (
        f"last attempt ({last_try.budget}): {last_try.status}, {last_try.error}"
        if last_try and last_try.status != "ok"
        else ""
    )
    about = cell.note if cell.published or cell.absent else ""  # of a stand-in: its real column says it
    return Finding(cell, "ready to run", _join(about, failed, _ready(table, cell, everything)))


def results(cell: Cell, budget: str, lines: Iterable[Line]) -> dict[str, dict[int, Line]]:
    """Current finished lines of a runnable ``cell`` at ``budget``: protocol -> seed -> line. Empty without any."""
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    if budget != "paper" and budget not in cell.task.budgets:
        return {}
    found: dict[str, dict[int, Line]] = {}
    known: dict[int, Experiment] = {}
    asked = [
        x for x in lines if (x.measure, x.status, x.budget) == (cell.measure.name, "ok", budget)
    ]  # of any task: names do not count
    for line in sorted(asked, key=lambda line: line.started_utc):
        if line.seed not in known:
            known[line.seed] = Experiment(cell.task, cell.model, line.seed, budget)
        if line.experiment == known[line.seed].id and valid(line, known[line.seed], cell.measure):
            found.setdefault(line.protocol, {})[line.seed] = line
    return found


def _ready(table: Table, cell: Cell, lines: list[Line]) -> str:
    """How to run a cell, and how long its experiment took before."""
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    budget = "laptop" if "laptop" in cell.task.budgets else "paper"
    seconds = usual_seconds(Experiment(cell.task, cell.model, 0, budget), (cell.measure,), lines)
    time = f"about {duration(seconds)} an experiment" if seconds else "time not known yet"
    return f'{time} at {budget} budget: python -m bench run {table.id} --column "{cell.column}" --budget {budget}'


def duration(seconds: float) -> str:
    """``80 s``, ``12 min`` or ``3.4 h``."""
    return (
        f"{seconds:.0f} s"
        if seconds < 100
        else f"{seconds / 60:.0f} min"
        if seconds < 6000
        else f"{seconds / 3600:.1f} h"
    )


def interval(cell: Cell, lines: list[Line]) -> tuple[float, float | None, float | None]:
    """Mean of ``lines`` (one a seed) of ``cell`` and its 95 % interval: over seeds; with one seed of the test sample,
    or over the repeats in the stored series (attacked samples, pairs of directions). ``None`` where there is
    neither.
    """
    values = [line.value for line in lines if line.value is not None]
    value, first = fmean(values), lines[0]
    if len(values) > 1:
        return value, *mean_interval(values)
    if first.unit == "%" and first.n_test:
        return value, *sampling_interval(value, first.n_test)
    if len(repeats := _repeats(cell, first)) > 1:
        low, high = mean_interval(repeats)
        return value, value - (high - low) / 2, value + (high - low) / 2
    return value, None, None


def _repeats(cell: Cell, line: Line) -> list[float]:
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    if cell.measure.repeats is None:
        return []
    return series.repeats(
        series.read(Experiment(cell.task, cell.model, line.seed, line.budget), cell.measure, line.protocol) or {},
        cell.measure,
    )


def _measured(cell: Cell, budget: str, protocol: str, current: dict[str, dict[int, Line]]) -> Finding:
    chosen = [line for _, line in sorted(current[protocol].items())]
    value, low, high = interval(cell, chosen)
    first = chosen[0]
    digits = cell.measure.digits if cell.measure else 2
    others = [
        f"{name} {fmean(line.value for line in by_seed.values() if line.value is not None):.{digits}f}"
        for name, by_seed in current.items()
        if name != protocol
    ]
    note = _join(cell.note, _reduced(cell, budget, first), *others)
    verdict, seeds = _verdict(cell, budget, value, low, high), tuple(line.seed for line in chosen)
    return Finding(
        cell,
        "measured",
        note,
        value,
        low,
        high,
        len(chosen),
        budget,
        protocol,
        first.data,
        first.params,
        verdict,
        seeds=seeds,
    )


def _reduced(cell: Cell, budget: str, line: Line) -> str:
    """What a reduced budget changes: the epochs, and each other setting."""
    assert cell.task is not None and cell.model is not None
    if budget == "paper":
        return ""
    here, whole = (_flat(Experiment(cell.task, cell.model, line.seed, b).config) for b in (budget, "paper"))
    changed = [name for name in {**here, **whole} if name != "epochs" and here.get(name) != whole.get(name)]
    epochs = f"{line.epochs} of {whole['epochs']} epochs" if line.epochs not in (None, whole["epochs"]) else ""
    return _join(
        epochs,
        *(
            f"{name.replace('_', ' ')} {here.get(name, 'none')} instead of {whole.get(name, 'none')}"
            for name in changed
        ),
    )


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by their own names, without those of what they belong to."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= _flat(value) if isinstance(value, Mapping) else {name: value}
    return flat


def _verdict(cell: Cell, budget: str, value: float, low: float | None, high: float | None) -> str:
    """For the paper's own budget on the real data ``within`` the measure's tolerance, ``in interval`` where the
    interval alone holds the published value, ``above`` or ``below``; a label for everything else.
    """
    assert cell.task is not None and cell.measure is not None
    kind = SOURCES[cell.task.data].kind
    labels = [*([f"{budget} budget"] if budget != "paper" else []), *([kind] if kind != "full" else [])]
    if labels:
        return ", ".join(labels)
    published = published_number(cell)
    if published is None:
        return ""
    if abs(value - published) <= cell.measure.tolerance:
        return "within"
    if low is not None and high is not None and low <= published <= high:
        return "in interval"
    return "above" if value > published else "below"


def _join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
