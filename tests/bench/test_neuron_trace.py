"""Traces of CE-LIF output neurons: what is recorded is what the neuron's equations give, and the target is marked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.measures import MEASURES
from bench.measures.neuron_trace import contextual_embedding, negative_share, neuron_trace
from bench.papers.celif.figure_2 import TABLE
from bench.papers.celif.models import CELIF
from bench.spec.experiment import Experiment
from bench.spec.model import Model
from bench.training import trained
from lightning_modules.networks.dense import Dense
from lightning_modules.neurons.celif import CELIF as Neuron
from lightning_modules.neurons.celif import EMBEDDINGS
from lightning_modules.scan import scan
from tests.bench.test_figure_measures import small
from tests.bench.test_loss_landscape import untrained
from tests.bench.test_trained import TINY

STEPS = 20
NEURONS = 4  # two of them are no class
OUTPUT = Model(
    "celif-output",
    "CE-LIF with a CE-LIF output layer",
    neuron="celif",
    settings={"steps": STEPS},
    changes={
        "readout": "spiking",
        "loss": "mean-ce",
        "loss_settings": {},
        "layers": (20, 8, NEURONS),
        "network_settings": {"start": "own"},
    },
)
DIGITS = 1e-4  # of the series


@pytest.fixture
def network(places: Path) -> trained.Trained:
    """An untrained network whose weights are large enough to spike, with embeddings of both signs."""
    trained_experiment = untrained(Experiment(TINY, OUTPUT, 0, "smoke"))
    for name, value in trained_experiment.states["last"].items():
        if "linear.weight" in name:
            value *= 4
        if name.endswith(".te"):
            value *= 5
            value -= 0.03
    return trained_experiment


def decided(network: trained.Trained) -> tuple[Tensor, Tensor, Tensor]:
    """Of the whole test set: input, class, and the rows that the network decides right."""
    module = network.module("last", "cpu")
    batches = list(network.data("test").test_batches())
    x = torch.cat([x for x, _ in batches], 1)
    target = torch.cat([target for _, target in batches])
    with torch.no_grad():
        decision = module(x).mean(0).argmax(-1)
    return x, target, (decision == target).nonzero().flatten()


def rows(series: dict[str, list], neuron: int) -> dict[str, list]:
    """The columns of one neuron."""
    chosen = [i for i, n in enumerate(series["neuron"]) if n == neuron]
    return {name: [column[i] for i in chosen] for name, column in series.items()}


def test_all_output_neurons_of_the_first_sample_decided_right_are_recorded(network: trained.Trained) -> None:
    x, target, right = decided(network)
    assert 0 < len(right) < len(target)
    reading = neuron_trace(network, "last")
    series = reading.series
    assert {len(column) for column in series.values()} == {NEURONS * STEPS}
    assert set(series["sample"]) == {int(right[0])} and series["t"] == list(range(STEPS)) * NEURONS
    assert rows(series, 2)["pixel"] == x[:, right[0], 0].tolist()
    with torch.no_grad():
        output = network.module("last", "cpu")(x)[:, right[0]]
    for neuron in range(NEURONS):
        assert rows(series, neuron)["spike"] == output[:, neuron].int().tolist()


def test_the_target_neuron_is_marked_and_its_rate_is_the_value(network: trained.Trained) -> None:
    _, target, right = decided(network)
    reading = neuron_trace(network, "last")
    marked = {n for n, mark in zip(reading.series["neuron"], reading.series["target"], strict=True) if mark}
    assert marked == {int(target[right[0]])}
    spikes = rows(reading.series, marked.pop())["spike"]
    assert reading.value == pytest.approx(sum(spikes) / STEPS) and sum(spikes) > 0


def test_the_recorded_embedding_equals_what_the_threshold_s_recursion_gives(network: trained.Trained) -> None:
    config = Neuron.Config()
    series = neuron_trace(network, "last").series
    for neuron in range(NEURONS):
        theta = [config.threshold, *rows(series, neuron)["threshold"]]
        recursion = [
            now - config.threshold - config.beta * (before - config.threshold)
            for before, now in zip(theta, theta[1:], strict=False)
        ]
        assert rows(series, neuron)["embedding"] == pytest.approx(recursion, abs=2 * DIGITS)
    assert max(abs(value) for value in series["embedding"]) > 50 * DIGITS


def test_the_recorded_states_give_the_spikes(network: trained.Trained) -> None:
    series = neuron_trace(network, "last").series
    for spike, v, theta in zip(series["spike"], series["v"], series["threshold"], strict=True):
        assert spike == (v >= theta) or abs(v - theta) <= DIGITS


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_every_form_of_the_embedding_is_the_one_that_moved_the_threshold(embedding: str) -> None:
    torch.manual_seed(0)
    config = Neuron.Config(steps=STEPS, embedding=embedding)
    neuron = Neuron(3, config)
    with torch.no_grad():
        recorded = scan(neuron, torch.randn(STEPS, 2, 3), record=Neuron.State._fields, backend="loop").recorded
        theta = torch.cat([torch.full((1, 2, 3), config.threshold), recorded["theta"]]) - config.threshold
        assert torch.allclose(contextual_embedding(neuron, recorded), theta[1:] - config.beta * theta[:-1], atol=1e-6)


def test_the_share_is_that_of_negative_embeddings_in_target_neurons_minus_the_others(network: trained.Trained) -> None:
    x, target, right = decided(network)
    reading = negative_share(network, "last")
    dense = network.module("last", "cpu").network
    assert isinstance(dense, Dense)
    with torch.no_grad():
        theta = dense.run(x, record=("theta",)).recorded["theta"].double()
    beta = Neuron.Config().beta
    start = torch.full_like(theta[:1], Neuron.Config().threshold)
    shifted = torch.cat([start, theta])[:, right] - start[:, right]
    negative = ((shifted[1:] - beta * shifted[:-1])[1:] < -1e-7).double().sum(0) / STEPS  # the first is 0
    expected = []
    for row, label in zip(negative, target[right], strict=True):
        others = [float(share) for neuron, share in enumerate(row) if neuron != label]
        expected.append(float(row[label]) - sum(others) / len(others))
    assert reading.series["sample"] == right.tolist()
    assert reading.series["difference"] == pytest.approx(expected, abs=1e-3) and any(expected)
    assert reading.value == pytest.approx(sum(reading.series["difference"]) / len(right))
    few = negative_share(network, "last", samples=3)
    assert few.series["difference"] == reading.series["difference"][:3] and few.n_test == 3
    measure = MEASURES["trace-share"]
    assert measure.repeats and set(measure.repeats) <= set(reading.series)


def test_a_network_without_a_celif_output_or_a_right_decision_has_no_trace(network: trained.Trained) -> None:
    for reader in (neuron_trace, negative_share):
        with pytest.raises(trained.NotApplicable, match="the output layer is not CE-LIF"):
            reader(small(CELIF), "last")
        random = replace(OUTPUT, changes={**OUTPUT.changes, "network_settings": {"start": "uniform"}})
        with pytest.raises(trained.NotApplicable, match="start with random states"):
            reader(untrained(Experiment(TINY, random, 0, "smoke")), "last")
    state = network.states["last"]
    state["layers.1.linear.weight"].zero_()
    state["layers.1.linear.bias"].copy_(torch.tensor([0.0, 0.0, 9.0, 0.0]))  # neuron 2 is no class
    for reader in (neuron_trace, negative_share):
        with pytest.raises(trained.NotApplicable, match="no test sample is decided right"):
            reader(network, "last")


def test_the_network_of_the_figure_has_its_accuracy_in_the_table() -> None:
    accuracy = [cell for cell in TABLE.cells if cell.measure is MEASURES["accuracy"]]
    traces = [cell for cell in TABLE.cells if cell.measure is MEASURES["neuron-trace"]]
    assert [(cell.model, cell.task) for cell in accuracy] == [(cell.model, cell.task) for cell in traces] != []
