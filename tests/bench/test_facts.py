"""Facts: cells that need no training say what the code and the data here give, and why that differs from the paper."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.papers.registry import TABLES
from bench.papers.roles.models import GRU_512, LIF, LIF_LEAK, LIF_NO_RESET, LIF_RECURRENT, LSTM_512, RNN_512
from bench.papers.roles.tasks import DVS_GESTURE, MNIST, NMNIST, SHD, XOR
from bench.report import census, facts
from bench.report.facts import Question, texts_agree
from bench.report.text_table import cell_text, legend
from bench.report.verdict import find_result
from bench.spec.experiment import Experiment
from bench.spec.table import Cell, Fact
from datamodules.census import count
from datamodules.sources import DataError
from lightning_modules.spiking import SpikingModule
from tests.conftest import bench
from tests.datamodules.tiny_sets import camera, install, nmnist_archives


def cell(name: str, published: str | None, *of: str, unit: str = "", task=MNIST, model=LIF, why: str = "") -> Cell:
    return Cell(
        "row",
        "column",
        published,
        unit,
        task,
        model,
        absent="" if published else "not reported",
        note="" if published else "-",
        fact=Fact(name, of, why),
    )


def test_committed_facts_are_what_the_code_and_the_data_here_give() -> None:
    assert census.differing() == []


def test_a_wrong_or_left_over_line_is_found(places: Path) -> None:
    known = census.update()
    whole = facts.path().read_text()
    question = next(q for q in known if q.subject == "mnist/lif")
    facts.save({**known, question: "407051", Question("parameters", "", "mnist/gone", "0" * 12): "1"})
    assert census.differing() == [
        "parameters whole network of mnist/lif: 407051, now 407050",
        "parameters  of mnist/gone: 1, now in no table",
    ]
    done = bench("facts", "--check")
    assert done.returncode == 1 and "out of date" in done.stderr and "Traceback" not in done.stderr
    assert bench("facts").returncode == 0
    assert facts.path().read_text() == whole


@pytest.mark.parametrize("damage", ["", "fact;of;subject;key;value\n", "<<<<<<< HEAD\nfact,of\n", "cut off"])
def test_facts_are_made_again_from_a_damaged_file_and_the_old_one_is_kept(
    places: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    absent = facts.data_question("samples", "ssc")
    monkeypatch.setattr(facts, "all_questions", lambda tables: {absent})
    monkeypatch.setattr(census, "compute", lambda questions: {})
    facts.save({absent: "1"})
    whole = facts.path().read_text()
    text = whole[:-1] if damage == "cut off" else damage
    facts.path().write_text(text)
    with pytest.raises(BenchError, match=r"facts\.csv:.*python -m bench facts"):
        facts.read()
    known = census.update()
    assert known == ({absent: "1"} if damage == "cut off" else {})
    assert facts.path().with_name("facts.csv.damaged-1").read_text() == text
    assert facts.read() == known and "facts.csv.damaged-1" in caplog.text


def test_a_broken_list_of_facts_is_one_message(places: Path) -> None:
    facts.path().parent.mkdir()
    facts.path().write_text("fact,value\n")
    done = bench("list")
    assert (
        done.returncode == 1
        and "facts.csv:1: the header is not that of facts" in done.stderr
        and "Traceback" not in done.stderr
    )


@pytest.mark.parametrize(
    ("published", "text", "equal"),
    [
        ("1e-4", "0.0001", True),
        ("10,420", "10420", True),
        ("[64,88,88]", "[64, 88, 88]", True),
        ("RGB", "rgb", True),
        ("0.1", "1e-3", False),
        ("10", "20", False),
        ("StepLR(50, 0.1)", "StepLR(50, 0.5)", False),
        ("1", "one", False),
    ],
)
def test_numbers_are_compared_as_numbers_and_words_but_for_blanks_and_case(
    published: str, text: str, equal: bool
) -> None:
    assert texts_agree(published, text) == equal


@pytest.mark.parametrize(
    ("published", "verdict", "note"),
    [
        ("407.1", "equal", ""),
        ("407.0", "equal", "the paper rounds down"),
        ("407.2", "differs", "a reason"),
        ("407", "equal", ""),
    ],
)
def test_parameters_are_counted_in_the_built_network_and_compared_as_rounded(
    places: Path, published: str, verdict: str, note: str
) -> None:
    fact_cell = cell("parameters", published, unit="k", why="a reason")
    assert facts.answer(fact_cell).status == "ready to run"
    facts.save(census.compute(facts.questions(fact_cell)))
    found = facts.answer(fact_cell)
    assert (found.text, found.verdict, found.note, found.params) == (
        "407,050",
        verdict,
        note,
        407_050,
    )  # 784·512 + 512 + 512·10 + 10


def test_a_changed_recipe_has_no_fact_until_it_is_computed_again(places: Path) -> None:
    fact_cell = cell("parameters", "407.1", unit="k")
    facts.save(census.compute(facts.questions(fact_cell)))
    wider = replace(fact_cell, task=replace(MNIST, layers=(784, 600, 10)))
    assert facts.answer(wider).status == "ready to run"


def test_a_setting_that_the_recipe_leaves_to_the_neuron_is_looked_up_there(places: Path) -> None:
    fact_cell = cell("setting", "hard", "neuron.reset", task=replace(MNIST, neuron={}))
    assert [q.of for q in facts.questions(fact_cell)] == ["neuron.reset"]
    assert facts.answer(fact_cell).status == "ready to run"
    facts.save({facts.questions(fact_cell)[0]: "hard"})
    assert facts.answer(fact_cell).verdict == "equal"


def test_a_deviation_is_shown_with_the_reason_of_the_recipe() -> None:
    found = facts.answer(cell("setting", "0.1", "lr", task=DVS_GESTURE))
    assert (found.text, found.verdict) == ("1e-4", "differs")
    assert "implausible" in found.note
    assert facts.answer(cell("setting", None, "schedule", task=DVS_GESTURE)).text == "none"


def test_every_deviation_of_every_table_has_a_reason() -> None:
    silent = []
    for table in TABLES.values():
        silent += [
            f"{table.id}: {f.cell.row} / {f.cell.column}"
            for c in table.cells
            if (f := find_result(table, c, [])).verdict == "differs" and not f.note
        ]
    assert not silent


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (LIF, ("Normal", "Normal", "Without")),
        (LIF_LEAK[0], ("Complete", "Normal", "Without")),
        (LIF_LEAK[-1], ("Without", "Normal", "Without")),
        (LIF_NO_RESET, ("Normal", "Without", "Without")),
        (LIF_RECURRENT, ("Normal", "Normal", "With")),
    ],
)
def test_components_are_read_off_the_recipe(model, words: tuple[str, str, str]) -> None:
    for task in (MNIST, XOR):
        assert (
            tuple(
                facts.answer(cell(name, "?", task=task, model=model)).text
                for name in ("leakage", "reset", "recurrence")
            )
            == words
        )


def test_networks_are_written_as_the_paper_writes_them() -> None:
    assert facts.answer(cell("network", "?", task=DVS_GESTURE)).text.startswith(
        "Input(32768)-Downsampling(2048)-FC_LIF(512)-FC_LIF(512)"
    )
    assert facts.answer(cell("network", "?", task=SHD)).text == "Input(700)-FC_LIF(64)-FC_LI(20)-Output"


@pytest.mark.parametrize(("model", "gates"), [(RNN_512, 1), (GRU_512, 3), (LSTM_512, 4)])
def test_the_parameters_beside_a_printed_network_are_all_that_is_trained(places: Path, model, gates: int) -> None:
    fact_cell = cell("network", "?", task=NMNIST, model=model)
    facts.save(census.compute(facts.questions(fact_cell)))
    layers = gates * (512 * (2312 + 512) + 2 * 512), 512 * 10 + 10  # recurrent layer with torch's two biases; FC(10)
    assert facts.answer(fact_cell).params == sum(layers)
    module = SpikingModule(Experiment(NMNIST, model, 0, "paper").config)
    assert sum(p.numel() for group in module.configure_optimizers().param_groups for p in group["params"]) == sum(
        layers
    )


def test_data_is_counted_where_it_is_and_asked_for_where_it_is_not(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fact_cell = cell("samples", "70,000", task=NMNIST)
    facts.save(census.compute(facts.questions(fact_cell)))
    assert facts.answer(fact_cell).status == "data missing"
    assert "bench data fetch nmnist, then python -m bench facts" in facts.answer(fact_cell).note
    rng = np.random.default_rng(0)
    recordings = [(np.concatenate([camera(rng, 34, 30, 9000), [[33, 33, 9000, 1]]]), i % 4) for i in range(8)]
    install("nmnist", nmnist_archives(recordings[:6], recordings[6:]), {"train": 6, "test": 2}, monkeypatch)
    assert count("nmnist") == {"samples": "8", "classes": "4", "size": "34x34 pixels", "format": "DVS format"}
    facts.save(census.compute(facts.questions(fact_cell)))
    found = facts.answer(fact_cell)
    assert (found.text, found.verdict) == ("8", "differs")


SUBSTITUTE_COLUMNS = {
    "roles-1": ("Recordings", {"SHD (spoken digits)": ("3,000", "stand-in")}),
    "roles-3": (
        "Samples",
        {
            "N-MNIST (simulated)": ("70,000", "stand-in"),
            "N-MNIST (7 digits)": ("18,200", "subset"),
            "DVS128 Gesture (10 clips)": ("10", "subset"),
        },
    ),
}


@pytest.mark.parametrize("name", SUBSTITUTE_COLUMNS)
def test_subsets_and_stand_ins_are_counted_in_columns_of_their_own_labelled_and_never_equal(name: str) -> None:
    table, (row, columns) = TABLES[name], SUBSTITUTE_COLUMNS[name]
    assert [c for c in table.columns if "(" in c] == list(columns)
    for column, (samples, kind) in columns.items():
        found = {c.row: find_result(table, c, []) for c in table.cells if c.column == column}
        assert found[row].text == samples
        described = {r for r, f in found.items() if f.status == "not applicable"}
        assert described == {r for r in ("Type", "Source") if r in found}
        assert {f.verdict for r, f in found.items() if r not in described} == {
            kind
        }  # N-MNIST's 70,000, 10 classes and pixels too
        assert cell_text(found[row]).lines == [samples]
    words = legend([find_result(table, c, []) for c in table.cells])
    assert words.startswith("Computed without training")


def test_a_number_that_the_papers_data_set_lacks_is_said_without_the_subsets_count(places: Path) -> None:
    (found,) = (
        find_result(TABLES["roles-3"], c, [])
        for c in TABLES["roles-3"].cells
        if (c.row, c.column) == ("Samples", "N-MNIST")
    )
    assert found.status == "data missing" and "18,200" not in found.note


def test_counting_what_is_not_here_names_what_is_missing(places: Path) -> None:
    with pytest.raises(DataError, match="data status"):
        count("mnist")


def test_a_table_of_facts_is_computed_by_the_command_that_reproduces_it(places: Path) -> None:
    done = bench("run", "roles-4")
    assert done.returncode == 0, done.stderr
    assert "46,248 parameters" in (places / "results" / "tables" / "roles-4.csv").read_text()


def test_networks_that_differ_in_the_neuron_alone_share_the_lines_about_their_connections() -> None:
    baseline, no_reset, recurrent = (
        facts.connections_of(Experiment(MNIST, model, 0, budget))
        for model, budget in ((LIF, "paper"), (LIF_NO_RESET, "laptop"), (LIF_RECURRENT, "paper"))
    )
    assert baseline == no_reset
    assert set(baseline).isdisjoint(recurrent)
    asked = facts.all_questions(TABLES)
    assert {*baseline, *recurrent} <= asked
    values = census.compute([*baseline, *recurrent])
    weights = 784 * 512 + 512 * 10
    assert [values[question] for question in baseline] == [str(15 * weights), "0.0000"]
    assert [values[question] for question in recurrent] == [str(15 * (weights + 512 * 512)), "0.0000"]


def test_a_sparse_network_has_the_connection_sparsity_of_its_recipe() -> None:
    sparse = next(
        experiment
        for table in TABLES.values()
        for cell in table.cells
        if cell.runnable and cell.task and cell.model
        for experiment in [Experiment(cell.task, cell.model, 0, "paper")]
        if experiment.config.get("network_settings", {}).get("connectivity") == 0.12
    )
    values = census.compute(facts.connections_of(sparse))
    (sparsity,) = (float(value) for question, value in values.items() if question.fact == "connection sparsity")
    assert sparsity == pytest.approx(0.88, abs=0.001)
