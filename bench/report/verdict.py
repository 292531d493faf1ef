"""What the ledger says about a cell: value, interval, status and verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any
from weakref import WeakKeyDictionary

from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.plan import ExpectedTimes
from bench.report import facts
from bench.report.intervals import Interval, interval, parted
from bench.spec.also_published import AlsoPublished
from bench.spec.experiment import Experiment
from bench.spec.predicates import CLEAR
from bench.spec.table import Cell, Table
from datamodules.sources import SOURCES, missing

SHOWN_BUDGETS = ("paper", "laptop")  # a table shows the first of them that has a result
REPRODUCED = "reproduced"
ABOVE = "above"
BELOW = "below"
INCONCLUSIVE = "inconclusive"
VERDICTS = (REPRODUCED, ABOVE, BELOW, INCONCLUSIVE)


@dataclass(frozen=True)
class Finding:
    """One cell as measured or, for a fact, computed. ``status``: measured, stale, ready to run, not run (nothing can
    run it yet), not reported, not applicable, data missing. ``text`` is what a fact says.

    ``verdict`` is one of ``VERDICTS``, or a label that says why there is none. ``parted`` says how many seeds learn
    where they fall into two groups. ``date`` and ``commit`` are those of the newest line, ``epochs`` those trained.
    ``also_published`` is what other papers print for the cell; no verdict depends on it.
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
    parted: str = ""
    epochs: tuple[int, ...] = ()
    date: str = ""
    commit: str = ""
    also_published: tuple[AlsoPublished, ...] = ()

    @property
    def half(self) -> float | None:
        """Half of the interval; ``None`` without one, or where the seeds fall into two groups."""
        return None if self.low is None or self.high is None or self.parted else (self.high - self.low) / 2


def published_number(cell: Cell) -> float | None:
    """The published value as a number, ``None`` where it is not one."""
    try:
        return float((cell.published or "").replace(",", ""))
    except ValueError:
        return None


class _Surroundings:
    """What a cell without a result is told beside its ledger lines: expected times, and which data is missing."""

    def __init__(self, index: Index) -> None:
        self.times = ExpectedTimes(index)
        self._missing: dict[str, bool] = {}

    def missing(self, data: str) -> bool:
        """Whether files of the data set ``data`` are not here; asked once."""
        if data not in self._missing:
            self._missing[data] = bool(missing(data))
        return self._missing[data]


_SURROUNDINGS: WeakKeyDictionary[Index, _Surroundings] = WeakKeyDictionary()


def _surroundings(index: Index) -> _Surroundings:
    if index not in _SURROUNDINGS:
        _SURROUNDINGS[index] = _Surroundings(index)
    return _SURROUNDINGS[index]


def status_of(table: Table, cell: Cell, lines: Iterable[Line], live: bool = False) -> str:
    """``find_result(…).status`` without the value: what counting needs."""
    if cell.fact and cell.absent != "not applicable":
        return facts.answer(cell).status
    return _state(table, cell, Index.of(lines), live)[0]


def find_result(table: Table, cell: Cell, lines: Iterable[Line], live: bool = False) -> Finding:
    """The best the ledger has for ``cell``: paper budget before laptop, current before stale.

    An ``Index`` as ``lines`` is looked up, any other is indexed first. ``live``: data that is missing at this moment is
    said to be missing. Otherwise data on which the ledger has results counts as available, so that a rendered file is
    the same on every machine.
    """
    if cell.fact and cell.absent != "not applicable":
        a = facts.answer(cell)
        return Finding(cell, a.status, _join(cell.note, a.note), params=a.params, verdict=a.verdict, text=a.text)
    index = Index.of(lines)
    status, budget, found = _state(table, cell, index, live)
    if cell.task is None or not cell.runnable:
        return Finding(cell, status, cell.note)
    if status == "measured":
        protocol = table.protocol if table.protocol in found else min(found)
        return _measured(cell, budget, protocol, found, index)
    if status == "data missing":
        reason = f"{SOURCES[cell.task.data].title} is not here: python -m bench data status"
        return Finding(cell, status, _join(cell.note, reason), data=cell.task.data)
    last = max(found, key=lambda line: line.started_utc, default=None)
    if status == "stale" and last:
        reason = f"measured {last.started_utc[:10]} by another version ({last.version}, config {last.config_hash})"
        note = _join(cell.note, reason)
        return Finding(cell, status, note, last.value, None, None, 1, last.budget, last.protocol, last.data)
    if status == "not applicable" and last:
        return Finding(cell, status, _join(cell.note, last.error))
    about = cell.note if cell.published or cell.absent else ""  # of a stand-in: the paper's own column has it
    attempt = f"last attempt ({last.budget}): {last.status}, {last.error}" if last and last.status != "ok" else ""
    return Finding(cell, status, _join(about, attempt, _ready(table, cell, _surroundings(index).times)))


def _state(table: Table, cell: Cell, index: Index, live: bool) -> tuple[str, str, Any]:
    """Status of a cell that is no fact, the budget of its result, and the lines behind both: of a result as ``results``
    gives them, of anything else as a list.
    """
    if not cell.runnable:
        return cell.absent or "not run", "", []
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    for budget in SHOWN_BUDGETS:
        if current := results(cell, budget, index):
            return "measured", budget, current
    attempts = [x for x in index.attempts(cell.task, cell.model, cell.measure) if x.budget in SHOWN_BUDGETS]
    if stale := [line for line in attempts if line.status == "ok" and line.protocol == table.protocol]:
        return "stale", "", stale
    last = max(attempts, key=lambda line: line.started_utc, default=None)
    if last and last.status == "not applicable":
        return "not applicable", "", [last]
    attempts = [line for line in attempts if line.status != "data missing"]  # a line of an older version of the suite
    known = cell.task.data in index.data and not live
    if not known and _surroundings(index).missing(cell.task.data):
        return "data missing", "", attempts
    return "ready to run", "", attempts


