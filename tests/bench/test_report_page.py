"""The report: every number of every table is in its pages, links resolve, and nothing is loaded from the network."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.ledger import store
from bench.ledger.index import Index
from bench.papers.registry import PAPERS, TABLES
from bench.report import counts, page
from bench.report.findings import find_results
from bench.report.page import overview, prose
from bench.report.page.addresses import LONGEST, Addresses, slug, slugs
from bench.report.page.drawing import seeds, ticks
from bench.report.text_table import digits
from bench.spec.table import Cell, Paper, Table
from tests.bench.report_pages import Page

LARGEST = 5_000_000  # bytes of the report of all papers
TITLE = "<script>alert('title')</script> & <b>bold</b>"


@pytest.fixture(scope="module")
def index() -> Index:
    return Index(store.read())


@pytest.fixture(scope="module")
def html(index: Index) -> dict[str, str]:
    """The pages of the committed ledger."""
    return page.pages(index)


@pytest.fixture(scope="module")
def read(html: dict[str, str]) -> dict[str, Page]:
    return {name: Page(text) for name, text in html.items()}


def test_every_published_number_and_every_measured_value_is_in_its_cell(index: Index, read: dict[str, Page]) -> None:
    addresses = Addresses(TABLES)
    missing = []
    for name, table in TABLES.items():
        cells = read[f"{name}.html"].cells
        for f in find_results(table, index):
            text = cells[addresses.of(name, f.cell)].replace(",", "")
            wanted = [f.cell.published or "", f.text]
            wanted += [f"{f.value:.{digits(f.cell)}f}"] if f.value is not None else []
            missing += [(name, f.cell.row, number) for number in wanted if number.replace(",", "") not in text]
    assert missing == []


def test_no_cell_of_a_grid_is_empty(read: dict[str, Page]) -> None:
    assert [name for name, of_page in read.items() for text in of_page.texts if not text] == []


def test_a_page_has_the_papers_own_cells_first_and_alone(read: dict[str, Page]) -> None:
    addresses = Addresses(TABLES)
    for name, table in TABLES.items():
        own = {addresses.of(name, c) for c in table.cells if not c.extra}
        assert set(list(read[f"{name}.html"].cells)[: len(own)]) == own, name


def test_every_link_leads_to_a_page_and_a_place_on_it(read: dict[str, Page]) -> None:
    files = {*page.ASSETS, *(f"figures/{table.id}.png" for table in TABLES.values())}
    broken = []
    for name, of_page in read.items():
        for link in of_page.links:
            file, _, place = link.partition("#")
            target = read.get(file or name)
            if link.startswith("https://"):
                continue
            if (target is None and file not in files) or (place and target and place not in target.ids):
                broken.append((name, link))
    assert broken == []


def test_every_id_is_on_its_page_once(read: dict[str, Page]) -> None:
    assert {i for of_page in read.values() for i, number in Counter(of_page.ids).items() if number > 1} == set()


def test_nothing_is_loaded_from_the_network(read: dict[str, Page]) -> None:
    loaded = {source for of_page in read.values() for source in of_page.loaded}
    assert [source for source in loaded if re.match(r"(\w+:)?//", source)] == []
    for name in page.ASSETS:
        text = (page.FOLDER / "templates" / name).read_text(encoding="utf-8")
        assert not re.search(r"https?:|@import|url\((?!data:)|fetch\(|XMLHttpRequest", text), name


def test_every_cell_with_a_result_has_its_ledger_lines_and_its_recipe(index: Index, html: dict[str, str]) -> None:
    text = html["roles-6.html"]
    address = "roles-6/baseline/mnist"
    evidence = text[text.index(f'id="{address}"') :].partition("</details>")[0]
    cell = TABLES["roles-6"].cell("Baseline", "MNIST")
    assert cell.task and cell.model and cell.measure
    lines = index.current(cell.task, cell.model, cell.measure, "paper")
    assert lines
    for line in lines:
        for part in (line.experiment, line.git_commit, line.environment):
            assert part in evidence
        assert line.checkpoint_sha256 in text
    assert "best_test" in evidence
    assert "python -m bench run roles-6 --row Baseline --column MNIST" in evidence
    recipe = text[text.index('id="training/mnist/lif/paper"') :].partition("</details>")[0]
    assert "<th>batch_size<td>" in recipe


def test_every_setting_of_a_recipe_is_on_the_page_once_for_its_task(html: dict[str, str]) -> None:
    text = html["roles-6.html"]
    others = text[text.index('id="training/mnist/lif-no-reset/paper"') :].partition("</details>")[0]
    assert "<th>neuron<td>" in others
    assert "<th>batch_size<td>" not in others
    assert '<a href="#training/mnist/lif/paper">' in others


def test_the_front_page_has_the_counts_of_the_ledger(index: Index, read: dict[str, Page]) -> None:
    words = " ".join(read["index.html"].words.split())
    for paper in PAPERS:
        tables = [table for table in TABLES.values() if table.paper.id == paper]
        total = sum((counts.of(table, index) for table in tables), counts.Counts())
        for name in ("published", "at_paper_budget", "reduced", "no_data"):
            assert f"{getattr(total, name)} {counts.NAMES[name]}" in words


def test_the_report_of_both_papers_is_small(tmp_path: Path, index: Index, html: dict[str, str], monkeypatch) -> None:
    monkeypatch.setattr(page, "pages", lambda lines: html)
    sizes = page.write(tmp_path / "report", index)
    assert sum(sizes.values()) <= LARGEST
    assert sum(sizes.values()) == sum(f.stat().st_size for f in (tmp_path / "report").rglob("*") if f.is_file())


def test_titles_and_rows_with_html_in_them_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell(TITLE, TITLE, TITLE, absent="not applicable", note=TITLE)
    paper = Paper("third", TITLE, TITLE, TITLE, "")
    clear(monkeypatch)
    monkeypatch.setitem(PAPERS, "third", paper)
    monkeypatch.setitem(TABLES, "third-1", Table("third-1", paper, TITLE, (cell,)))
    made = page.pages(())
    for name in ("index.html", "third-1.html", "claims-third.html", "parity.html"):
        assert "<script>alert" not in made[name]
        assert "<b>bold" not in made[name]
        assert TITLE in Page(made[name]).words
    assert "third-1/script-alert-title-script-b-bold-b/" in made["third-1.html"]


def clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no paper and no table."""
    for known in (PAPERS, TABLES):
        for name in reversed(list(known)):  # monkeypatch puts them back in the opposite order
            monkeypatch.delitem(known, name)


