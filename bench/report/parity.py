"""Published numbers beside the measured ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bench.report import counts
from bench.report.text_table import number_of
from bench.report.verdict import Finding, published_number


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


def pairs(findings: Mapping[str, Iterable[Finding]]) -> Iterator[Pair]:
    """Every cell of the paper's own that has both numbers; ``findings`` by table."""
    for table, of_table in findings.items():
        for f in of_table:
            number = number_of(f)
            published = published_number(f.cell)
            if f.status == "measured" and number is not None and published is not None and not f.cell.extra:
                yield Pair(table, f, published, number)
