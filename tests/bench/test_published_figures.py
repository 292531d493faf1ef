"""Figures of published against measured numbers: every cell with both is in them, and they change with the ledger."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bench.ledger import store
from bench.ledger.index import Index
from bench.papers.registry import TABLES
from bench.paths import COMMITTED
from bench.report import counts
from bench.report.figures import published
from bench.report.findings import find_results
from bench.report.verdict import Finding


@pytest.fixture(scope="module")
def findings() -> dict[str, list[Finding]]:
    index = Index(store.read(COMMITTED))
    return {name: find_results(table, index) for name, table in TABLES.items()}


def rows(content: object) -> list[dict[str, str]]:
    assert isinstance(content, str)
    return list(csv.DictReader(content.splitlines()))


@pytest.fixture(scope="module")
def contents(findings: dict[str, list[Finding]]) -> dict[str, object]:
    """File name -> content of every figure of the committed ledger."""
    return {path.name: content for path, content in published.files(findings, only_changed=False).items()}


def test_every_measured_published_number_is_in_the_figure_of_parity(
    findings: dict[str, list[Finding]], contents: dict[str, object]
) -> None:
    drawn = rows(contents["parity.csv"])
    measured = [
        (name, f.cell.row, f.cell.column)
        for name, of_table in findings.items()
        for f in of_table
        if counts.is_published(f.cell) and f.status == "measured"
    ]
    assert sorted((row["table"], row["row"], row["column"]) for row in drawn) == sorted(measured)
    assert all(row["published"] and row["measured"] and row["verdict"] for row in drawn)


def test_a_forest_plot_has_the_papers_budget_alone_with_its_intervals(contents: dict[str, object]) -> None:
    drawn = rows(contents["forest-roles.csv"])
    assert {row["budget"] for row in drawn} == {"paper"}
    assert {row["paper"] for row in drawn} == {"roles"}
    intervals = [row for row in drawn if row["low"]]
    assert intervals and all(float(row["low"]) <= float(row["measured"]) <= float(row["high"]) for row in intervals)
    assert {name for name in contents if name.startswith("forest-roles.")} == {
        f"forest-roles.{ending}" for ending in ("csv", "svg", "png", "pdf")
    }


def test_nothing_measured_gives_no_file(places: Path) -> None:
    empty = published.files({}, only_changed=False)
    assert set(empty.values()) == {None}
    assert {path.stem for path in empty} >= {"parity", "forest-roles"}


def test_a_figure_whose_data_has_not_changed_is_left_as_it_is(places: Path, findings: dict[str, list[Finding]]) -> None:
    for path, content in published.files(findings, only_changed=True).items():
        if content is not None:
            store.write(path, content)
    again = published.files(findings, only_changed=True)
    assert [path.name for path, content in again.items() if content is not None] == []
    (places / "results" / "figures" / "parity.csv").write_text("edited")
    assert {p.stem for p, content in published.files(findings, only_changed=True).items() if content} == {"parity"}
