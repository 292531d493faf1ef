"""The end of a run: one aligned line for each cell, with a verdict or the reason why there is none."""

from __future__ import annotations

import re

from bench.measures import ACCURACY
from bench.papers.roles.models import LIF
from bench.papers.roles.tasks import MNIST
from bench.report.summary import summary
from bench.report.verdict import Finding
from bench.spec.table import Cell

CELL = Cell("Baseline", "MNIST", "94.85", "%", MNIST, LIF, ACCURACY)
UNPUBLISHED = Cell("Baseline", "MNIST", None, "%", MNIST, LIF, ACCURACY)


def columns(finding: Finding) -> list[str]:
    _, line = summary([finding]).splitlines()
    return re.split(r" {2,}", line)


def test_a_measured_cell_shows_interval_published_difference_and_verdict() -> None:
    finding = Finding(CELL, "measured", "last 95.00", 96.021, 95.7, 96.3, 3, "paper", verdict="above")
    assert columns(finding) == ["Baseline", "MNIST", "96.02 ± 0.30 %", "94.85 %", "+1.17", "above"]


def test_a_cell_without_a_verdict_says_why() -> None:
    reduced = Finding(CELL, "measured", "", 94.0, budget="laptop", verdict="laptop budget")
    assert columns(reduced)[2:] == ["94.00 %", "94.85 %", "-0.85", "none: laptop budget"]
    assert columns(Finding(UNPUBLISHED, "measured", "", 94.0))[2:] == ["94.00 %", "–", "–", "none: nothing published"]
    missing = Finding(CELL, "data missing", "MNIST was not there")
    assert columns(missing)[2:] == ["–", "94.85 %", "–", "data missing: MNIST was not there"]
    stale = Finding(CELL, "stale", "measured by another version", 94.0)
    assert columns(stale)[2:] == ["94.00 %", "94.85 %", "–", "stale: measured by another version"]
    assert len(columns(Finding(CELL, "ready to run", "x" * 300))[-1]) == 100


def test_a_fact_shows_its_text() -> None:
    fact = Finding(UNPUBLISHED, "measured", "", verdict="differs", text="784-512-10")
    assert columns(fact)[2:] == ["784-512-10", "–", "–", "differs"]


def test_lines_are_aligned_and_nothing_gives_nothing() -> None:
    long_row = Cell("Without leakage, with recurrence", "MNIST", "94.85", "%", MNIST, LIF, ACCURACY)
    cells = [Finding(CELL, "measured", "", 9.5, verdict="below"), Finding(long_row, "measured", "", 94.0)]
    header, first, second = summary(cells).splitlines()
    assert header.split() == ["row", "column", "measured", "published", "difference", "verdict"]
    assert first.index("MNIST") == second.index("MNIST") == header.index("column")
    assert first.index(" %") == second.index(" %")
    assert summary([]) == ""
