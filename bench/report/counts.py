"""How many published numbers are measured, and with which verdict: what index, ``list`` and README say of coverage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.measures import ENERGY
from bench.report.facts import answer
from bench.report.verdict import ABOVE, BELOW, REPRODUCED, VERDICTS, Finding, find_result, published_number, status_of
from bench.spec.table import Cell, Table


@dataclass(frozen=True)
class Counts:
    """Numbers of cells. ``published`` ones are results; each of them is one of the eight kinds that follow.

    ``another_recipe``: at the paper's budget with a recipe that departs from the paper's. ``beside`` are measured cells
    without a published number: stand-ins, subsets, rows and measures of our own. ``computed`` are facts.
    """

    published: int = 0
    reproduced: int = 0
    above: int = 0
    below: int = 0
    inconclusive: int = 0
    another_recipe: int = 0
    reduced: int = 0
    no_data: int = 0
    not_run: int = 0
    beside: int = 0
    computed: int = 0

    @property
    def at_paper_budget(self) -> int:
        """Published numbers that were measured at the paper's budget, with any recipe."""
        return self.reproduced + self.above + self.below + self.inconclusive + self.another_recipe

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{name: number + getattr(other, name) for name, number in asdict(self).items()})


NAMES = {
    "published": "published numbers",
    "at_paper_budget": "at the paper's budget",
    "reproduced": "reproduced",
    "above": "above",
    "below": "below",
    "inconclusive": "inconclusive",
    "another_recipe": "another recipe",
    "reduced": "reduced budget",
    "no_data": "without data",
    "not_run": "not run",
    "beside": "beside them",
    "computed": "computed",
}


def is_published(cell: Cell) -> bool:
    """Whether the paper prints a result here: a number that a training gives, or the energy of an LSTM by a formula."""
    measured = cell.measure is not None or (cell.fact is not None and cell.fact.name == "energy")
    return measured and not cell.extra and published_number(cell) is not None


def of(table: Table, lines: Iterable[Line], live: bool = False) -> Counts:
    """The counts of one table; ``live`` as in ``find_result``."""
    index = Index.of(lines)
    return sum((_count(table, cell, index, live) for cell in table.cells), Counts())


def _count(table: Table, cell: Cell, index: Index, live: bool) -> Counts:
    if is_published(cell):
        return Counts(published=1, **{kind(find_result(table, cell, index, live)): 1})
    if status_of(table, cell, index, live) != "measured":
        return Counts()
    return Counts(computed=1) if cell.fact else Counts(beside=1)


def kind(f: Finding) -> str:
    """The name of the count to which a published number belongs."""
    if f.cell.fact and f.status == "measured":
        return _computed(f.cell)
    if f.status != "measured":
        return "no_data" if f.status == "data missing" else "not_run"
    if f.verdict in VERDICTS:
        return f.verdict
    return "reduced" if f.budget != "paper" else "another_recipe"


def _computed(cell: Cell) -> str:
    """The kind of a result that needs no training: an exact number, on either side of the published one or near it."""
    number, published = answer(cell).number, published_number(cell)
    if number is None or published is None:  # not in this folder's facts.csv yet
        return "not_run"
    if abs(number - published) <= ENERGY.tolerance:
        return REPRODUCED
    return ABOVE if number > published else BELOW