def results(cell: Cell, budget: str, lines: Iterable[Line]) -> dict[str, dict[int, Line]]:
    """Current finished lines of a runnable ``cell`` at ``budget``: protocol -> seed -> line. Empty without any."""
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    if budget != "paper" and budget not in cell.task.budgets:
        return {}
    by_protocol: dict[str, dict[int, Line]] = {}
    for line in Index.of(lines).current(cell.task, cell.model, cell.measure, budget):
        by_protocol.setdefault(line.protocol, {})[line.seed] = line
    return by_protocol


def _ready(table: Table, cell: Cell, times: ExpectedTimes) -> str:
    """How to run a cell, and how long its experiment took before."""
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    budget = "laptop" if "laptop" in cell.task.budgets else "paper"
    seconds = times.usual(Experiment(cell.task, cell.model, 0, budget), (cell.measure,))
    time = f"about {duration(seconds)} an experiment" if seconds else "time not known yet"
    return f'{time} at {budget} budget: python -m bench run {table.id} --column "{cell.column}" --budget {budget}'


def duration(seconds: float) -> str:
    """``80 s``, ``12 min`` or ``3.4 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _measured(
    cell: Cell, budget: str, protocol: str, by_protocol: Mapping[str, Mapping[int, Line]], index: Index
) -> Finding:
    assert cell.measure is not None
    lines = [line for _, line in sorted(by_protocol[protocol].items())]
    found = interval(cell, lines)
    first = lines[0]
    newest = max(lines, key=lambda line: line.started_utc)
    others = [
        f"{name} {fmean(line.value for line in by_seed.values() if line.value is not None):.{cell.measure.digits}f}"
        for name, by_seed in by_protocol.items()
        if name != protocol
    ]
    return Finding(
        cell,
        "measured",
        _join(cell.note, _reduction(cell, budget, first, index), *others, _missing_samples(cell)),
        found.value,
        found.low,
        found.high,
        len(lines),
        budget,
        protocol,
        first.data,
        first.params,
        verdict(cell, budget, found),
        seeds=tuple(line.seed for line in lines),
        parted=parted(cell, found),
        epochs=tuple(sorted({line.epochs for line in lines if line.epochs is not None})),
        date=newest.started_utc[:10],
        commit=newest.git_commit,
    )


def _missing_samples(cell: Cell) -> str:
    """How many test samples the data lacks, and by how much they can change an accuracy."""
    assert cell.task is not None and cell.measure is not None
    source = SOURCES[cell.task.data]
    shortage = source.shortage("test")
    if not shortage:
        return ""
    points = f", at most {source.worst_case():.2f} points" if cell.measure.unit == "%" else ""
    return f"{source.kind}: {shortage} test samples are missing{points}"


def _reduction(cell: Cell, budget: str, line: Line, index: Index) -> str:
    """What a reduced budget changes: the epochs, and each other setting."""
    assert cell.task is not None and cell.model is not None
    if budget == "paper":
        return ""
    reduced, full = (_flat(index.experiment(cell.task, cell.model, name).config) for name in (budget, "paper"))
    changed = [name for name in {**reduced, **full} if name != "epochs" and reduced.get(name) != full.get(name)]
    epochs = f"{line.epochs} of {full['epochs']} epochs" if line.epochs not in (None, full["epochs"]) else ""
    settings = [
        f"{name.replace('_', ' ')} {reduced.get(name, 'none')} instead of {full.get(name, 'none')}" for name in changed
    ]
    return _join(epochs, *settings)


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by their own names, without those of what they belong to."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= _flat(value) if isinstance(value, Mapping) else {name: value}
    return flat


def label(cell: Cell, budget: str) -> str:
    """Why a value of ``cell`` at ``budget`` gets no verdict, empty where it gets one."""
    assert cell.task is not None and cell.model is not None
    source = SOURCES[cell.task.data]
    departs = Experiment(cell.task, cell.model, 0, budget).departs
    labels = [
        "own" if cell.own else "",
        f"{budget} budget" if budget != "paper" else "",
        source.kind if source.kind not in ("full", "near-complete") else "",
        "tested on what it was trained on" if source.tested_on_training else "",
        f"another recipe: {departs}" if departs else "",
    ]
    return ", ".join(filter(None, labels))


def verdict(cell: Cell, budget: str, found: Interval) -> str:
    """For the paper's own budget, recipe and data: whether the interval lies inside the measure's tolerance around the
    published value (reproduced), outside of it (above, below), or neither (inconclusive). A label for everything else.

    One seed says nothing about others: it is inconclusive unless it lies ``CLEAR`` half-widths outside.
    """
    assert cell.measure is not None
    if reason := label(cell, budget):
        return reason
    published = published_number(cell)
    if published is None:
        return ""
    if found.low is None or found.high is None or parted(cell, found):
        return INCONCLUSIVE
    low, high = published - cell.measure.tolerance, published + cell.measure.tolerance
    if len(found.values) == 1:
        clear = CLEAR * (found.high - found.low) / 2
        low, high = low - clear, high + clear
        return _outside(found.value, found.value, low, high) or INCONCLUSIVE
    if low <= found.low and found.high <= high:
        return REPRODUCED
    return _outside(found.low, found.high, low, high) or INCONCLUSIVE


def _outside(low: float, high: float, lowest: float, highest: float) -> str:
    """The side on which the interval from ``low`` to ``high`` lies outside of ``lowest`` to ``highest``, if any."""
    if low > highest:
        return ABOVE
    return BELOW if high < lowest else ""


def _join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
