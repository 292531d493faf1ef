"""The loss landscape: its centre is the model's training loss, its directions are filter-normalised, what is fixed
stays.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.measures.loss_landscape import Landscape, direction, loss_landscape
from bench.measures.subset import training_batches
from bench.papers.roles.models import LIF, LIF_RECURRENT
from bench.spec.experiment import Experiment
from bench.training import trained
from lightning_modules.spiking import SpikingModule
from tests.bench.test_trained import TINY

E = Experiment(TINY, LIF, 0, "smoke")


def untrained(experiment: Experiment) -> trained.Trained:
    """Weights as training would find them."""
    torch.manual_seed(experiment.seed)
    network = SpikingModule({**experiment.config, "seed": experiment.seed}).network
    return trained.Trained(experiment, {"last": network.state_dict()}, [], 0, {})


@pytest.fixture
def trained_experiment(places: Path) -> trained.Trained:
    return untrained(E)


def columns(reading: trained.Reading) -> list[dict[str, float]]:
    return [dict(zip(reading.series, row, strict=True)) for row in zip(*reading.series.values(), strict=True)]


def test_the_centre_is_the_training_loss_of_the_model_on_the_subset(trained_experiment: trained.Trained) -> None:
    reading = loss_landscape(trained_experiment, "last", samples=10, points=3, pairs=1)
    module = trained_experiment.module("last")
    ((x, target),) = training_batches(trained_experiment, module, 10)
    with torch.no_grad():
        loss, _ = module.objective(module(x), target, **module.loss_settings)
    centre = columns(reading)[0]
    assert (centre["x"], centre["y"]) == (0, 0) and centre["loss"] == pytest.approx(float(loss), rel=1e-6)


def test_the_value_is_the_mean_rise_on_the_circles_of_all_pairs(trained_experiment: trained.Trained) -> None:
    reading = loss_landscape(trained_experiment, "last", samples=10, points=3, pairs=2)
    rows = columns(reading)
    circles = [row for row in rows if not row["grid"]]
    assert sum(row["grid"] for row in rows) == 9 and {row["pair"] for row in circles} == {0, 1}
    assert {round((row["x"] ** 2 + row["y"] ** 2) ** 0.5, 6) for row in circles} == {0.5, 1.0}
    assert reading.value == pytest.approx(sum(row["loss"] - rows[0]["loss"] for row in circles) / len(circles))
    assert loss_landscape(trained_experiment, "last", samples=10, points=3, pairs=2) == reading


def test_a_direction_has_each_row_as_long_as_the_weights_and_nothing_for_one_dimension(
    trained_experiment: trained.Trained,
) -> None:
    parameters = dict(trained_experiment.module("last").network.named_parameters())
    d = direction(parameters, 7)
    for name, p in parameters.items():
        if p.dim() < 2:
            assert not d[name].any()
        else:
            assert torch.allclose(d[name].flatten(1).norm(dim=1), p.detach().flatten(1).norm(dim=1), rtol=1e-5)
    assert not torch.equal(d["layers.0.linear.weight"], direction(parameters, 8)["layers.0.linear.weight"])
    assert not direction(parameters, 7, lambda name: name.startswith("layers.0"))["layers.0.linear.weight"].any()


def test_the_weights_move_along_the_directions_from_the_trained_ones(trained_experiment: trained.Trained) -> None:
    module = trained_experiment.module("last")
    landscape = Landscape(module, training_batches(trained_experiment, module, 10))
    pair = tuple(direction(landscape.parameters, seed) for seed in (0, 1))
    moved_loss = landscape.loss(0.5, -0.25, pair)
    moved = trained_experiment.module("last")
    with torch.no_grad():
        for name, p in moved.network.named_parameters():
            p += 0.5 * pair[0][name] - 0.25 * pair[1][name]
    assert Landscape(moved, landscape.batches).loss() == pytest.approx(moved_loss, rel=1e-6)
    assert landscape.loss() == Landscape(trained_experiment.module("last"), landscape.batches).loss()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"points": 4}, "odd number"),
        ({"samples": 300}, "multiple of 256"),
        ({"samples": 512}, "512 training samples are needed, 256"),
    ],
)
def test_bad_settings_are_named(trained_experiment: trained.Trained, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss_landscape(trained_experiment, "last", **{"samples": 10, "points": 3, **settings})


def test_every_model_of_a_task_sees_the_same_samples(trained_experiment: trained.Trained) -> None:
    second = untrained(Experiment(TINY, LIF_RECURRENT, 1, "smoke"))
    ((x, y),), ((u, v),) = (training_batches(k, k.module("last"), 20) for k in (trained_experiment, second))
    assert torch.equal(x, u) and torch.equal(y, v)
