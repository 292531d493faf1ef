"""The papers' sentences as predicates over cells, and what the ledger says about each. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.papers.registry import CLAIMS, PAPERS, TABLES, TASKS, substitutes
from bench.report import comparable
from bench.report.comparable import Values, cell_names, digits
from bench.report.next_command import deciding_commands
from bench.report.verdict import published_number
from bench.spec.claim import Claim, Part
from bench.spec.estimates import Estimate
from bench.spec.predicates import FAILS, HOLDS, ONE_SEED, UNDECIDED
from bench.spec.table import Cell
from datamodules.sources import SOURCES

UNTESTED = "untested"
NOT_COMPARABLE = "not comparable"  # trained for different numbers of epochs
TOO_SHORT = "the claim is about trainings to the end of the paper's budget"
VERDICTS = (FAILS, UNDECIDED, ONE_SEED, NOT_COMPARABLE, UNTESTED, HOLDS)  # the first that a part has is the claim's
DATA = ("published", "full", "subset", "stand-in")


@dataclass(frozen=True)
class PartJudgement:
    """The verdict on one part. ``text`` has the numbers, or what is missing; ``training`` says budget, epochs and seeds
    behind them; ``commands`` would decide what is not decided.
    """

    name: str
    verdict: str
    text: str
    training: str = ""
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """The verdicts on ``parts`` of a claim. ``data``: published (the paper's own numbers), full (its data), subset or
    stand-in. ``left_out`` names parts without cells on this data.
    """

    claim: Claim
    data: str
    parts: tuple[PartJudgement, ...]
    left_out: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """One part that fails decides, then one that is not decided."""
        verdicts = {part.verdict for part in self.parts}
        return next(verdict for verdict in VERDICTS if verdict in verdicts)


def judge(claim: Claim, lines: Iterable[Line]) -> list[Judgement]:
    """On the paper's own numbers where it prints them all, then on each kind of data."""
    index = Index.of(lines)
    judgements = []
    published = tuple(_judge_published(part) for part in claim.parts)
    if printed := tuple(p for p in published if p is not None):
        left_out = tuple(part.name for part, p in zip(claim.parts, published, strict=True) if p is None)
        judgements.append(Judgement(claim, "published", printed, left_out))
    for data in DATA[1:]:
        parts = [(part, moved) for part in claim.parts if (moved := on_data(part, data))]
        judged = tuple(_judge_measured(moved, index, claim.to_the_end) for _, moved in parts)
        if data == "full" or any(p.verdict != UNTESTED for p in judged):
            kept = [part for part, _ in parts]
            left_out = tuple(part.name for part in claim.parts if part not in kept)
            judgements.append(Judgement(claim, data, judged, left_out))
    return judgements


def on_data(part: Part, kind: str) -> Part | None:
    """The part on the paper's data ("full"), or on a subset or stand-in where tables have a column for all its cells
    and it was not trained on what it is tested on. ``None`` where there is no such thing.
    """
    if kind == "full":
        return part
    cells = [cell if cell.fact else _substitute(cell, kind) for cell in part.cells]
    if any(cell is None for cell in cells) or all(cell.fact for cell in part.cells):
        return None
    return replace(part, cells=tuple(cell for cell in cells if cell is not None))


def _substitute(cell: Cell, kind: str) -> Cell | None:
    """The cell on data of ``kind``, ``None`` where no table has it."""
    if not cell.runnable:
        return None
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    for task in substitutes(cell.task):
        source = SOURCES[task.data]
        names = (task.name, cell.model.name, cell.measure.name)
        if source.kind == kind and not source.tested_on_training and names in runnable_names():
            return replace(cell, task=task, published=None)
    return None


@cache
def runnable_names() -> frozenset[tuple[str, str, str]]:
    """Task, model and measure of every cell that a table can run."""
    cells = (cell for table in TABLES.values() for cell in table.cells)
    return frozenset(
        (c.task.name, c.model.name, c.measure.name) for c in cells if c.task and c.model and c.measure and c.runnable
    )


def published_estimate(cell: Cell) -> Estimate | None:
    """The published value as an exact number without a name, ``None`` where it is not one.

    A column that reads the same data in another way has the number of the paper's own column.
    """
    number = published_number(cell)
    if number is None and cell.extra and (printed := _printed(cell)):
        number = published_number(printed)
    if number is None:
        return None
    return Estimate(number * (1000 if cell.unit == "k" else 1), "", digits(cell))


def _printed(cell: Cell) -> Cell | None:
    """The cell of the paper's own column that ``cell`` stands beside: the same row, measure and data."""
    if cell.task is None or not cell.task.instead_of or TASKS[cell.task.instead_of].data != cell.task.data:
        return None
    same = (cell.task.instead_of, *_names(cell)[1:])
    cells = (c for table in TABLES.values() for c in table.cells if c.published and c.task)
    return next((c for c in cells if _names(c) == same), None)


def _names(cell: Cell) -> tuple[str | None, str | None, str | None]:
    task, model, measure = (part.name if part else None for part in (cell.task, cell.model, cell.measure))
    return task, model, measure


def _judge_published(part: Part) -> PartJudgement | None:
    estimates = [published_estimate(cell) for cell in part.cells]
    known = [replace(e, name=name) for e, name in zip(estimates, cell_names(part.cells), strict=True) if e is not None]
    if len(known) < len(estimates):
        return None
    verdict, text = part.predicate.judge(known)
    return PartJudgement(part.name, verdict, text)


def _judge_measured(part: Part, index: Index, to_the_end: bool) -> PartJudgement:
    values = comparable.values(part.cells, index)
    if values.missing:
        names = list(dict.fromkeys(cell_names(values.missing)))
        others = f" and {len(names) - 3} more" if len(names) > 3 else ""
        text = f"not measured: {'; '.join(names[:3])}{others}"
        return PartJudgement(part.name, UNTESTED, text, "", deciding_commands(values.missing, index.data))
    if values.unequal:
        commands = deciding_commands(values.shortest, index.data)
        return PartJudgement(part.name, NOT_COMPARABLE, values.unequal, "", commands)
    verdict, text = part.predicate.judge(values.estimates)
    if to_the_end and not all(estimate.ended for estimate in values.estimates if estimate.n):
        commands = deciding_commands(part.cells, index.data)
        return PartJudgement(part.name, UNDECIDED, f"{text}; {TOO_SHORT}", values.training, commands)
    commands = () if verdict in (HOLDS, FAILS) else _more_seeds(part, values, index)
    return PartJudgement(part.name, verdict, text, values.training, commands)


def _more_seeds(part: Part, values: Values, index: Index) -> tuple[str, ...]:
    """The commands that train more seeds of the cells that have fewest."""
    counts = {id(cell): e.n for cell, e in zip(part.cells, values.estimates, strict=True) if e.n}
    fewest = min(counts.values(), default=0)
    few = [cell for cell in part.cells if counts.get(id(cell)) == fewest]
    return deciding_commands(few, index.data, values.budget, max(3, fewest + 2))


def judgements(lines: Iterable[Line], papers: Iterable[str] | None = None) -> dict[str, list[Judgement]]:
    """By paper, of all papers where none is named; a paper may have no claims."""
    index = Index.of(lines)
    names = PAPERS if papers is None else papers
    return {paper: [j for claim in CLAIMS.get(paper, ()) for j in judge(claim, index)] for paper in names}


def by_verdict(found: Iterable[Judgement], data: str = "full", ours: bool = False) -> Iterator[Judgement]:
    """Judgements on one kind of data, failing and undecided ones first: of the paper's claims, or of our own."""
    chosen = [j for j in found if j.data == data and (j.claim.source == "ours") == ours]
    yield from sorted(chosen, key=lambda j: VERDICTS.index(j.verdict))
