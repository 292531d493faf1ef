"""The attack: its direction is the closed form where there is one, its input stays binary, its numbers are what it
did.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bench.measures import ATTACK, ATTACK_RMS, ATTACK_SUCCESS, attack
from bench.papers.roles.models import LIF, LSTM_512
from bench.training import trained
from tests.bench import cameras

STEPS, BATCH, INPUTS, CLASSES = 4, 6, 30, 3
WEIGHT = torch.randn(CLASSES, INPUTS, generator=torch.Generator().manual_seed(0))


def linear(x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the mean over time of a linear layer."""
    scores = (x @ WEIGHT.T).mean(0)
    return F.cross_entropy(scores, label), scores


def spikes(share: float = 0.3) -> Tensor:
    return (torch.rand(STEPS, BATCH, INPUTS, generator=torch.Generator().manual_seed(1)) < share).float()


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def test_for_a_linear_model_the_direction_is_the_closed_form() -> None:
    x = spikes()
    label = linear(x, torch.zeros(BATCH, dtype=torch.long))[1].argmax(
        -1
    )  # all right: none is fooled before the first step
    probability = linear(x, label)[1].softmax(-1)
    closed = ((probability - F.one_hot(label, CLASSES)) @ WEIGHT) / (STEPS * BATCH)  # dL/dx, the same at every step
    gradients: list[Tensor] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attack, "perturbed", lambda x, gradient, *a: gradients.append(gradient) or x)
        attack.attack(linear, x, label, 1, 0.05, generator())
    torch.testing.assert_close(gradients[0], closed.expand(STEPS, BATCH, INPUTS), rtol=1e-5, atol=1e-8)


def test_a_step_adds_spikes_where_the_gradient_is_positive_and_takes_them_where_it_is_negative() -> None:
    x = spikes(0.5)
    gradient = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    new = attack.perturbed(x, gradient, 0.05, generator())
    changed = new != x
    assert changed.any() and set(new.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(new[changed], (gradient > 0).float()[changed])


def test_an_entry_is_taken_with_the_probability_of_its_gradient() -> None:
    size = torch.linspace(0, 1, 11)
    x = torch.zeros(2000, 1, 11)
    taken = attack.perturbed(x, size.expand(2000, 1, 11) * 3.0, 0.05, generator()).mean((0, 1))
    assert taken[0] == 0 and taken[-1] == 1 and torch.allclose(taken, size, atol=0.05)


def test_random_spikes_flip_where_the_gradient_is_zero_or_changes_nothing() -> None:
    x = torch.zeros(50, 3, 200)
    gradient = torch.zeros_like(x)
    gradient[:, 1] = -1.0  # asks for no spikes where there are none
    gradient[0, 2, 0] = 1.0
    new = attack.perturbed(x, gradient, 0.05, generator())
    assert new[:, 0].mean() == pytest.approx(0.05, abs=0.01) and new[:, 1].mean() == pytest.approx(0.05, abs=0.01)
    assert new[:, 2].sum() == 1, "where the gradient says something nothing is random"


def test_success_is_another_class_that_is_the_only_largest_output() -> None:
    tie = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    taken = attack.attack(
        lambda x, y: (x.sum() * 0.0, tie[: len(y)]), torch.zeros(2, 3, 4), torch.tensor([0, 0, 0]), 0, 0.05, generator()
    )[1]
    assert taken.tolist() == [-1, 1, -1]


def test_every_sample_is_fooled_and_the_share_is_what_was_flipped() -> None:
    x = spikes()
    label = linear(x, torch.zeros(BATCH, dtype=torch.long))[1].argmax(-1)
    adversarial, taken_for = attack.attack(linear, x, label, 50, 0.05, generator())
    assert (taken_for >= 0).all() and (taken_for != label).all()
    assert torch.equal(linear(adversarial, label)[1].argmax(-1), taken_for)
    share, again = attack.attack_with_restarts(linear, x, label, 50, 0.05, 2, generator())
    assert torch.equal(share, (adversarial != x).float().mean((0, 2))) and torch.equal(again, taken_for)
    assert ((share > 0) & (share < 1)).all()


def test_what_cannot_be_fooled_is_started_again_and_counted_as_failed() -> None:
    calls = []

    def stubborn(x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(len(label))
        return (x * 0.0).sum(), F.one_hot(label, CLASSES).float()

    share, taken_for = attack.attack_with_restarts(
        stubborn, spikes(), torch.zeros(BATCH, dtype=torch.long), 3, 0.05, 2, generator()
    )
    assert share.isnan().all() and (taken_for == -1).all()
    assert calls == [BATCH] * 4 * 3


@pytest.mark.parametrize("model", [LIF, LSTM_512], ids=lambda m: m.name)
def test_a_network_is_attacked_on_samples_that_it_classifies_correctly(
    places: Path, monkeypatch: pytest.MonkeyPatch, model
) -> None:
    cameras.install(monkeypatch)
    trained_experiment = cameras.untrained(model, gain=3.0 if model is LIF else 1.0)
    runs = []
    real = attack.attack_with_restarts
    monkeypatch.setattr(attack, "attack_with_restarts", lambda *a: runs.append(a[1:3]) or real(*a))
    readings = {
        m.name: dict(trained.read(trained_experiment, m))["best_test"] for m in (ATTACK, ATTACK_RMS, ATTACK_SUCCESS)
    }
    module = trained_experiment.module("best_test")
    scores = torch.cat([module.objective(module(x), y)[1] for x, y in trained_experiment.data("test").test_batches()])
    labels = torch.cat([y for _, y in trained_experiment.data("test").test_batches()])
    right = (scores.argmax(-1) == labels).nonzero().flatten().tolist()
    share, rms, success = (readings[m.name] for m in (ATTACK, ATTACK_RMS, ATTACK_SUCCESS))
    assert share.series["sample"] == right and share.series["class"] == labels[right].tolist()
    assert len(runs) == 1, "three measures are read from one attack"
    fooled = [f for f, t in zip(share.series["flipped"], share.series["taken_for"], strict=True) if t >= 0]
    assert success.value == pytest.approx(100 * len(fooled) / len(right)) and success.n_test == len(right)
    assert share.value == pytest.approx(sum(fooled) / len(fooled)) and rms.value == pytest.approx(
        sum(f**0.5 for f in fooled) / len(fooled)
    )


def test_an_input_that_is_not_binary_and_a_network_that_is_always_wrong_are_refused(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras.install(monkeypatch)
    counts = {"window_ms": 10, "steps": 15, "values": "counts"}
    with pytest.raises(trained.NotApplicable, match="zeros and ones"):
        list(trained.read(cameras.untrained(gain=3.0, data_settings=counts), ATTACK))
    wrong = [(torch.zeros(2, 3, 2312), torch.tensor([1, 2, 3]))]  # an input without spikes is taken for class 0
    monkeypatch.setattr(attack, "batches", lambda module, data, dense=False: iter(wrong))
    with pytest.raises(trained.NotApplicable, match="nothing to attack"):
        list(trained.read(cameras.untrained(), ATTACK))