def test_without_any_paper_there_are_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    clear(monkeypatch)
    assert {"index.html", "parity.html", "speed.html", "energy.html", "cost.html"} == set(page.pages(()))


def test_an_empty_ledger_gives_every_page(places: Path) -> None:
    sizes = page.write(places / "report", [])
    assert set(sizes) >= {"index.html", "speed.html", *(f"{name}.html" for name in TABLES)}
    assert not [name for name in sizes if name.endswith(".png")]  # no figure has data
    words = Page((places / "report" / "index.html").read_text(encoding="utf-8")).words
    assert "The ledger is empty" in words
    assert "<img" not in (places / "report" / "celif-fig-4.html").read_text(encoding="utf-8")


def test_lines_of_unknown_recipes_are_named_and_break_nothing(places: Path, index: Index) -> None:
    line = next(x for x in index if x.status == "ok")
    text = page.pages([replace(line, task="my-task"), replace(line, model="<mine>")])["cost.html"]
    assert "my-task / " in text
    assert "&lt;mine&gt;: 1 line" in text


def test_a_folder_with_other_content_is_refused_and_an_old_page_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear(monkeypatch)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BenchError, match="not empty and holds no report"):
        page.write(tmp_path, [])
    with pytest.raises(BenchError, match="is a file"):
        page.write(tmp_path / "mine.txt", [])
    page.write(tmp_path / "report", [])
    (tmp_path / "report" / "old.html").write_text(page.MARK)
    (tmp_path / "report" / "mine.html").write_text("mine")
    page.write(tmp_path / "report", [])
    assert not (tmp_path / "report" / "old.html").exists()
    assert (tmp_path / "report" / "mine.html").exists()


def test_addresses_are_short_and_tell_equal_names_apart() -> None:
    assert slug("N-MNIST (1,100 recordings)") == "n-mnist-1-100-recordings"
    assert slug("β") == "x"
    assert len(slug("word " * 40)) <= LONGEST
    assert slugs(["LIF", "LIF*", "lif"]) == {"LIF": "lif", "LIF*": "lif-2", "lif": "lif-3"}
    addresses = Addresses(TABLES)
    for name, table in TABLES.items():
        assert len({addresses.of(name, c) for c in table.cells}) == len(table.cells)


def test_a_sentence_says_what_was_found() -> None:
    total = counts.Counts(published=4, reproduced=1, above=2, reduced=1)
    assert overview.sentence(total, [], {"holds": 2, "fails": 1, "untested": 1}) == (
        "Of 4 published numbers, 3 are measured at the paper's budget: 1 reproduced, 2 above the paper; of 4 claims of"
        " the paper 2 hold on its data, 1 fails and 1 is not decided."
    )
    assert overview.sentence(counts.Counts(), [], {}).startswith("No table of this paper")


def test_notes_become_html_and_their_own_tags_do_not() -> None:
    made = prose.html("**Bold** and `x < 1`\n\n- one\n- two\n\n| a | b |\n| --- | --- |\n| 1 | <i> |")
    assert "<strong>Bold</strong> and <code>x &lt; 1</code>" in made
    assert "<ul><li>one</li><li>two</li></ul>" in made
    assert "<tr><th>a</th><th>b</th></tr><tr><td>1</td><td>&lt;i&gt;</td></tr>" in made


def test_pictures_survive_equal_values_and_have_round_ticks() -> None:
    assert seeds({0: 5.0, 1: 5.0}, None, 5.0, 0.0).count("<circle") == 2
    assert ticks(0, 100) == [0, 50, 100]
    assert ticks(93.2, 98.9) == [94, 96, 98]
    assert ticks(1, 1) == [1]
