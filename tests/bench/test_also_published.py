"""What another paper prints for a cell stands beside the published value in every output, and gives no verdict."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from click.testing import CliRunner

from bench.__main__ import cli
from bench.errors import BenchError
from bench.ledger import store
from bench.ledger.index import Index
from bench.papers import registry
from bench.papers.registry import PAPERS, TABLES
from bench.report.csv_table import to_csv
from bench.report.export import export
from bench.report.findings import find_results
from bench.report.latex import to_latex
from bench.report.markdown import to_markdown
from bench.report.page import drawing
from bench.report.page.addresses import Addresses
from bench.report.page.evidence import evidence
from bench.report.verdict import Finding
from bench.spec.also_published import AlsoPublished

TABLE = TABLES["roles-6"]
VALUE = AlsoPublished(PAPERS["celif"], "roles-6", "Baseline", "MNIST", "91.25", "half the width")
CELL = TABLE.cell("Baseline", "MNIST")


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Index:
    """The committed ledger, where celif also prints a value for the cell of roles-6."""
    monkeypatch.setattr(registry, "ALSO_PUBLISHED", (VALUE,))
    return Index(store.read())


def found(index: Index) -> Finding:
    return next(f for f in find_results(TABLE, index) if f.cell is CELL)


def test_it_changes_no_value_and_no_verdict(printed: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    with_value = found(printed)
    monkeypatch.setattr(registry, "ALSO_PUBLISHED", ())
    assert with_value.also_published == (VALUE,)
    assert replace(with_value, also_published=()) == found(printed)


def test_the_csv_has_it_in_columns_of_its_own(printed: Index) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(TABLE, find_results(TABLE, printed)))))
    values = {(r["row"], r["column"]): (r["also_published"], r["also_published_by"]) for r in rows}
    assert {place: pair for place, pair in values.items() if any(pair)} == {("Baseline", "MNIST"): ("91.25", "celif")}


def test_markdown_has_it_below_the_verdict_with_a_legend_and_how_the_recipes_differ(printed: Index) -> None:
    findings = find_results(TABLE, printed)
    page = to_markdown(TABLE, findings, printed)
    row = next(line for line in page.splitlines() if line.startswith("| Baseline |"))
    assert row.count("<br>celif 91.25 |") == 1 and row.count("celif") == 1
    assert "celif …: Chen et al., 2023 (arXiv 2308.15150) print this for the cell; it gives no verdict." in page
    assert "## Printed by other papers\n\n- Baseline, MNIST: 91.25 (celif): half the width\n" in page
    chosen = export(TABLE, [CELL], "markdown", printed)
    assert "celif 91.25" in chosen and "it gives no verdict" in chosen
    assert "91.25" not in to_latex(TABLE, findings)


def test_the_evidence_of_a_cell_has_it_as_a_line_on_the_axis_of_the_seeds_and_in_words(printed: Index) -> None:
    shown = evidence(TABLE, found(printed), printed, Addresses(TABLES))
    assert shown.seeds.count('class="also"') == 1 and ">celif 91.25<" in shown.seeds
    assert ("celif prints", "91.25: half the width") in shown.about


def test_lines_of_other_papers_lie_within_the_picture() -> None:
    picture = drawing.seeds({0: 95.0}, None, 94.0, 1.0, {"a": 20.0, "b": 99.0})
    assert 'viewBox="0 0 340 92"' in picture and picture.count('class="also"') == 2
    assert 'y="75">a 20<' in picture and 'y="89">b 99<' in picture


def test_show_prints_it_with_the_recipe(printed: Index) -> None:
    shown = CliRunner().invoke(cli, ["show", "roles-6", "Baseline", "MNIST"]).output
    assert "  celif prints 91.25 for this cell: half the width\n" in shown
    assert "celif prints" not in CliRunner().invoke(cli, ["show", "roles-6", "Baseline", "XOR"]).output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"table": "roles-66"}, r"bench/papers/celif/also_published.py: unknown table 'roles-66'"),
        ({"row": "Basline"}, r"bench/papers/celif/also_published.py: .*did you mean Baseline"),
        ({"column": "MNST"}, r"bench/papers/celif/also_published.py: .*did you mean MNIST"),
    ],
)
def test_a_value_for_a_cell_that_no_table_has_is_refused(change: dict[str, str], message: str) -> None:
    declared = registry.load()
    declared.also_published = (replace(VALUE, **change),)
    with pytest.raises(BenchError, match=message):
        registry.check_cells(declared)


@pytest.mark.parametrize("change", [{"value": "about 90"}, {"note": ""}])
def test_a_value_is_a_number_and_says_how_the_recipes_differ(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="note must say|could not convert"):
        replace(VALUE, **change)
