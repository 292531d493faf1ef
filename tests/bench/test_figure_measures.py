"""Learning curves and gradient reach: each against a computation of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.measures import LOSS_CURVE
from bench.measures.gradient_reach import gradient_reach, hidden_gradient
from bench.measures.learning_curve import plateau
from bench.papers.celif.models import ALIF_REC, CELIF
from bench.papers.celif.models_baselines import LSTM_256
from bench.papers.celif.tasks import COPY_100
from bench.spec.experiment import Experiment
from bench.training import trained
from lightning_modules.networks.rnn import RNN
from lightning_modules.spiking import SpikingModule
from tests.bench.test_loss_landscape import E, untrained

SMALL = {"layers": (10, 5, 6, 10), "epochs": 1, "data_settings": {"delay": 4, "batches": 1, "test": 8}, "batch_size": 8}
COPY = replace(COPY_100, budgets={"smoke": SMALL})


def small(model, **settings):  # type: ignore[no-untyped-def]
    """An untrained network of ``model`` on a copy task of 24 steps, weights large enough to spike."""
    last = model.by_task.get("copy-100", {})
    layers = (10, 6, 10) if model is LSTM_256 else SMALL["layers"]
    fitted = {
        **last,
        "layers": layers,
        **({"neuron": {**last["neuron"], "steps": 24}} if "steps" in last.get("neuron", {}) else {}),
    }
    trained_experiment = untrained(Experiment(COPY, replace(model, by_task={"copy-100": fitted}), 0, "smoke"))
    for name, value in trained_experiment.states["last"].items():
        if "linear.weight" in name:
            value *= 4
    return trained_experiment


def plain_loop(module: SpikingModule, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The network step by step with autograd alone; gives its output and the last hidden layer's spikes."""
    for layer in module.network.layers:  # type: ignore[union-attr]
        current = layer.linear(x)
        neuron, steps = layer.neuron, len(x)
        drive = neuron.drive(steps)
        state, out, outs = neuron.initial_state(x.shape[1], current[0]), torch.zeros_like(current[0]), []
        for t in range(steps):
            now = current[t]
            if layer.recurrent is not None:
                now = (
                    now + out @ layer.recurrent.t() + (layer.recurrent_bias if layer.recurrent_bias is not None else 0)
                )
            state, out = neuron.step(state, now, **{k: v[t] if v.dim() == 2 else v for k, v in drive.items()})
            outs.append(out)
        x = torch.stack(outs)
    return module.network.head(x), outs  # type: ignore[operator]


@pytest.mark.parametrize("model", [CELIF, ALIF_REC], ids=lambda m: m.name)
def test_the_gradient_is_that_of_autograd_on_the_plain_loop(places: Path, model) -> None:  # type: ignore[no-untyped-def]
    trained_experiment = small(model)
    module = trained_experiment.module("last", "cpu")
    x, target = next(iter(trained_experiment.data().train_batches(lambda: 0)))
    gradient = hidden_gradient(module, x, target)
    output, spikes = plain_loop(module, x)
    loss, _ = module.objective(output, target, **module.loss_settings)
    expected = torch.stack(torch.autograd.grad(loss, spikes))
    assert expected.abs().sum() > 0 and torch.stack(spikes).sum() > 0
    assert torch.allclose(gradient, expected, rtol=1e-4, atol=1e-8)


def test_an_lstm_s_hidden_state_is_that_of_torch_and_its_gradient_goes_through_time(places: Path) -> None:
    trained_experiment = small(LSTM_256)
    module = trained_experiment.module("last", "cpu")
    network = module.network
    assert isinstance(network, RNN)
    x, target = next(iter(trained_experiment.data().train_batches(lambda: 0)))
    probe = torch.zeros(*x.shape[:2], 6)
    assert torch.allclose(network.hidden(x, probe), network.hidden(x), atol=1e-6)
    gradient = hidden_gradient(module, x, target)

    def loss(step: float) -> float:
        moved = probe.clone()
        moved[3, 2, 1] = step
        return float(
            module.objective(network.read_out(network.hidden(x, moved)), target, **module.loss_settings)[0].detach()
        )

    network.double()
    x, probe = x.double(), probe.double()
    assert float(gradient[3, 2, 1]) == pytest.approx((loss(1e-4) - loss(-1e-4)) / 2e-4, rel=1e-3)


def test_the_profile_sums_to_one_and_the_value_is_its_first_ten_steps(places: Path) -> None:
    reading = gradient_reach(small(CELIF), "last", samples=8)
    share = reading.series["share"]
    assert len(share) == 24 and sum(share) == pytest.approx(1.0) and reading.value == pytest.approx(sum(share[:10]))


def with_accuracies(*accuracies: float) -> trained.Trained:
    """An experiment whose test accuracy was one of ``accuracies`` after each epoch."""
    records = [{"epoch": e, "test/loss": 1 / e, "test/accuracy": a} for e, a in enumerate(accuracies, start=1)]
    return replace(untrained(E), history=records, steps=10 * len(records))


def test_the_plateau_begins_where_the_accuracy_is_within_a_point_of_its_best(places: Path) -> None:
    assert plateau(with_accuracies(50.0, 89.5, *[90.4, 90.0] * 5), "last").value == 2
    assert plateau(with_accuracies(50.0, 88.0, 89.0, *[90.0] * 9, 89.0), "last").value == 3


@pytest.mark.parametrize(
    ("accuracies", "reason"),
    [
        ([38.0], "more than 10 epochs, and 1 were trained"),
        ([90.0] * 10, "more than 10 epochs, and 10 were trained"),
        ([50.0, *[80.0 + e for e in range(12)]], "the last 10 epochs are not within 1 point of the best"),
        ([90.0] * 11 + [88.9], "the last 10 epochs are not within 1 point of the best"),
    ],
)
def test_a_training_that_is_not_at_its_plateau_has_no_learning_curve_value(
    places: Path, accuracies: list[float], reason: str
) -> None:
    with pytest.raises(trained.NotApplicable, match=f"not at its plateau: .*{reason}"):
        plateau(with_accuracies(*accuracies), "last")


def test_the_loss_curve_s_value_is_the_last_loss_and_regression_has_no_plateau(places: Path) -> None:
    records = [{"epoch": e, "test/loss": 1 / e, "n_test": 9} for e in (1, 2, 3, 4)]
    regression = replace(untrained(E), history=records, steps=40)
    ((protocol, reading),) = trained.read(regression, LOSS_CURVE)
    assert (protocol, reading.value, reading.epoch, reading.series) == ("last", 0.25, 4, {})
    with pytest.raises(trained.NotApplicable, match="no accuracy"):
        plateau(regression, "last")
