"""Notes: every number in them is checked, and what they refer to exists."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.ledger import histories, store
from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.papers.registry import PAPERS, TABLES
from bench.papers.roles.models import LIF, LIF_NO_RESET, LIF_RECURRENT
from bench.papers.roles.tasks import MNIST
from bench.report import claims, notes, render
from bench.report.notes import fill
from bench.report.references import NOT_MEASURED, resolve
from bench.spec.experiment import Experiment
from bench.spec.model import Model
from tests.bench.test_plan import finished
from tests.conftest import ROOT

FILES = sorted((ROOT / "bench" / "papers").glob("*/notes/*.md"))
SHOWN = {notes.path(table.paper.id, name) for table in TABLES.values() for name in table.notes}
NUMBER = re.compile(r"(?<![\w.])(?:\d[\d,]*\.\d+|\d[\d,]*(?= ?%))")
NUMBERS = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")
REFERENCE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
SOURCES = re.compile(r"\b(paper|code|recipe)(?:'s|s)?\b")


def file_id(path: Path) -> str:
    return f"{path.parent.parent.name}/{path.stem}"


@cache
def published(paper: str) -> frozenset[float]:
    """Numbers that the paper prints in its tables and text, and those in the names of rows and columns."""
    texts = [text for t in TABLES.values() if t.paper.id == paper for text in (*t.rows, *t.columns)]
    texts += [cell.published or "" for t in TABLES.values() if t.paper.id == paper for cell in t.cells]
    for path in (ROOT / "tests" / "bench" / "published").glob(f"{paper}_*.csv"):
        with path.open(encoding="utf-8") as file:
            texts += [row["value"] for row in csv.DictReader(file)]
    return frozenset(float(number.replace(",", "")) for text in texts for number in NUMBERS.findall(text))


def blocks(text: str) -> Iterator[str]:
    """Paragraphs and list items; a table belongs to the paragraph above it."""
    parts = re.split(r"\n\n(?!\|)|\n(?=- )", text)
    return (" ".join(part.split()) for part in parts if part.strip())


def unexplained(text: str, paper: str) -> list[str]:
    """Numbers with a decimal point or a % sign that are no reference, not published and of no named source."""
    wrong = []
    for block in blocks(REFERENCE.sub("", text)):
        if "exploratory" in block:
            continue
        for sentence in re.split(r"(?<=[.:])\s", block):
            if SOURCES.search(sentence):
                continue
            numbers = NUMBER.findall(sentence)
            wrong += [f"{n}: {sentence}" for n in numbers if float(n.replace(",", "")) not in published(paper)]
    return wrong


@pytest.mark.parametrize("path", FILES, ids=file_id)
def test_every_number_of_a_note_is_a_reference_or_published_or_names_its_source(path: Path) -> None:
    assert unexplained(path.read_text(encoding="utf-8"), path.parent.parent.name) == []


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("The row has 98.31 % here.", ["98.31"]),
        ("- One is 94.85.\n- The other has\n  37 %.", ["37"]),
        ("Seed 0 had 54.1 % (exploratory).", []),
        ("By the paper's formula it is 12.49 nJ. Here it is 12.48.", ["12.48"]),
        ("{{roles-6 | Baseline | MNIST}} % against 94.85 published, in 3 steps of 1,100.", []),
        ("Accuracy (exploratory):\n\n| row | value |\n| --- | --- |\n| a | 12.34 |\n\nThen 56.78.", ["56.78"]),
    ],
)
def test_a_number_without_a_source_is_noticed(text: str, numbers: list[str]) -> None:
    assert [wrong.split(":")[0] for wrong in unexplained(text, "roles")] == numbers


def test_every_file_of_notes_is_shown_by_a_table() -> None:
    assert set(FILES) == SHOWN
    assert {path.parent.parent.name for path in FILES} == set(PAPERS)


def test_a_table_that_names_a_file_that_is_not_there_names_those_that_are() -> None:
    table = replace(TABLES["roles-6"], notes=("xr",))
    with pytest.raises(BenchError, match=r"of roles-6 in bench/papers/roles/notes 'xr'; did you mean xor"):
        notes.markdown(table, Index([]))


@pytest.mark.parametrize("path", FILES, ids=file_id)
def test_no_line_of_a_note_is_longer_than_120_characters(path: Path) -> None:
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 120] == []


# Columns and rows that were declared before they were measured: notes have room for their values.
DECLARED_FIRST = (r"trained on whole recordings, N-MNIST \(simulated\)", "Plain LSTM")


def test_every_reference_has_its_value_in_the_committed_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_RESULTS", str(ROOT / "results"))
    index = Index(store.read())
    references = [text for path in FILES for text in re.findall(r"\{\{(.*?)\}\}", path.read_text(), re.DOTALL)]
    without = [text for text in references if resolve(text, index) == NOT_MEASURED]
    assert [
        text for text in without if not any(re.search(name, " ".join(text.split())) for name in DECLARED_FIRST)
    ] == []


def test_the_notes_render_without_any_result(places: Path) -> None:
    texts = {name: notes.markdown(table, Index([])) for name, table in TABLES.items()}
    assert NOT_MEASURED in texts["roles-6"] and NOT_MEASURED in texts["celif-4"]
    assert not any("{{" in text for text in texts.values())


def on_mnist(model: Model, *values: float, **changes) -> list[Line]:
    """One line a seed, as if ``model`` had been trained at paper budget."""
    line = {"protocol": "best_test", "n_test": 10_000, **changes}
    return [finished(Experiment(MNIST, model, seed, "paper"), value=v, **line) for seed, v in enumerate(values)]


LINES = [
    *on_mnist(LIF, 98.0, 98.5, epoch=85),
    *on_mnist(LIF, 97.0, 97.5, protocol="last"),
    *on_mnist(LIF_RECURRENT, 96.0),
    *on_mnist(LIF_NO_RESET, 99.0),
    finished(Experiment(MNIST, LIF, 0, "laptop"), value=90.0, protocol="best_test"),
    replace(on_mnist(LIF, 75.0)[0], experiment="0123456789ab", version="of another recipe", epoch=22),
]


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("roles-6 | Baseline | MNIST", "98.25"),
        ("roles-6 | baseline |\n mnist | digits=1", "98.2"),
        ("roles-7 | k_tau = 0.3 | MNIST", "98.25"),  # the same trainings
        ("roles-6 | Baseline | MNIST | seed=1", "98.50"),
        ("roles-6 | Baseline | MNIST | seed=0 | protocol=last", "97.00"),
        ("roles-6 | Baseline | MNIST | budget=laptop", "90.00"),
        ("roles-6 | Baseline | MNIST | seed=0 | show=epoch", "85"),
        ("roles-6 | Baseline | MNIST | show=seeds", "2"),
        ("roles-6 | Baseline | MNIST | show=epochs", "100"),
        ("roles-6 | Baseline | MNIST | show=n_test", "10,000"),
        ("roles-6 | Baseline | MNIST | minus=published", "3.40"),
        ("values: roles-6 | Baseline | MNIST | seed=* | digits=1", "98.0 and 98.5"),
        ("min: roles-6 | Baseline; With recurrence; Without reset | MNIST", "96.00"),
        ("max: roles-6 | Baseline | MNIST | seed=*", "98.50"),
        ("spread: roles-6 | Baseline; With recurrence; Without reset | MNIST", "3.00"),
        ("difference: roles-6 | With recurrence; Baseline | MNIST", "-2.25"),
        ("best: roles-6 | Baseline; With recurrence; Without reset | MNIST", "Without reset"),
        ("best: roles-6 | Baseline | MNIST", "MNIST"),
        ("min: roles-6 | * | MNIST", NOT_MEASURED),  # two of the five rows are not in these lines
        ("roles-6 | Baseline | MNIST | seed=7", NOT_MEASURED),
        ("roles-6 | Baseline | XOR", NOT_MEASURED),
        ("experiment 0123456789ab | accuracy", "75.00"),
        ("experiment 0123456789ab | accuracy | show=epoch", "22"),
        ("experiment 999999999999 | accuracy", NOT_MEASURED),
        ("celif-5 | Seq-MNIST | beta", "0.99"),
    ],
)
def test_a_reference_prints_what_the_ledger_has(reference: str, text: str) -> None:
    assert resolve(reference, Index(LINES)) == text


def test_a_reference_to_an_epoch_reads_the_history(places: Path) -> None:
    records = [{"test/loss": 0.5, "test/accuracy": 88.0}, {"test/loss": 0.4, "test/accuracy": 89.5}]
    histories.write(Experiment(MNIST, LIF, 1, "paper"), records, 20)
    index = Index(LINES)
    assert resolve("roles-6 | Baseline | MNIST | epoch=2", index) == "89.50"
    assert resolve("roles-6 | Baseline | MNIST | epoch=3", index) == NOT_MEASURED
    assert resolve("roles-6 | With recurrence | MNIST | epoch=2", index) == NOT_MEASURED


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("roles-66 | Baseline | MNIST", "unknown table 'roles-66'; did you mean roles-6"),
        ("roles-6 | Baselin | MNIST", "unknown row of roles-6 'Baselin'; did you mean Baseline"),
        ("roles-6 | Baseline | MNST", "unknown column of roles-6 'MNST'; did you mean MNIST"),
        ("roles-6 | Baseline | MNIST | sed=1", "unknown option 'sed'; did you mean seed"),
        ("roles-6 | Baseline | MNIST | seed=one", "seed must be a whole number, got 'one'"),
        ("roles-6 | Baseline | MNIST | protocol=first", "unknown protocol 'first'"),
        ("roles-6 | Baseline | MNIST | budget=smoke", "unknown budget 'smoke'"),
        ("maxi: roles-6 | Baseline | MNIST", "unknown function 'maxi'; did you mean max"),
        ("roles-6 | Baseline", "a reference is"),
        ("roles-6 | * | MNIST", "5 values: name one cell"),
        ("difference: roles-6 | Baseline | MNIST", "two values, not of 1"),
        ("roles-6 | With recurrence | CIFAR10", "nothing is measured in roles-6, row With recurrence"),
        ("celif-1 | Plain LSTM / Recurrent / 66.5k | SNN", "has no cell there"),
        ("roles-6 | Baseline | XOR (200 steps) | minus=published", "nothing is published"),
        ("experiment 0123456789ab | acuracy", "unknown measure 'acuracy'; did you mean accuracy"),
        ("experiment 0123456789ab | accuracy | seed=1", "an experiment has no option seed"),
        ("min: experiment 0123456789ab | accuracy", "an experiment has one value"),
    ],
)
def test_a_reference_to_what_does_not_exist_is_an_error_with_file_and_line(
    monkeypatch: pytest.MonkeyPatch, reference: str, message: str
) -> None:
    monkeypatch.setenv("BENCH_RESULTS", str(ROOT / "results"))
    where = ROOT / "bench" / "papers" / "roles" / "notes" / "xor.md"
    with pytest.raises(BenchError) as error:
        fill(f"**XOR**\n\n- It has {{{{{reference}}}}} %.", where, Index(store.read(only=["mnist", "xor"])))
    assert str(error.value).startswith("bench/papers/roles/notes/xor.md:3: {{")
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["\n{{roles-6 | Baseline | MNIST", "\nroles-6 | Baseline }} of"])
def test_a_brace_without_its_other_is_an_error_with_file_and_line(text: str) -> None:
    with pytest.raises(BenchError, match=r"xor.md:2: .. belongs to no reference"):
        fill(text, Path("xor.md"), Index([]))


def test_check_fails_once_a_value_in_the_ledger_is_another_than_in_the_rendered_note(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "judgements", lambda lines: {})
    monkeypatch.setattr(render, "index", lambda lines: "")
    table = TABLES["roles-7"]  # it shows no cell of roles-6, but its notes refer to one
    column = replace(table, cells=(table.cell("k_tau = 1.0", "MNIST"),), notes=("mnist",))
    render.render([column], LINES)
    assert render.differing([column], LINES) == []
    edited = [replace(line, value=94.0) if line.model == LIF_NO_RESET.name else line for line in LINES]
    assert "roles-7.md" in [path.name for path in render.differing([column], edited)]


def test_a_paragraph_a_list_item_and_a_table_row_are_one_line_when_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.md").write_text(
        "**A**\n\nTwo\nlines.\n\n- one\n  item\n- other\n\n| a | b |\n| --- | --- |\n| x |\n  {{roles-6 |\n"
        "  Baseline | MNIST}} |\n"
    )
    monkeypatch.setattr(notes, "path", lambda paper, name: tmp_path / f"{name}.md")
    text = notes.markdown(replace(TABLES["roles-6"], notes=("a", "a")), Index(LINES))
    once = "**A**\n\nTwo lines.\n\n- one item\n- other\n\n| a | b |\n| --- | --- |\n| x | 98.25 |"
    assert text == f"{once}\n\n{once}"
