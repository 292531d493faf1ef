"""Energy is counted by the published formulas, from measured rates, for every kind of network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.measures import ENERGY, ENERGY_HONEST, ENERGY_INFERENCE, MACS, SPIKES, SYNOPS
from bench.measures.energy import Counts, energy, layer, total
from bench.papers.celif.models import ALIF_REC, CELIF
from bench.papers.celif.models_baselines import LSTM_256
from bench.papers.celif.tasks import ADDING_100
from bench.papers.registry import MODELS, TABLES
from bench.papers.roles.models import LIF
from bench.papers.roles.tasks import XOR
from bench.spec.experiment import Experiment
from bench.spec.model import Model
from bench.training import run, trained
from lightning_modules import networks
from lightning_modules.networks.dense import Dense
from lightning_modules.networks.indrnn import IndRNNNetwork
from lightning_modules.networks.resnet18 import ResNet18
from lightning_modules.networks.rnn import RNN
from lightning_modules.networks.tcn import TCN
from lightning_modules.neurons import NEURONS
from tests.lightning_modules.test_parameter_counts import TABLE_MODELS

LIF_RATES, CELIF_RATES = [0.22, 0.145, 0.004], [0.22, 0.23, 0.44]  # published with celif Table 4


def test_the_published_lif_is_24_1_nanojoules_layer_by_layer() -> None:
    first, second, third = (
        layer("lif", m, n, rate_in, rate_out)
        for m, n, rate_in, rate_out in ((1, 64, 0.0, 0.22), (64, 256, 0.22, 0.145), (256, 256, 0.145, 0.004))
    )
    classifier = Counts(256 * 10 * 0.004, 0.0, 0.0)
    assert [round(c.picojoules, 1) for c in (first, second, third, classifier)] == [
        pytest.approx(823.7 + 294.4, abs=0.11),
        pytest.approx(3244.0 + 8585.9 + 1177.6, abs=0.11),
        pytest.approx(8552.4 + 236.9 + 1177.6, abs=0.11),
        pytest.approx(9.2, abs=0.11),
    ]
    assert sum(c.picojoules for c in (first, second, third, classifier)) == pytest.approx(24_101.7, abs=0.3)


def test_the_published_ce_lif_is_12_5_nanojoules_not_13_5() -> None:
    parts = [
        layer("celif", m, n, rate_in, rate_out, recurrent=False)
        for m, n, rate_in, rate_out in ((1, 64, 0.0, 0.22), (64, 152, 0.22, 0.23), (152, 152, 0.23, 0.44))
    ]
    parts.append(Counts(152 * 10 * 0.44, 0.0, 0.0))
    assert [c.picojoules for c in parts] == [
        pytest.approx(12.7 + 883.2, abs=0.11),
        pytest.approx(1926.1 + 31.5 + 2097.6, abs=0.11),
        pytest.approx(4782.5 + 60.2 + 2097.6, abs=0.11),
        pytest.approx(601.9, abs=0.11),
    ]
    assert sum(c.picojoules for c in parts) == pytest.approx(12_493.3, abs=0.3)


def test_alif_and_lstm_by_the_printed_formulas() -> None:
    # mn Fr_in E_AC + (nn + 2n) Fr_out E_AC + 4n E_MAC and 4(mn + nn) E_MAC + 17n E_MAC, with m = 3, n = 5
    assert layer("alif", 3, 5, 0.5, 0.1).picojoules == pytest.approx(0.9 * (15 * 0.5 + 35 * 0.1) + 4.6 * 20)
    assert layer("lstm", 3, 5).picojoules == pytest.approx(4.6 * (4 * 40 + 85))
    sizes = ((1, 60), (60, 102), (102, 102))  # one of the readings that hit the printed 774.9
    assert sum(layer("lstm", m, n).picojoules for m, n in sizes) / 1000 == pytest.approx(774.9, abs=0.05)


@pytest.mark.parametrize(
    ("network", "form", "sizes", "recurrent", "rates"),
    [
        (lambda: Dense([1, 64, 256, 256, 10], "lif", {}, "linear-mean", True), "lif", (64, 256, 256), True, LIF_RATES),
        (lambda: Dense([1, 64, 152, 152, 10], "celif", {}, "linear-mean"), "celif", (64, 152, 152), False, CELIF_RATES),
        (
            lambda: Dense([1, 64, 256, 256, 10], "alif", {}, "linear-mean", True),
            "alif",
            (64, 256, 256),
            True,
            [0.1, 0.06, 0.04],
        ),
    ],
    ids=["lif", "celif", "alif"],
)
def test_a_network_s_count_is_the_sum_of_its_layers_formulas(
    network, form: str, sizes, recurrent: bool, rates: list[float]
) -> None:
    steps, inputs = 784, (1, *sizes[:-1])
    parts = [
        layer(form, m, n, a, b, recurrent) for m, n, a, b in zip(inputs, sizes, [0.0, *rates[:-1]], rates, strict=True)
    ] + [Counts(sizes[-1] * 10 * rates[-1], 0.0, 0.0)]
    synops = steps * sum(c.synops for c in parts)
    built = network()
    free, honest = (total(built, rates, synops, steps, True, c) for c in ("celif", "honest"))
    assert free.picojoules / steps == pytest.approx(sum(c.picojoules for c in parts))
    assert honest.macs - free.macs == steps * 64, "one multiplication for each weight of the first layer"
    assert free.spikes / steps == pytest.approx(sum(c.spikes for c in parts))
    spiking = total(built, rates, synops, steps, False, "honest")
    assert spiking == free, "an input of spikes costs what arrives"


def test_an_unknown_convention_and_a_neuron_that_cannot_be_counted_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Dense([1, 3, 2], "lif", {}, "linear-mean")
    with pytest.raises(ValueError, match="celif, honest"):
        total(network, [0.1], 1.0, 5, True, "free")
    network.stack[0].neuron.name = "someone's"  # type: ignore[misc]
    assert total(network, [0.1], 1.0, 5, True, "celif").macs == 5 * 3, "counted in its step"
    monkeypatch.setattr(type(network.stack[0].neuron), "step", lambda *state: print(bool(state[1].u.sum())))
    with pytest.raises(trained.NotApplicable, match="someone's"):
        total(network, [0.1], 1.0, 5, True, "celif")


@pytest.mark.parametrize("name", sorted(NEURONS))
def test_every_neuron_of_the_suite_is_counted(name: str) -> None:
    from bench.measures.operations import NEURONS as COUNTED

    assert name in COUNTED or not NEURONS[name].spiking


@pytest.mark.parametrize("model", TABLE_MODELS.values(), ids=TABLE_MODELS)
def test_every_network_of_the_tables_has_an_energy(model: Model) -> None:
    from bench.papers.celif.tasks import SEQ_MNIST

    network = networks.build(Experiment(SEQ_MNIST, model, 0, "paper").config)
    rates = [0.1 for neuron in network.neurons if neuron.spiking]
    assert (
        total(network, rates, 1000.0, 784, True, "honest").picojoules
        > total(network, rates, 0.0, 784, False, "celif").picojoules / 2
        > 0
    )


DENSE = {
    "rnn": lambda: RNN([3, 8, 6, 4], cell="rnn"),
    "lstm": lambda: RNN([3, 8, 6, 4], cell="lstm"),
    "gru": lambda: RNN([3, 8, 6, 4], cell="gru", readout="linear"),
    "tcn": lambda: TCN([3, 5, 5, 4], readout="linear", kernel=3),
}


@pytest.mark.parametrize("kind", DENSE)
def test_dense_counts_agree_with_torch_s_flop_counter(kind: str) -> None:
    network, x = DENSE[kind](), torch.randn(11, 2, 3)
    with torch.backends.mkldnn.flags(enabled=False), FlopCounterMode(display=False) as counter:
        network(x)
    assert 2 * 2 * network.dense_macs(11) == counter.get_total_flops(), "two operations a MAC, two samples"


def test_the_products_of_indrnn_and_resnet_agree_with_the_flop_counter() -> None:
    indrnn = IndRNNNetwork([3, 5, 5, 4], settings={"steps": 7})
    with FlopCounterMode(display=False) as counter:
        torch.nn.functional.linear(torch.randn(7, 5), indrnn.linears[1].weight)
    assert indrnn.dense_macs(7) == 7 * (3 * 5 + 5) + counter.get_total_flops() // 2 + 7 * 5 + 5 * 4
    resnet = ResNet18([3, 10], "lif", {})
    with FlopCounterMode(display=False) as counter:
        resnet.stem(torch.randn(1, 3, 32, 32))
    assert resnet.dense_macs(1) == counter.get_total_flops() // 2


TINY = {"smoke": {"epochs": 1, "batch_size": 8, "data_settings": {"batches": 1, "test": 24, "steps": 20}}}


@pytest.mark.parametrize("model", [LSTM_256, CELIF, ALIF_REC], ids=lambda m: m.name)
def test_energy_is_read_from_a_trained_experiment_with_its_raw_counts(places: Path, model: Model) -> None:
    small = replace(model, name=f"{model.name}-small", changes={**model.changes, "layers": [2, 6, 5, 4, 1]}, by_task={})
    e = Experiment(replace(ADDING_100, budgets=TINY), small, 0, "smoke")
    lines, _ = run.run(e, (ENERGY, ENERGY_INFERENCE, ENERGY_HONEST, SYNOPS, MACS, SPIKES))
    assert [line.status for line in lines] == ["ok"] * 6, [line.error for line in lines]
    step, inference, honest, synops, macs, spikes = (line.value for line in lines)
    assert inference == pytest.approx(20 * step, rel=1e-5)
    trained_experiment = trained.load(e)
    assert trained_experiment is not None
    reading = energy(trained_experiment, "best_test")
    updates = reading.series["updates"][0]
    assert step == pytest.approx((0.9 * (synops + updates) + 4.6 * macs) / 1000, rel=1e-4)
    assert (lines[0].n_test, lines[0].energy_convention) == (24, "celif, per step")
    if model is LSTM_256:
        assert (synops, spikes) == (0, 0) and honest == step
        assert macs == pytest.approx(sum(4 * (m * n + n * n) + 17 * n for m, n in ((2, 6), (6, 5), (5, 4))) + 4 / 20)
    else:
        assert honest == pytest.approx(step + 4.6 * 2 * 6 / 1000), "values and marks are analog"


def test_spikes_as_input_are_no_analog_input(places: Path) -> None:
    tiny = {"smoke": {"epochs": 1, "batch_size": 20, "data_settings": {"batches": 1, "test": 40, "steps": 20}}}
    e = Experiment(replace(XOR, budgets=tiny, loss_settings={"first": 15}), LIF, 0, "smoke")
    free, honest = run.run(e, (ENERGY, ENERGY_HONEST))[0]
    assert free.status == "ok" and free.value == honest.value


def test_celif_4_measures_what_it_compares_on_sequential_mnist() -> None:
    cells = [c for c in TABLES["celif-4"].cells if c.column == "Empirical Energy Costs"]
    assert [(c.task.name, c.model.name, c.measure) for c in cells if c.task and c.model] == [
        ("seq-mnist", name, None if name == "lstm-154k" else ENERGY)  # an LSTM's is computed
        for name in ("lstm-154k", "lif-rec", "alif-yin", "celif-154k", "lstm-128")
    ]
    assert all(m.name in MODELS for m in (c.model for c in cells) if m)
