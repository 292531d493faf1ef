"""The report in a browser: addresses open cells, and sorting, filter, columns and CSV work from the file system."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.ledger import store
from bench.ledger.index import Index
from bench.report import page as report

pytestmark = pytest.mark.slow
ADDRESS = "roles-6/baseline/mnist"
OPEN = "name => { const e = document.getElementById(name); return e.checkVisibility() && e.closest('details').open }"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site") / "report"
    report.write(made, Index(store.read()))
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("no Chromium (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield launched
        launched.close()


class Visit:
    """A page of the report in a browser, with what goes wrong there."""

    def __init__(self, browser: Any, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.page = browser.new_page(**options)
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("request", lambda request: self._check(request.url))
        self.page.on("requestfailed", lambda request: self.problems.append(f"failed: {request.url}"))

    def _check(self, url: str) -> None:
        if not url.startswith(("file://", "data:", "blob:")):
            self.problems.append(f"leaves the file system: {url}")

    def go(self, name: str) -> Any:
        self.page.goto(f"file://{self.folder}/{name}")
        return self.page

    def load_images(self) -> None:
        """Load lazy images too, and wait for all: leaving the page would abort their requests."""
        self.page.evaluate("for (const image of document.images) image.loading = 'eager'")
        self.page.wait_for_function("[...document.images].every(image => image.complete)")

    def rows(self, grid: str) -> list[str]:
        """The visible rows of a table, by their first cells."""
        return self.page.locator(f"#{grid} tbody tr:not([hidden]) > th").all_inner_texts()


@pytest.fixture
def visit(browser: Any, folder: Path) -> Iterator[Visit]:
    made = Visit(browser, folder)
    yield made
    made.load_images()
    made.page.close()
    assert made.problems == []


def test_every_page_loads_without_an_error_and_fits_a_phone(browser: Any, folder: Path) -> None:
    phone = Visit(browser, folder, viewport={"width": 390, "height": 844})
    wide = []
    slow = []
    for path in sorted(folder.glob("*.html")):
        page = phone.go(path.name)
        if page.evaluate("document.documentElement.scrollWidth") > 390:
            wide.append(path.name)
        ready = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
        if ready > 2000 * 4:  # 2 s, on a machine that others use too
            slow.append((path.name, ready))
        phone.load_images()
    phone.page.close()
    assert (phone.problems, wide, slow) == ([], [], [])


@pytest.mark.parametrize("name", [f"roles-6.html#{ADDRESS}", f"index.html#{ADDRESS}"])
def test_an_address_opens_its_cell(visit: Visit, name: str) -> None:
    page = visit.go(name)
    page.wait_for_function(f"location.pathname.endsWith('/roles-6.html') && ({OPEN})('{ADDRESS}')")
    assert page.locator(f"[id='{ADDRESS}']").is_visible()
    box = page.locator(f"[id='{ADDRESS}']").bounding_box()
    assert 0 <= box["y"] < page.viewport_size["height"]


def test_an_address_opens_its_cell_without_javascript(browser: Any, folder: Path) -> None:
    plain = Visit(browser, folder, java_script_enabled=False)
    page = plain.go(f"roles-6.html#{ADDRESS}")
    assert page.locator(f"[id='{ADDRESS}']").is_visible()
    assert page.locator("#roles-6-own td").count() == 35
    page.close()


def test_the_keyboard_reaches_cells_and_opens_them(visit: Visit) -> None:
    page = visit.go("roles-6.html")
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('href') || ''"))
    for row in ("baseline", "without-reset", "with-recurrence"):
        assert f"#roles-6/{row}/mnist" in reached
    page.locator("#roles-6-own a[href='#roles-6/baseline/shd']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#roles-6/without-leakage/xor"
    page.keyboard.press("Enter")
    page.wait_for_function(f"({OPEN})('roles-6/without-leakage/xor')")


def test_sorting_orders_rows_by_the_measured_value(visit: Visit) -> None:
    page = visit.go("roles-6.html")
    before = visit.rows("roles-6-own")
    values = page.locator("#roles-6-own tbody td:nth-child(7)").evaluate_all("cells => cells.map(c => +c.dataset.v)")
    page.locator("#roles-6-own thead th:nth-child(7) button").click()
    ordered = [row for _, row in sorted(zip(values, before, strict=True))]
    assert visit.rows("roles-6-own") == ordered
    page.locator("#roles-6-own thead th:nth-child(7) button").click()
    assert visit.rows("roles-6-own") == ordered[::-1]


def test_the_filter_leaves_rows_with_the_text_and_the_csv_has_what_is_visible(visit: Visit, tmp_path: Path) -> None:
    page = visit.go("roles-6.html")
    tools = page.locator(".tools").first
    tools.locator("input[type=search]").fill("LEAKAGE")
    assert visit.rows("roles-6-own") == ["Without leakage", "Complete leakage"]
    tools.locator("summary").click()
    tools.get_by_label("SHD").uncheck()
    assert not page.locator("#roles-6-own thead th:nth-child(3)").is_visible()
    with page.expect_download() as download:
        tools.locator("button").click()
    download.value.save_as(tmp_path / "view.csv")
    with (tmp_path / "view.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 6
    assert "SHD" not in {row["column"] for row in rows}
    (cell,) = (r for r in rows if (r["row"], r["column"]) == ("Without leakage", "MNIST"))
    assert cell["published"] == "94.38"
    assert cell["verdict"] == "above"


def test_three_clicks_lead_from_the_front_page_to_the_evidence(visit: Visit) -> None:
    page = visit.go("index.html")
    page.get_by_role("link", name="roles-6", exact=True).click()
    page.locator(f"#roles-6-own a[href='#{ADDRESS}']").click()
    page.wait_for_function(f"({OPEN})('{ADDRESS}')")
    assert "Ledger lines in results/runs/mnist.csv" in page.locator(f"[id='{ADDRESS}']").inner_text()
