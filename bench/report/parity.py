"""Published numbers beside the measured ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bench.ledger.index import Index
from bench.report import counts
from bench.report.text_table import number_of
from bench.report.verdict import Finding, find_result, published_number, status_of
from bench.spec.table import Table


@dataclass(frozen=True)
class Pair:
    """A cell of ``table`` with its ``published`` and its ``measured`` number."""

    table: str
    finding: Finding
    published: float
    measured: float

    @property
    def kind(self) -> str:
        """The verdict, or the name in ``counts.NAMES`` of the reason why there is none."""
        return counts.kind(self.finding)


def measured(tables: Mapping[str, Table], index: Index) -> dict[str, list[Finding]]:
    """By table, the findings of the published numbers that are measured. Other cells are not looked up any further."""
    return {
        name: [
            find_result(table, cell, index)
            for cell in table.cells
            if counts.is_published(cell) and status_of(table, cell, index) == "measured"
        ]
        for name, table in tables.items()
    }


def pairs(findings: Mapping[str, Iterable[Finding]]) -> Iterator[Pair]:
    """Every cell of the paper's own that has both numbers; ``findings`` by table."""
    for table, of_table in findings.items():
        for f in of_table:
            number = number_of(f)
            published = published_number(f.cell)
            if f.status == "measured" and number is not None and published is not None and not f.cell.extra:
                yield Pair(table, f, published, number)
