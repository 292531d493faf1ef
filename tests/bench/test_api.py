"""Tables, trained networks and the scan from Python, as README and docs/python.md show them."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from bench import api
from bench.errors import BenchError
from bench.ledger import store
from lightning_modules import networks, objectives
from lightning_modules.networks.dense import Dense
from lightning_modules.networks.resnet18 import ResNet18
from lightning_modules.neurons import Neuron
from tests.bench.conftest import XOR_CELL
from tests.conftest import ROOT
from tests.following_docs import DOCS, blocks

PAGES = (ROOT / "README.md", DOCS / "python.md")


def test_tables_are_had_without_loading_torch() -> None:
    code = "import sys; from bench import api; api.table('roles-6'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("name", ["roles-6", "celif-1", "celif-4", "celif-fig-4"])
def test_a_table_has_the_words_and_numbers_of_its_csv(name: str) -> None:
    frame = api.table(name)
    path = ROOT / "results" / "tables" / f"{name}.csv"
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert len(frame) == len(rows) > 0
    assert list(frame.columns) == [*rows[0], "data_kind", "extra"]
    for (_, cell), row in zip(frame.iterrows(), rows, strict=True):
        for column, text in row.items():
            if column == "seeds":
                assert cell[column] == tuple(map(int, text.split()))
            elif column in (*api.NUMBERS, *api.COUNTS):
                assert pd.isna(cell[column]) if text == "" else cell[column] == float(text), column
            else:
                assert cell[column] == text
    assert set(frame.dtypes[list(api.NUMBERS)]) == {np.dtype("float64")}


def test_a_table_tells_the_paper_s_own_cells_and_the_kind_of_data() -> None:
    frame = api.table("roles-6").set_index(["row", "column"]).sort_index()
    assert not frame.loc[("Baseline", "MNIST"), "extra"] and frame.loc[("Baseline", "N-MNIST (simulated)"), "extra"]
    assert frame.loc[("Baseline", "N-MNIST (simulated)"), "data_kind"] == "stand-in"
    assert frame.loc[("Baseline", "MNIST"), "data_kind"] == "full"
    measured = frame[(frame.status == "measured") & frame.published.notna() & (frame.budget != "")]
    assert np.allclose(measured.difference, measured.measured - measured.published, atol=0.011)


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        (("roles-66", "Baseline", "XOR"), {}, "unknown table 'roles-66'; did you mean roles-6"),
        (("roles-6", "Baselin", "XOR"), {}, "unknown row of roles-6 'Baselin'; did you mean Baseline"),
        (("roles-6", "Baseline", "XORR"), {}, "unknown column of roles-6 'XORR'; did you mean XOR"),
        (("roles-6", "Baseline", "XOR"), {"budget": "smok"}, "unknown budget 'smok'; did you mean smoke"),
        (("roles-6", "Baseline", "XOR"), {"seed": -1}, "a seed is a whole number of 0 or more, got -1"),
        (("celif-1", "LSTM | Recurrent | 66.5k", "Parameters"), {}, "nothing is trained for celif-1 / LSTM"),
    ],
)
def test_what_does_not_exist_is_one_message_with_what_does(
    places: Path, cell: tuple[str, str, str], options: dict, message: str
) -> None:
    with pytest.raises(BenchError) as error:
        api.trained(*cell, **options)
    assert str(error.value).startswith(message)


def test_a_table_that_does_not_exist_is_named_with_the_nearest() -> None:
    with pytest.raises(BenchError, match="unknown table 'rols-6'; did you mean roles-6"):
        api.table("rols-6")


def test_without_weights_the_message_names_the_command(places: Path) -> None:
    command = "python -m bench run roles-6 --row 'Without reset' --column XOR --budget laptop --seeds 3"
    with pytest.raises(BenchError, match=f"Train it with train=True or: {command}$"):
        api.trained("roles-6", "Without reset", "XOR", seed=2)
    with pytest.raises(BenchError, match=f"{command} --results {places / 'other'}$"):
        api.trained("roles-6", "Without reset", "XOR", seed=2, results=places / "other")


def test_results_whose_weights_are_elsewhere_are_not_trained_over(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_RESULTS")
    monkeypatch.setattr(api, "_run", lambda *_: pytest.fail("trained"))
    with pytest.raises(BenchError, match="trained in another home .sha256 .*weights import FILE.*results=DIR, or"):
        api.trained("roles-6", "Baseline", "MNIST", budget="paper", train=True)


def test_a_training_that_fails_gives_its_reason(places: Path) -> None:
    with pytest.raises(BenchError, match="mnist / lif / seed 0 / smoke was not trained: data missing: mnist"):
        api.trained("roles-6", "Baseline", "MNIST", budget="smoke", train=True)


@pytest.fixture
def network(xor_trained: Path) -> api.TrainedNetwork:
    return api.trained(*XOR_CELL, budget="smoke")


def test_a_trained_network_predicts_what_the_ledger_has(xor_trained: Path, network: api.TrainedNetwork) -> None:
    lines = store.read(xor_trained / "home" / "exploratory")
    (line,) = (x for x in lines if (x.measure, x.protocol) == ("accuracy", "best_test"))
    assert (network.protocol, network.sha256) == ("best_test", line.checkpoint_sha256)
    (batch,) = network.test_batches()
    x, target = batch
    assert (x.shape, target.shape) == ((100, 200, 20), (200,))
    assert (network.output(x).shape, network.scores(x).shape) == ((100, 200, 2), (200, 2))
    classes = network.predict(x)
    assert torch.equal(classes, network.scores(x).argmax(1))
    assert 100 * float((classes == target).float().mean()) == pytest.approx(line.value) == network.accuracy()
    (spikes,) = network.spikes(x)
    assert spikes.shape == (100, 200, 16) and set(spikes.unique().tolist()) <= {0.0, 1.0}
    assert float(spikes.mean()) == pytest.approx(line.spike_rate, abs=1e-6)
    assert not network.scores(x.numpy()).requires_grad
    assert "xor / lif / seed 0 / smoke, best_test, 388 parameters" in repr(network)


@pytest.mark.parametrize("shape", [(20,), (5, 20), (5, 2, 19), (0, 2, 20)])
def test_a_batch_of_another_shape_is_named(network: api.TrainedNetwork, shape: tuple[int, ...]) -> None:
    with pytest.raises(BenchError, match=r"a batch is \[T, B, 20\].*; got \[" + ", ".join(map(str, shape))):
        network.predict(torch.zeros(shape))


def test_a_protocol_that_does_not_exist_is_named(xor_trained: Path) -> None:
    assert api.trained(*XOR_CELL, budget="smoke", protocol="last").protocol == "last"
    with pytest.raises(
        BenchError, match="unknown protocol of xor / lif .* 'best'; did you mean|Known: last, best_test"
    ):
        api.trained(*XOR_CELL, budget="smoke", protocol="best")


@pytest.mark.parametrize(
    "options",
    [{"recurrent": True}, {"start": "uniform"}, {"readout": "linear-mean"}],
    ids=lambda options: next(iter(options)),
)
def test_spikes_of_hidden_layers_are_those_of_the_whole_network(options: dict) -> None:
    torch.manual_seed(0)
    net = Dense([5, 12, 8, 3], "lif", {"leak": 0.9}, **options).eval()
    x = (torch.rand(40, 6, 5) < 0.4).float()
    with torch.no_grad():
        means = net.run(x).means
        spikes = net.hidden_spikes(x)
    assert len(spikes) == 2
    for layer, mean in zip(spikes, means, strict=False):
        assert 0 < layer.mean() < 1
        torch.testing.assert_close(layer.mean(0), mean, rtol=0, atol=1e-6)


def test_the_recurrent_neurons_of_lsnn_are_its_hidden_layer() -> None:
    config = {"network": "lsnn", "layers": [2, 6, 3], "neuron": {"name": "lsnn"}, "readout": "filtered-mean"}
    settings = {"recurrent": True, "init": "default", "network_settings": {"delays": 2, "last": 3}}
    net = networks.build(config | settings)
    x = (torch.rand(9, 2, 2) < 0.5).float()
    (spikes,) = net.hidden_spikes(x)
    assert spikes.shape == (9, 2, 6)
    assert torch.equal(net.read_out(spikes), net(x)[0])


def test_a_network_that_gives_no_spikes_of_layers_says_which_do() -> None:
    net = ResNet18([3, 2], "lif", {}, side=8)
    with pytest.raises(ValueError, match="given by the networks dense and lsnn"):
        net.hidden_spikes(torch.zeros(1, 1, 3, 8, 8))


@pytest.mark.parametrize("loss", objectives.OBJECTIVES)
def test_scores_are_those_of_the_objective_whatever_the_targets(loss: str) -> None:
    torch.manual_seed(0)
    output = torch.randn(7, 4, 1 if loss == "last-mse" else 3)
    settings = {"first": 2} if "sum-ce" in loss or "softmax-ce" in loss else {}
    targets = {"step-ce": torch.randint(3, (4, 7)), "last-mse": torch.rand(4)}
    _, expected = objectives.OBJECTIVES[loss](output, targets.get(loss, torch.tensor([2, 0, 1, 1])), **settings)
    assert torch.equal(objectives.scores(loss, output, **settings), expected)


def test_the_scan_runs_a_layer_of_the_suite_or_one_s_own() -> None:
    layer = api.neuron("lif", 4, leak=0.9)
    current = torch.rand(12, 3, 4, requires_grad=True)
    result = api.scan(layer, current, record=("u",), backend="loop")
    assert result.output.shape == result.recorded["u"].shape == (12, 3, 4)
    result.output.sum().backward()
    assert current.grad is not None and current.grad.abs().sum() > 0

    class Half(Neuron):
        State = type(layer).State

        def step(self, state, current):  # type: ignore[no-untyped-def, override]
            return self.State(current / 2, state.o), current / 2

    assert torch.equal(api.scan(Half(4), current, backend="loop").output, current / 2)


def test_a_neuron_or_setting_that_does_not_exist_is_named() -> None:
    with pytest.raises(BenchError, match="unknown neuron 'liff'; did you mean lif"):
        api.neuron("liff", 4)
    with pytest.raises(BenchError, match="lif has no setting tau; it has: leak"):
        api.neuron("lif", 4, tau=2.0)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_run(xor_trained: Path, monkeypatch: pytest.MonkeyPatch, page: Path) -> None:
    monkeypatch.chdir(xor_trained)
    codes = [block.code for block in blocks(page) if block.language == "python"]
    assert codes
    names: dict[str, object] = {}
    for code in codes:
        exec(compile(code, str(page), "exec"), names)
