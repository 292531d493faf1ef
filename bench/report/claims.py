"""The papers' sentences as predicates over cells, and what the ledger says about each. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from bench.ledger.store import Line
from bench.papers.registry import CLAIMS, PAPERS, TABLES, substitutes
from bench.report.facts import answer
from bench.report.verdict import interval, published_number, results
from bench.spec.claim import Claim
from bench.spec.predicates import Estimate, all_of
from bench.spec.table import Cell
from datamodules.sources import SOURCES

UNTESTED = "untested"
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


def published(cell: Cell) -> Estimate | None:
    number = published_number(cell)
    return (
        None if number is None else Estimate(number * (1000 if cell.unit == "k" else 1), 0.0, name(cell), digits(cell))
    )


def name(cell: Cell) -> str:
    return f"{cell.row}, {cell.column}"


def digits(cell: Cell) -> int:
    return cell.measure.digits if cell.measure else 0


def measured(cell: Cell, budget: str, lines: list[Line]) -> Estimate | None:
    """The value at ``budget`` with half its interval; where it has none, the measure's tolerance is ``assumed``."""
    if cell.fact:
        number = answer(cell).params
        return None if number is None else Estimate(float(number), 0.0, name(cell), 0)
    if not cell.runnable:
        return None
    found = results(cell, budget, lines)
    if not found:
        return None
    by_seed = found.get(PROTOCOL) or found[min(found)]
    mean, low, high = interval(cell, [line for _, line in sorted(by_seed.items())])
    assert cell.measure is not None
    assumed = low is None or high is None
    half = cell.measure.tolerance if low is None or high is None else (high - low) / 2
    epochs = {line.epochs for line in by_seed.values()}
    return Estimate(
        mean, half, name(cell), digits(cell), len(by_seed), next(iter(epochs)) if len(epochs) == 1 else None, assumed
    )


def variants(claim: Claim) -> Iterator[tuple[str, Claim]]:
    """The claim on the paper's data, and on subsets and stand-ins where tables have a column for each of its cells."""
    yield "full", claim
    for kind in KINDS[1:]:
        moved = {id(c): cell for c in claim.cells if (cell := _moved(c, kind))}
        if len(moved) == len({id(c) for c in claim.cells}):
            conditions = (replace(c, cells=tuple(moved[id(x)] for x in c.cells)) for c in claim.conditions)
            yield kind, replace(claim, conditions=tuple(conditions))


def _moved(cell: Cell, kind: str) -> Cell | None:
    if not cell.runnable:
        return None
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    tasks = [t for t in substitutes(cell.task) if SOURCES[t.data].kind == kind]
    moved = [
        replace(cell, task=t, published=None) for t in tasks if (t.name, cell.model.name, cell.measure.name) in tabled()
    ]
    return moved[0] if moved else None


@cache
def tabled() -> frozenset[tuple[str, str, str]]:
    """Task, model and measure of every cell that a table can run."""
    cells = (c for table in TABLES.values() for c in table.cells)
    return frozenset(
        (c.task.name, c.model.name, c.measure.name) for c in cells if c.task and c.model and c.measure and c.runnable
    )


def judge(claim: Claim, lines: Iterable[Line]) -> list[Judgement]:
    """On the paper's own numbers where it prints them all, then on each kind of data."""
    lines = list(lines)
    out = []
    printed = {id(c): published(c) for c in claim.cells}
    if all(printed.values()):
        out.append(_judged(claim, "published", "", printed))
    for kind, moved in variants(claim):
        budgets = (claim.budget,) if claim.budget else ("paper", "laptop")
        tried = {budget: {id(c): measured(c, budget, lines) for c in moved.cells} for budget in budgets}
        whole = next((budget for budget in budgets if all(tried[budget].values())), None)
        if whole is not None:
            out.append(_judged(moved, kind, whole, tried[whole]))
            continue
        most = max(budgets, key=lambda budget: sum(e is not None for e in tried[budget].values()))
        lacking = list(dict.fromkeys(name(c) for c in moved.cells if tried[most][id(c)] is None))
        have = len(tried[most]) - sum(e is None for e in tried[most].values())
        if have or kind == "full":
            more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
            text = f"{have} of {len(tried[most])} values measured; not: {'; '.join(lacking[:3])}{more}"
            out.append(Judgement(claim, kind, UNTESTED, most if have else "", text))
    return out


def _judged(claim: Claim, kind: str, budget: str, known: dict[int, Estimate | None]) -> Judgement:
    verdicts, texts = [], []
    for condition in claim.conditions:
        estimates = [e for c in condition.cells if (e := known[id(c)]) is not None]
        verdict, text = condition.predicate.judge(estimates)
        verdicts.append(verdict)
        texts.append(text)
    epochs = sorted({e.epochs for e in known.values() if e and e.epochs is not None})
    seeds = sorted({e.n for e in known.values() if e and e.n})
    about = [f"seeds a value: {'–'.join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))}"] if seeds else []
    assumed = sorted({e.half for e in known.values() if e and e.assumed})
    about += (
        [f"no interval (one seed): {' or '.join(f'{half:g}' for half in assumed)} assumed for half of one"]
        if assumed
        else []
    )
    about += [f"trained for different numbers of epochs: {', '.join(map(str, epochs))}"] if len(epochs) > 1 else []
    return Judgement(claim, kind, all_of(verdicts), budget, "; ".join([*texts, *about]))


def judgements(lines: Iterable[Line], papers: Iterable[str] = tuple(PAPERS)) -> dict[str, list[Judgement]]:
    """By paper."""
    lines = list(lines)
    return {paper: [j for claim in CLAIMS[paper] for j in judge(claim, lines)] for paper in papers}
