"""Groups of a table's cells, and the Markdown page that prints them: the paper's own first, narrow tables below."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.ledger import store
from bench.ledger.index import Index
from bench.papers.registry import TABLES
from bench.report.findings import find_results
from bench.report.groups import WIDEST, Group, groups, row_label
from bench.report.markdown import markdown_grid, to_markdown
from bench.report.text_table import SIGNS, cell_text, digits
from bench.report.verdict import VERDICTS, Finding, published_number
from bench.spec.table import Table

MOST_CHARACTERS = 110  # of a paper's own table as a page sets it,
MOST_IN_A_COLUMN = 16  # or as many in each of its columns


@pytest.fixture(scope="module")
def results() -> dict[str, list[Finding]]:
    index = Index(store.read())
    return {name: find_results(table, index) for name, table in TABLES.items()}


def test_each_cell_is_in_one_group_and_the_papers_own_are_alone_in_the_first(
    results: dict[str, list[Finding]],
) -> None:
    for name, table in TABLES.items():
        own, *others = groups(table, results[name])
        assert [f.cell for f in own.findings] == [c for c in table.cells if not c.extra], name
        assert own.heading == ""
        grouped = Counter(id(f) for group in (own, *others) for f in group.findings)
        assert grouped == Counter(id(f) for f in results[name]), name


def test_groups_below_have_at_most_7_columns_and_headings_of_their_own(results: dict[str, list[Finding]]) -> None:
    for name, table in TABLES.items():
        own, *others = groups(table, results[name])
        assert [g.heading for g in others if len(g.titles) > max(WIDEST, len(own.titles))] == []
        assert max(Counter(g.heading for g in others).values(), default=1) == 1, name
        assert all(group.heading and group.about for group in others)


def test_a_column_of_a_group_leaves_out_what_the_heading_says(results: dict[str, list[Finding]]) -> None:
    by_heading = {g.heading: g for g in groups(TABLES["roles-8"], results["roles-8"])}
    assert list(by_heading["On stand-in data: N-MNIST (simulated), whole"].titles.values()) == [
        "1ms", "2ms", "3ms", "5ms", "10ms",
    ]  # fmt: skip


def test_rows_that_the_paper_does_not_have_are_a_table_of_their_own(results: dict[str, list[Finding]]) -> None:
    _, rows = groups(TABLES["celif-2"], results["celif-2"])
    assert rows.rows == ["1, with ALIF's gain"]
    assert rows.heading == "Rows that the paper's table does not have"


def width(table: Table, group: Group) -> int:
    """Characters of the grid as a page sets it: the longest line of each column, and two blanks between columns."""
    header, _, *rows = markdown_grid(table, group)
    lines = [[cell.replace("\\", "") for cell in line.strip("| ").split(" | ")] for line in rows]
    longest = [max(len(part) for cell in column for part in cell.split("<br>")) for column in zip(*lines, strict=True)]
    return sum(longest) + 2 * len(longest)


@pytest.mark.parametrize("name", TABLES)
def test_a_papers_own_table_fits_a_page(name: str, results: dict[str, list[Finding]]) -> None:
    own = groups(TABLES[name], results[name])[0]
    assert width(TABLES[name], own) <= max(MOST_CHARACTERS, MOST_IN_A_COLUMN * (1 + len(own.titles)))


def test_every_verdict_is_a_sign_and_a_word(results: dict[str, list[Finding]]) -> None:
    for name in TABLES:
        for f in results[name]:
            if f.verdict in (*VERDICTS, "equal"):
                assert any(f"{sign} {word}" in " ".join(cell_text(f).lines) for word, sign in SIGNS.items()), f


def test_a_page_has_every_published_and_measured_number_and_no_list_of_details(
    results: dict[str, list[Finding]],
) -> None:
    for name, table in TABLES.items():
        text = to_markdown(table, results[name], Index(()))
        assert "Details of measured cells" not in text
        for f in results[name]:
            wanted = [f.text or f.cell.published or "", f"{f.value:.{digits(f.cell)}f}" if f.value is not None else ""]
            if published_number(f.cell) is not None:
                wanted.append(f.cell.published or "")
            assert all(number in text for number in wanted if f.verdict != "equal"), f


def test_what_is_not_measured_is_one_line_a_reason(results: dict[str, list[Finding]]) -> None:
    missing = [f for f in results["roles-10"] if f.cell.task and f.cell.task.data == "nmnist"]
    text = to_markdown(TABLES["roles-10"], missing, Index(()))
    lines = text.partition("## Not measured\n\n")[2].partition("\n\n")[0].splitlines()
    reason = "without data: N-MNIST is not here (`python -m bench data status`)"
    assert lines == [f"- {len(missing)} cells {reason}"]


def test_a_row_that_the_paper_numbers_keeps_its_name(results: dict[str, list[Finding]]) -> None:
    table = TABLES["celif-2"]
    own, *_ = groups(table, results["celif-2"])
    assert row_label(table, own, "6 | V[t-1] ⊙ TE[t]") == "6 / V[t-1] ⊙ TE[t]"
    table = TABLES["celif-1"]
    own, *_ = groups(table, results["celif-1"])
    assert row_label(table, own, "TCN | Convolution | 70.0k") == "TCN"
