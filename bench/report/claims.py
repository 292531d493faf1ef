"""The papers' sentences as predicates over cells, and what the ledger says about each. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.papers.registry import CLAIMS, PAPERS, TABLES, substitutes
from bench.report.facts import answer
from bench.report.verdict import interval, published_number, results
from bench.spec.claim import Claim
from bench.spec.predicates import Estimate, all_of
from bench.spec.table import Cell
from datamodules.sources import SOURCES

UNTESTED = "untested"
NOT_COMPARABLE = "not comparable"  # at a reduced budget trained for different numbers of epochs
PROTOCOL = "best_test"  # as the papers report; the last epoch where a measure has no other
KINDS = ("full", "subset", "stand-in")


@dataclass(frozen=True)
class Judgement:
    """``data``: published (the paper's own numbers), full (its data), subset or stand-in. ``text`` has the numbers, or
    what is missing.
    """

    claim: Claim
    data: str
    verdict: str
    budget: str = ""
    text: str = ""


Estimates = Mapping[int, Estimate | None]  # of a claim's cells, by the cell's id()


def published_estimate(cell: Cell) -> Estimate | None:
    """The published value as an exact number, ``None`` where it is not one."""
    number = published_number(cell)
    if number is None:
        return None
    return Estimate(number * (1000 if cell.unit == "k" else 1), 0.0, cell_name(cell), digits(cell))


def cell_name(cell: Cell) -> str:
    return f"{cell.row}, {cell.column}"


def digits(cell: Cell) -> int:
    return cell.measure.digits if cell.measure else 0


def measured_estimate(cell: Cell, budget: str, lines: Iterable[Line]) -> Estimate | None:
    """The value at ``budget`` with half its interval; where it has none, the measure's tolerance is ``assumed``."""
    if cell.fact:
        number = answer(cell).params
        return None if number is None else Estimate(float(number), 0.0, cell_name(cell), 0)
    if not cell.runnable:
        return None
    by_protocol = results(cell, budget, lines)
    if not by_protocol:
        return None
    by_seed = by_protocol.get(PROTOCOL) or by_protocol[min(by_protocol)]
    mean, low, high = interval(cell, [line for _, line in sorted(by_seed.items())])
    assert cell.measure is not None
    assumed = low is None or high is None
    half = cell.measure.tolerance if low is None or high is None else (high - low) / 2
    epochs = sorted({line.epochs for line in by_seed.values() if line.epochs is not None})
    return Estimate(mean, half, cell_name(cell), digits(cell), len(by_seed), tuple(epochs), assumed)


def variants(claim: Claim) -> Iterator[tuple[str, Claim]]:
    """The claim on the paper's data, and on subsets and stand-ins where tables have a column for each of its cells."""
    yield "full", claim
    for kind in KINDS[1:]:
        substitute = {id(cell): other for cell in claim.cells if (other := _substitute(cell, kind))}
        if len(substitute) == len({id(cell) for cell in claim.cells}):
            conditions = (
                replace(condition, cells=tuple(substitute[id(cell)] for cell in condition.cells))
                for condition in claim.conditions
            )
            yield kind, replace(claim, conditions=tuple(conditions))


def _substitute(cell: Cell, kind: str) -> Cell | None:
    """The cell on data of ``kind``, ``None`` where no table has it."""
    if not cell.runnable:
        return None
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    for task in substitutes(cell.task):
        names = (task.name, cell.model.name, cell.measure.name)
        if SOURCES[task.data].kind == kind and names in runnable_names():
            return replace(cell, task=task, published=None)
    return None


@cache
def runnable_names() -> frozenset[tuple[str, str, str]]:
    """Task, model and measure of every cell that a table can run."""
    cells = (cell for table in TABLES.values() for cell in table.cells)
    return frozenset(
        (c.task.name, c.model.name, c.measure.name) for c in cells if c.task and c.model and c.measure and c.runnable
    )


def judge(claim: Claim, lines: Iterable[Line]) -> list[Judgement]:
    """On the paper's own numbers where it prints them all, then on each kind of data."""
    lines = Index.of(lines)
    judgements = []
    printed = {id(cell): published_estimate(cell) for cell in claim.cells}
    if all(printed.values()):
        judgements.append(_judge(claim, "published", "", printed))
    for data, variant in variants(claim):
        if judgement := _judge_measured(variant, data, lines):
            judgements.append(judgement)
    return judgements


def _judge_measured(claim: Claim, data: str, lines: Iterable[Line]) -> Judgement | None:
    """At the first budget that has all values; ``None`` for a substitute of the data without any."""
    budgets = (claim.budget,) if claim.budget else ("paper", "laptop")
    by_budget = {budget: {id(c): measured_estimate(c, budget, lines) for c in claim.cells} for budget in budgets}
    for budget in budgets:
        if all(by_budget[budget].values()):
            return _judge(claim, data, budget, by_budget[budget])
    numbers = {budget: sum(e is not None for e in by_budget[budget].values()) for budget in budgets}
    budget = max(budgets, key=lambda budget: numbers[budget])
    if not numbers[budget] and data != "full":
        return None
    missing = list(dict.fromkeys(cell_name(c) for c in claim.cells if by_budget[budget][id(c)] is None))
    others = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    text = f"{numbers[budget]} of {len(by_budget[budget])} values measured; not: {'; '.join(missing[:3])}{others}"
    return Judgement(claim, data, UNTESTED, budget if numbers[budget] else "", text)


def _judge(claim: Claim, data: str, budget: str, estimates: Estimates) -> Judgement:
    """The verdict on a claim that has all its values."""
    verdicts = []
    texts = []
    unequal: set[int] = set()
    for condition in claim.conditions:
        values = [estimate for cell in condition.cells if (estimate := estimates[id(cell)]) is not None]
        verdict, text = condition.predicate.judge(values)
        verdicts.append(verdict)
        texts.append(text)
        epochs = {number for value in values for number in value.epochs}
        unequal |= epochs if len(epochs) > 1 else set()
    verdict = NOT_COMPARABLE if unequal and budget != "paper" else all_of(verdicts)
    return Judgement(claim, data, verdict, budget, "; ".join([*texts, *_remarks(estimates, unequal)]))


def _remarks(estimates: Estimates, unequal: set[int]) -> Iterator[str]:
    """What the numbers stand on: seeds, assumed intervals, and the ``unequal`` numbers of epochs."""
    measured = [estimate for estimate in estimates.values() if estimate and estimate.n]
    if measured:
        fewest = min(estimate.n for estimate in measured)
        most = max(estimate.n for estimate in measured)
        yield f"seeds a value: {fewest}" if fewest == most else f"seeds a value: {fewest}–{most}"
    assumed = sorted({estimate.half for estimate in measured if estimate.assumed})
    if assumed:
        halves = " or ".join(f"{half:g}" for half in assumed)
        yield f"no interval (one seed): {halves} assumed for half of one"
    if unequal:
        yield f"trained for different numbers of epochs: {', '.join(map(str, sorted(unequal)))}"


def judgements(lines: Iterable[Line], papers: Iterable[str] | None = None) -> dict[str, list[Judgement]]:
    """By paper, of all papers where none is named; a paper may have no claims."""
    lines = Index.of(lines)
    names = PAPERS if papers is None else papers
    return {paper: [j for claim in CLAIMS.get(paper, ()) for j in judge(claim, lines)] for paper in names}
