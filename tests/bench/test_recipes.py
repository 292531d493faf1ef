"""Recipes say where they depart from the papers, and what the papers' own equations and protocols are is there too."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from bench import plan
from bench.__main__ import cli
from bench.measures import ACCURACY, ENERGY
from bench.papers.celif.models import CELIF_EMBEDDINGS, EMBEDDING_S_GAIN
from bench.papers.celif.models_baselines import DEEP_R_LSNN, LSTM_128_PLAIN, LSTM_256, LSTM_256_PLAIN
from bench.papers.celif.tasks import COPY_100, SEQ_MNIST
from bench.papers.registry import MODELS, TABLES, TASKS
from bench.papers.roles.input_factor import NO_INPUT
from bench.papers.roles.models import LIF, LIF_NO_LEAK
from bench.papers.roles.tasks import DVS_GESTURE, NMNIST, SHD, XOR, XOR_WHOLE_INPUT
from bench.report import facts, notes
from bench.spec.experiment import Experiment
from bench.spec.model import Model
from bench.spec.table import Cell, Fact
from bench.spec.task import BUDGETS, Task
from lightning_modules import networks
from lightning_modules.networks.dense import Dense
from lightning_modules.networks.rnn import RNN
from lightning_modules.neurons.lif import LIF as LIFNeuron
from lightning_modules.scan import scan
from tests.conftest import ROOT

WHOLE_INPUT = ("xor-whole-input", "shd-whole-input", "ssc-whole-input", "spoken-digits-standin-whole-input")
FACTOR = ("xor", "xor-script", "shd", "ssc", "spoken-digits-standin")


def column(table: str, task: str) -> list[Cell]:
    """The cells of ``table`` on ``task``."""
    return [cell for cell in TABLES[table].cells if cell.task and cell.task.name == task]


@pytest.mark.parametrize(("task", "sees_input"), [(XOR, False), (XOR_WHOLE_INPUT, True)])
def test_with_the_factor_a_network_without_leakage_gets_no_input(task: Task, sees_input: bool) -> None:
    torch.manual_seed(0)
    network = networks.build(Experiment(task, LIF_NO_LEAK, 0, "paper").config)
    assert isinstance(network, Dense)
    network.eval()  # the states that it starts from are the same at every pass
    first, second = ((torch.rand(30, 4, 20) < rate).float() for rate in (0.9, 0.1))
    assert torch.equal(network(first), network(second)) != sees_input


def test_the_neuron_says_that_no_input_reaches_it_at_k_1() -> None:
    assert "at k = 1 no input" in " ".join((LIFNeuron.__doc__ or "").split())


@pytest.mark.parametrize(("table", "row"), [("roles-6", "Without leakage"), ("roles-7", "k_tau = 1.0")])
def test_the_cells_of_a_network_without_input_say_so(table: str, row: str) -> None:
    tasks = {cell.task.name for cell in TABLES[table].cells if cell.task and NO_INPUT in cell.note}
    assert tasks == {name for name in FACTOR if column(table, name)}
    assert {cell.row for cell in TABLES[table].cells if NO_INPUT in cell.note} == {row}


@pytest.mark.parametrize("name", WHOLE_INPUT)
def test_the_paper_s_own_equation_has_a_column_for_all_rows(name: str) -> None:
    task, original = TASKS[name], TASKS[name.removesuffix("-whole-input")]
    assert task.neuron == {**original.neuron, "scale_input": False}
    assert (task.data, task.data_settings, task.budgets) == (original.data, original.data_settings, original.budgets)
    for table, rows in (("roles-6", 5), ("roles-7", 11)):
        if column(table, original.name):
            cells = column(table, name)
            assert len(cells) == rows and all(cell.extra and cell.runnable for cell in cells)
            assert all("the paper's own equation" in cell.note for cell in cells)
    chosen = plan.select(TABLES["roles-6"], columns=[task.title])
    made = plan.make([("roles-6", cell) for cell in chosen], "paper", 1, [])
    assert (made.cells, len(made.jobs) + len(made.no_data)) == (5, 5)


def test_notes_say_that_the_published_13_69_is_above_what_a_network_without_input_reaches() -> None:
    for table in ("roles-6", "roles-7"):
        text = notes.source(TABLES[table])
        assert "13.69" in text and "5 %" in text and "no input reaches" in text
    assert "chosen because it gives the published pattern" in notes.source(TABLES["roles-6"])


def test_a_departure_decides_no_weights() -> None:
    plain = Experiment(NMNIST, LIF, 0, "paper")
    labelled = Experiment(replace(NMNIST, departs="a"), replace(LIF, departs="b"), 0, "paper")
    assert (labelled.id, labelled.config) == (plain.id, plain.config)
    assert (plain.departs, labelled.departs) == ("", "a; b")


@pytest.mark.parametrize(
    ("task", "model", "words"),
    [
        (XOR, LIF, "100 steps, chosen after seeing which rows learn"),
        (XOR, LIF, "input times 1 - k"),
        (XOR_WHOLE_INPUT, LIF, "100 steps, chosen after seeing which rows learn"),
        (SHD, LIF, "input times 1 - k"),
        (SHD, LIF, "readout that does not spike"),
        (DVS_GESTURE, LIF, "1e-4, where the paper prints 0.1"),
        (COPY_100, LSTM_256, "forget gates start open"),
    ],
)
def test_recipes_that_depart_from_the_paper_say_in_what(task: Task, model: Model, words: str) -> None:
    assert words in Experiment(task, model, 0, "paper").departs


@pytest.mark.parametrize(("column", "departs"), [("DVS128 Gesture", True), ("MNIST", False)])
def test_show_prints_where_a_recipe_departs(places: Path, column: str, departs: bool) -> None:
    done = CliRunner().invoke(cli, ["show", "roles-6", "Baseline", column])
    assert ("departs from the paper: learning rate 1e-4" in done.output) == departs


def test_recipes_with_the_paper_s_values_depart_in_nothing() -> None:
    assert "1 - k" not in XOR_WHOLE_INPUT.departs
    for task in ("nmnist", "mnist", "cifar10", "seq-mnist", "ps-mnist", "adding-100", "copy-100"):
        assert TASKS[task].departs == ""
    for model in ("lstm-256-plain", "lstm-128-plain", "celif-154k", "lif-rec"):
        assert MODELS[model].departs == ""


def test_a_setting_that_differs_from_the_printed_one_is_named_as_a_departure() -> None:
    differing = [
        cell
        for name in ("roles-4", "roles-5", "celif-5")
        for cell in TABLES[name].cells
        if cell.fact and not cell.absent and facts.answer(cell).verdict == "differs"
    ]
    assert differing and all(cell.task and cell.task.departs for cell in differing)


def test_the_paper_budget_promises_no_more_than_epochs_and_batch_size() -> None:
    assert BUDGETS["paper"] == "the paper's epochs and batch size, the recipe as shown"
    assert "paper's own settings" not in (ROOT / "README.md").read_text()


def test_plain_lstms_are_torch_s_own_beside_the_helped_ones() -> None:
    for task, model in ((COPY_100, LSTM_256_PLAIN), (SEQ_MNIST, LSTM_128_PLAIN)):
        config = Experiment(task, model, 0, "paper").config
        assert "clip" not in config and not {"forget_bias", "chrono"} & set(config["network_settings"])
    network = networks.build(Experiment(COPY_100, LSTM_256_PLAIN, 0, "paper").config)
    assert isinstance(network, RNN)
    torch.manual_seed(0)
    own = torch.nn.LSTM(10, 256)
    torch.manual_seed(0)
    network = networks.build(Experiment(COPY_100, LSTM_256_PLAIN, 0, "paper").config)
    assert all(torch.equal(p, own.get_parameter(name)) for name, p in network.cells[0].named_parameters())
    for table in ("celif-fig-5", "celif-fig-6", "celif-1"):
        assert any(cell.model and cell.model.name.endswith("-plain") for cell in TABLES[table].cells)


def test_the_energy_of_the_compared_lstm_is_computed_without_training() -> None:
    table = TABLES["celif-4"]
    lstm = facts.answer(table.cell("LSTM", "Empirical Energy Costs"))
    widths = [(1, 64), (64, 96), (96, 96)]
    macs = sum(4 * (m * n + n * n) + 17 * n for m, n in widths) + 96 * 10 / 784
    assert lstm.number == pytest.approx(4.6 * macs / 1000, abs=1e-4) and lstm.text == "718.34"
    assert (lstm.params, lstm.verdict) == (None, "differs") and "168,457" in lstm.note
    published = {
        row: facts.answer(table.cell(row, "Energy from the published rates")) for row in ("LIF", "CE-LIF(Ours)")
    }
    assert {row: (a.text, round(a.number or 0, 2)) for row, a in published.items()} == {
        "LIF": ("24.10", 24.10),
        "CE-LIF(Ours)": ("12.49", 12.49),
    }
    for row in ("LSTM", "ALIF"):
        assert table.cell(row, "Energy from the published rates").absent == "not applicable"


def test_the_rows_of_the_energy_table_are_of_equal_size_and_print_it() -> None:
    counts = {row: facts.answer(TABLES["celif-4"].cell(row, "Parameters")) for row in TABLES["celif-4"].rows}
    compared = [counts[row].number or 0 for row in ("LSTM", "LIF", "ALIF", "CE-LIF(Ours)")]
    assert all(153_000 < count < 157_000 for count in compared)
    assert counts["LSTM of 66.5k"].number == counts["LSTM of 66.5k"].params == 67_850  # with its readout
    assert TABLES["celif-4"].cell("LSTM of 66.5k", "Empirical Energy Costs").runnable


def test_a_spiking_network_has_no_energy_without_rates() -> None:
    from bench.errors import BenchError
    from bench.report import census

    cell = Cell(
        "a", "b", task=SEQ_MNIST, model=MODELS["lif-rec"], fact=Fact("energy", (ENERGY.name, "784")), extra=True
    )
    with pytest.raises(BenchError, match="depends on its firing rates"):
        census.compute(facts.questions(cell))


def test_row_1_of_celif_2_is_there_with_alif_s_gain() -> None:
    cells = {cell.column: cell for cell in TABLES["celif-2"].cells if cell.row == "1, with ALIF's gain"}
    assert facts.answer(cells["CE[t] ="]).text == "gamma S[t-1]"
    assert cells["Seq-MNIST"].runnable and cells["PS-MNIST"].measure == ACCURACY
    gain, row_1 = (Experiment(SEQ_MNIST, m, 0, "paper").config for m in (EMBEDDING_S_GAIN, CELIF_EMBEDDINGS[0]))
    different = {name for name in row_1 if gain[name] != row_1[name]}
    assert different == {"neuron"}, "all else as row 1"


def test_row_1_with_a_gain_of_1_would_be_row_1() -> None:
    from lightning_modules.neurons.alif_celif import ALIFCelif
    from lightning_modules.neurons.celif import CELIF

    current = torch.rand(40, 3, 5)
    alif, celif = ALIFCelif(5, ALIFCelif.Config(gamma=1.0)), CELIF(5, CELIF.Config(steps=40, embedding="s"))
    assert torch.equal(scan(alif, current, backend="loop").output, scan(celif, current, backend="loop").output)


def test_seven_digits_have_the_columns_of_nmnist_and_as_many_outputs() -> None:
    ours = TASKS["nmnist-7"]
    papers = TASKS["nmnist"]
    assert ours.layers == (2312, 512, 7) and (ours.epochs, ours.lr, ours.batch_size) == (100, 1e-4, 512)
    assert set(ours.budgets) == {"laptop", "smoke"} and TASKS["nmnist-7-whole"].at("laptop").epochs >= 10
    for table in TABLES.values():
        rows = {task.name: set() for task in (papers, ours)}  # type: dict[str, set[tuple[str, str]]]
        for cell in table.cells:
            if cell.runnable and cell.task and cell.measure and cell.task.name in rows:
                rows[cell.task.name].add((cell.row, cell.measure.name))
        assert rows["nmnist"] == rows["nmnist-7"], table.id
    assert "nmnist-subset" not in TASKS


def test_networks_trained_on_whole_recordings_have_columns_at_all_resolutions() -> None:
    for data in ("nmnist", "nmnist-standin", "nmnist-7"):
        whole, short = TASKS[f"{data}-whole"], TASKS[data]
        assert whole.data == data and whole.data_settings == {**short.data_settings, "steps": 100}
        assert whole.budgets == short.budgets
        cells = column("roles-8", whole.name)
        assert len({cell.model.name for cell in cells if cell.model}) == 10
        measures = {cell.column.split(",")[0]: cell.measure.name for cell in cells if cell.measure}
        assert measures == {
            "1ms": "accuracy@1ms-full",
            "2ms": "accuracy@2ms-full",
            "3ms": "accuracy",
            "5ms": "accuracy@5ms-full",
            "10ms": "accuracy@10ms-full",
        }
        assert len(cells) == 50 and all(cell.runnable and cell.extra for cell in cells)
    assert "third protocol" in notes.source(TABLES["roles-8"])


def test_what_was_attributed_wrongly_is_gone() -> None:
    assert "random test batch" not in notes.source(TABLES["roles-fig-3"])
    assert "printed accuracy" not in SHD.sources["readout"]
    assert "another task" in XOR.sources["data_settings"]
    assert "another task" in notes.source(TABLES["roles-6"])
    assert "share of adaptive neurons" in DEEP_R_LSNN.sources["neuron"] and "[U]" in DEEP_R_LSNN.sources["neuron"]
    assert "Baseline, tuned" not in TABLES["roles-6"].rows


def test_the_page_of_results_names_the_epochs_of_what_is_not_at_paper_budget() -> None:
    text = re.sub(r"\s+", " ", (ROOT / "docs" / "results.md").read_text())
    for phrase in ("after 10 of 150 epochs", "5 and 10 of 200 epochs", "No accuracy of celif is at paper budget"):
        assert phrase in text
    assert "`[U]` (unknown)" in text and "schematic figures" in text
