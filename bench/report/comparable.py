"""The values of several cells at equal training: what claims compare (rule 1 of fair verdicts). No torch.

Cells at the paper's budget are compared as they are. Otherwise they are compared at the largest number of epochs that
all of them have, where a longer training is cut to it by its stored history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.ledger import correct, histories
from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.report.facts import answer
from bench.report.intervals import interval, parted
from bench.report.verdict import results
from bench.spec.estimates import Estimate
from bench.spec.experiment import Experiment
from bench.spec.grid import SEPARATOR
from bench.spec.table import Cell

PROTOCOL = "best_test"  # as the papers report; the last epoch where a measure has no other
BUDGETS = ("paper", "laptop")


@dataclass(frozen=True)
class Values:
    """The estimates of cells, in their order, with ``budget`` and ``training`` (budget, epochs, seeds, departures).

    Without estimates either ``missing`` cells have no value, or ``unequal`` says how many epochs the cells have;
    ``shortest`` are those with fewest.
    """

    estimates: tuple[Estimate, ...] = ()
    budget: str = ""
    training: str = ""
    missing: tuple[Cell, ...] = ()
    unequal: str = ""
    shortest: tuple[Cell, ...] = ()


def cell_names(cells: Sequence[Cell]) -> list[str]:
    """Row and column of each cell. Of rows with several parts those are left out that are the same in all of them."""
    rows = {cell.row: cell.row.split(SEPARATOR) for cell in cells}
    several = {row: parts for row, parts in rows.items() if len(parts) > 1}
    if len(several) > 1 and len({len(parts) for parts in several.values()}) == 1:
        differing = [k for k, parts in enumerate(zip(*several.values(), strict=True)) if k == 0 or len(set(parts)) > 1]
        rows |= {row: [parts[k] for k in differing] for row, parts in several.items()}
    return [f"{SEPARATOR.join(rows[cell.row])}, {cell.column}" for cell in cells]


def digits(cell: Cell) -> int:
    return cell.measure.digits if cell.measure else 0


def values(cells: Sequence[Cell], index: Index) -> Values:
    """The values of ``cells`` at equal training."""
    trained = {id(cell): _lines(cell, index) for cell in cells if not cell.fact}
    missing = tuple(c for c in cells if (_number(c) is None if c.fact else not any(trained[id(c)].values())))
    if missing:
        return Values(missing=missing)
    if all(lines["paper"] for lines in trained.values()):
        ended = [_estimate(cell, trained.get(id(cell), {}).get("paper", ()), ended=True) for cell in cells]
        return _values(cells, ended, "paper")
    budgets = BUDGETS if all(_differ_in_epochs(cell, index) for cell in cells if not cell.fact) else ("laptop",)
    found: dict[int, Estimate] = {}
    for task in dict.fromkeys(cell.task.name for cell in cells if cell.task and not cell.fact):
        group = [c for c in cells if not c.fact and c.task and c.task.name == task]
        equal = _at_equal_epochs(group, {id(c): [x for b in budgets for x in trained[id(c)][b]] for c in group})
        if equal is None:
            return _unequal(group, trained)
        found |= equal
    return _values(cells, [found[id(cell)] if id(cell) in found else _estimate(cell, ()) for cell in cells], "laptop")


def _values(cells: Sequence[Cell], estimates: Sequence[Estimate], budget: str) -> Values:
    """``estimates`` of ``cells``, named. Test samples are paired on one data set only."""
    estimates = [replace(estimate, name=name) for estimate, name in zip(estimates, cell_names(cells), strict=True)]
    if len({cell.task.data for cell in cells if cell.task}) > 1:
        estimates = [replace(estimate, right=None) for estimate in estimates]
    return Values(tuple(estimates), budget, _training(cells, estimates, budget))


def _lines(cell: Cell, index: Index) -> dict[str, list[Line]]:
    """Budget -> finished lines of ``cell``, one a seed."""
    by_budget: dict[str, list[Line]] = {}
    for budget in BUDGETS:
        by_protocol = results(cell, budget, index) if cell.runnable else {}
        by_seed = (by_protocol.get(PROTOCOL) or by_protocol[min(by_protocol)]) if by_protocol else {}
        by_budget[budget] = [line for _, line in sorted(by_seed.items())]
    return by_budget


def _differ_in_epochs(cell: Cell, index: Index) -> bool:
    """Whether the paper's budget and the laptop's differ in epochs alone, so that a training of the one, cut short, is
    one of the other.
    """
    assert cell.task is not None and cell.model is not None
    if "laptop" not in cell.task.budgets:
        return True
    paper, laptop = (index.experiment(cell.task, cell.model, budget).config for budget in BUDGETS)
    return {**paper, "epochs": 0} == {**laptop, "epochs": 0}


def _at_equal_epochs(cells: Sequence[Cell], lines: dict[int, list[Line]]) -> dict[int, Estimate] | None:
    """By id() of cells of one task: their estimates at the largest number of epochs that all have, if there is one."""
    numbers = {line.epochs or 0 for of_cell in lines.values() for line in of_cell}
    for epochs in sorted(numbers, reverse=True):
        cut = {id(cell): list(_cut(cell, lines[id(cell)], epochs)) for cell in cells}
        if all(cut.values()):
            whole = {id(cell): set(cut[id(cell)]) <= set(lines[id(cell)]) for cell in cells}
            return {id(cell): _estimate(cell, cut[id(cell)], whole=whole[id(cell)]) for cell in cells}
    return None


def _cut(cell: Cell, lines: Sequence[Line], epochs: int) -> Iterator[Line]:
    """``lines`` as they would be after ``epochs``, one a seed; those without a history of a longer training are left
    out.
    """
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    seeds: set[int] = set()
    for line in sorted(lines, key=lambda line: (line.epochs or 0) != epochs):  # trained for just that long first
        value = line.value
        if (line.epochs or 0) != epochs:
            experiment = Experiment(cell.task, cell.model, line.seed, line.budget)
            longer = (line.epochs or 0) > epochs
            value = histories.value(experiment, cell.measure, epochs, line.protocol) if longer else None
        if value is not None and line.seed not in seeds:
            seeds.add(line.seed)
            yield replace(line, value=value, epochs=epochs)


def _number(cell: Cell) -> float | None:
    return answer(cell).number if cell.fact else None


def _estimate(cell: Cell, lines: Sequence[Line], ended: bool = False, whole: bool = True) -> Estimate:
    """The estimate of ``cell`` from ``lines``, one a seed; of a fact its exact number. ``whole``: none of the trainings
    is cut short, so that it is known which test samples are decided right.
    """
    if cell.fact:
        number = _number(cell)
        assert number is not None
        return Estimate(number, "", 0 if number == int(number) else 2)
    found = interval(cell, lines)
    epochs = tuple(sorted({line.epochs for line in lines if line.epochs is not None}))
    right = _right(cell, lines) if whole else None
    return Estimate(
        found.value,
        "",
        digits(cell),
        found.spread,
        found.sample,
        found.values,
        epochs,
        ended,
        right,
        found.worst_case,
        parted(cell, found),
    )


def _right(cell: Cell, lines: Sequence[Line]) -> Any:
    """The share of the seeds that decide each test sample right, ``None`` where it is not known of all of them."""
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    if cell.measure.reader or cell.measure.unit != "%":
        return None
    total: Any = 0
    for line in lines:
        stored = correct.read(Experiment(cell.task, cell.model, line.seed, line.budget)) or {}
        if line.protocol not in stored:
            return None
        total = total + stored[line.protocol].astype(float)
    return total / len(lines)


def _unequal(cells: Sequence[Cell], trained: dict[int, dict[str, list[Line]]]) -> Values:
    """What is said of cells that have no number of epochs in common."""
    longest = {id(c): max(line.epochs or 0 for lines in trained[id(c)].values() for line in lines) for c in cells}
    fewest = min(longest.values())
    texts = [f"{name}: {_epochs([longest[id(c)]])}" for c, name in zip(cells, cell_names(cells), strict=True)]
    return Values(
        unequal=f"trained for different numbers of epochs, and no history of the longer ones: {'; '.join(texts)}",
        shortest=tuple(c for c in cells if longest[id(c)] == fewest),
    )


def _training(cells: Sequence[Cell], estimates: Sequence[Estimate], budget: str) -> str:
    """Budget, epochs and seeds of the values, and where their recipes depart from the paper's."""
    measured = [e for e in estimates if e.n]
    if not measured:
        return ""
    seeds = sorted({e.n for e in measured})
    epochs = sorted({number for e in measured for number in e.epochs})
    departs = {Experiment(c.task, c.model, 0, "paper").departs for c in cells if c.task and c.model and not c.fact}
    parts = [
        f"{budget} budget",
        _epochs(epochs) if epochs else "",
        f"{_range(seeds)} seed{'s' if seeds != [1] else ''} a value",
        *(f"another recipe: {text}" for text in sorted(departs) if text),
    ]
    return ", ".join(filter(None, parts))


def _epochs(numbers: Sequence[int]) -> str:
    return f"{_range(numbers)} epoch{'' if list(numbers) == [1] else 's'}"


def _range(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
