"""Coverage: published numbers by what is known of them, and everything else apart."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from bench import paths
from bench.errors import BenchError
from bench.ledger import store
from bench.ledger.index import Index
from bench.measures import ACCURACY
from bench.papers.registry import PAPERS, TABLES
from bench.papers.roles.models import LIF
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import DVS_GESTURE, MNIST, NMNIST_STANDIN
from bench.report import counts, readme
from bench.report.counts import Counts
from bench.report.findings import find_results
from bench.spec.experiment import Experiment
from bench.spec.table import Cell, Fact, Table
from tests.bench.test_plan import finished
from tests.bench.test_verdict import CELL, result


def table(*cells: Cell) -> Table:
    return Table("roles-6", PAPER, "title", cells)


@pytest.mark.parametrize(
    ("values", "budget", "counted"),
    [
        ((94.8, 94.9, 95.0), "paper", Counts(published=1, reproduced=1)),
        ((98.0, 98.1, 98.2), "paper", Counts(published=1, above=1)),
        ((90.0, 90.1, 90.2), "paper", Counts(published=1, below=1)),
        ((94.85,), "paper", Counts(published=1, inconclusive=1)),
        ((94.8, 94.9, 95.0), "laptop", Counts(published=1, reduced=1)),
    ],
)
def test_a_published_number_is_counted_by_its_verdict_or_its_budget(
    values: tuple[float, ...], budget: str, counted: Counts
) -> None:
    lines = [result(value, seed, budget) for seed, value in enumerate(values)]
    assert counts.of(table(CELL), lines) == counted
    assert counted.at_paper_budget == (budget == "paper")


def test_what_is_no_published_number_that_needs_training_is_counted_apart() -> None:
    other_recipe = replace(CELL, column="a", task=replace(MNIST, departs="another rate"))
    standin = Cell("Baseline", "b", None, "%", NMNIST_STANDIN, LIF, ACCURACY, extra=True)
    fact = Cell("Epochs", "c", "100", "", MNIST, LIF, fact=Fact("setting", ("epochs",)))
    absent = Cell("Baseline", "d", None, "%", MNIST, LIF, ACCURACY, "not applicable", "left out")
    no_data = Cell("Baseline", "e", "94.09", "%", DVS_GESTURE, LIF, ACCURACY)
    on_standin = finished(Experiment(NMNIST_STANDIN, LIF, 0, "laptop"), value=94.0, protocol="best_test", n_test=100)
    found = counts.of(table(other_recipe, standin, fact, absent, no_data), [result(94.85), on_standin])
    assert found == Counts(published=2, another_recipe=1, no_data=1, beside=1, computed=1)
    assert found.at_paper_budget == 1


def test_all_published_numbers_are_counted_once() -> None:
    ledger = Index(store.read(paths.COMMITTED))
    by_table = {name: counts.of(t, ledger) for name, t in TABLES.items()}
    total = sum(by_table.values(), Counts())
    assert total.published == sum(counts.is_published(cell) for t in TABLES.values() for cell in t.cells)
    assert total.at_paper_budget + total.reduced + total.no_data + total.not_run == total.published
    known = {name: n.published for name, n in by_table.items() if n.published and name.startswith(("celif-", "roles-"))}
    assert known == {
        "celif-1": 27,
        "celif-2": 12,
        "celif-3": 6,
        "celif-4": 4,
        "roles-6": 34,
        "roles-7": 66,
        "roles-8": 50,
        "roles-9": 5,
        "roles-10": 5,
    }
    measured = sum(f.status == "measured" for t in TABLES.values() for f in find_results(t, ledger))
    counted = {"beside", "computed", "reduced"}
    assert measured == total.at_paper_budget + sum(getattr(total, name) for name in counted)
    assert counts.NAMES.keys() == {*asdict(total), "at_paper_budget"}
    assert {t.paper.id for t in TABLES.values()} == set(PAPERS)


def test_the_readme_has_the_counts_of_each_paper_between_two_comments() -> None:
    text = f"# Title\n\n{readme.BEGIN}\nold\n{readme.END}\n\nThe rest.\n"
    published = sum(counts.is_published(cell) for table in TABLES.values() for cell in table.cells)
    filled = readme.filled(text, Index([]))
    start = readme.sentence(sum((counts.of(table, ()) for table in TABLES.values()), Counts()))
    assert filled.startswith(f"# Title\n\n{readme.BEGIN}\n{start}\n\n| paper |")
    assert filled.endswith(f"{readme.END}\n\nThe rest.\n")
    rows = [line.split(" | ")[0] for line in filled.splitlines() if line.startswith("| ")]
    assert [row.split("]")[0] for row in rows[2:-1]] == [f"| [{paper}" for paper in PAPERS]
    assert f"\n| **sum** | {published} | " in filled and "old" not in filled
    assert readme.filled(filled, Index([])) == filled
    with pytest.raises(BenchError, match="the counts belong between the lines"):
        readme.filled("# Title\n", Index([]))


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (Counts(published=9), "None of the 9 published numbers is reproduced. None is measured at the paper's budget."),
        (Counts(published=9, reproduced=1), "1 of the 9 published numbers is reproduced. 1 is measured"),
        (
            Counts(published=9, reproduced=2, above=1, below=1),
            "2 of the 9 published numbers are reproduced. 4 are measured at the paper's budget:"
            " 2 reproduced, 1 above the published value, 1 below it.",
        ),
    ],
)
def test_a_sentence_says_how_many_published_numbers_are_reproduced(numbers: Counts, words: str) -> None:
    assert readme.sentence(numbers).startswith(words)
