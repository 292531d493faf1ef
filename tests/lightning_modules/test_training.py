"""Networks, losses and the LightningModule."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from bench.papers.registry import MODELS
from bench.papers.roles.models import LIF, LIF_NO_LEAK, LIF_RECURRENT
from bench.papers.roles.tasks import MNIST, XOR
from bench.spec.experiment import Experiment
from lightning_modules.networks.dense import Dense
from lightning_modules.objectives import mse_rate, softmax_sum_ce
from lightning_modules.spiking import SpikingModule, schedule


def params(task, model) -> int:
    return sum(p.numel() for p in SpikingModule(Experiment(task, model, 0, "paper").config).parameters())


def test_parameter_counts_are_those_of_the_published_networks() -> None:
    assert params(MNIST, LIF) == 407_050
    assert params(MNIST, LIF_RECURRENT) == 669_194
    assert params(XOR, LIF_NO_LEAK) == 370 + 2  # the readout's two leaks
    assert params(XOR, LIF) == 370 + 2 + 16  # a learnable leak per hidden neuron
    assert params(XOR, LIF_RECURRENT) == 626 + 2 + 16


@pytest.mark.parametrize("model", [pytest.param(m, id=name) for name, m in MODELS.items() if not m.changes])
def test_every_variant_takes_a_training_step_and_every_parameter_moves(model) -> None:
    torch.manual_seed(0)
    config = Experiment(XOR, model, 0, "paper").config
    if "scale_input" in config["neuron"]:  # with XOR's factor (1 - k) nothing comes in where k = 1
        config["neuron"]["scale_input"] = False
    module = SpikingModule(config)
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    optimiser = module.configure_optimizers()["optimizer"]
    x = (torch.rand(200, 40, 20) < 0.2).float()
    y = torch.randint(0, 2, (40,))
    loss, scores = module.objective(module(x), y, **module.loss_settings)
    loss.backward()
    optimiser.step()
    assert scores.shape == (40, 2)
    stuck = [name for name, p in module.named_parameters() if torch.equal(p, before[name])]
    # with k = 0 the pattern of the past cannot matter, and V o[t-1] may see no spike; everything else has a gradient
    assert not [name for name in stuck if "recurrent" not in name]


def test_neurons_parameters_decay_only_where_the_recipe_says_so() -> None:
    config = {**Experiment(XOR, LIF, 0, "paper").config, "weight_decay": 3e-3}
    for of_neurons in (0.0, 1e-3):
        optimiser = SpikingModule({**config, "weight_decay_neuron": of_neurons}).configure_optimizers()["optimizer"]
        assert [group["weight_decay"] for group in optimiser.param_groups] == [3e-3, of_neurons]


def test_a_cosine_schedule_falls_from_the_rate_to_0() -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    falling = schedule(optimiser, cosine=4)
    rates = []
    for _ in range(5):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        falling.step()
    assert rates == pytest.approx([1 + math.cos(math.pi * n / 4) for n in range(5)])


def test_mse_rate_by_hand() -> None:
    output = torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]]])  # rates .5 and 0; label 0: ((.5-1)^2 + 0) / 2
    loss, scores = mse_rate(output, torch.tensor([0]))
    assert float(loss) == pytest.approx(0.125)
    assert scores.tolist() == [[0.5, 0.0]]


def test_softmax_sum_ce_sums_the_double_softmax_over_the_late_steps() -> None:
    torch.manual_seed(0)
    output = torch.randn(6, 3, 2)
    target = torch.tensor([0, 1, 1])
    loss, scores = softmax_sum_ce(output, target, first=4)
    expected = sum(F.cross_entropy(torch.softmax(output[t], -1), target) for t in (4, 5))
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)
    assert torch.allclose(scores, output[4:].mean(0))
    with pytest.raises(ValueError, match="the sequence has 6"):
        softmax_sum_ce(output, target, first=6)


def test_activity_counts_rates_and_synaptic_operations() -> None:
    torch.manual_seed(0)
    network = Dense((5, 4, 3), "lif", {"threshold": 0.1}, recurrent=True)
    x = (torch.rand(9, 7, 5) < 0.5).float()
    output, activity = network.observe(x)
    from lightning_modules.scan import scan_dense

    first = network.stack[0]
    hidden = scan_dense(first.neuron, x, first.linear.weight, first.linear.bias, recurrent=first.recurrent).output
    assert [float(r) for r in activity.rates] == pytest.approx([float(hidden.mean()), float(output.mean())])
    # every input spike reaches 4 neurons, every hidden spike 3 outputs and, by recurrence, 4 neurons
    assert float(activity.synops) == pytest.approx(float(x.sum() * 4 + hidden.sum() * (3 + 4)) / 7, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "mse"}, "known: mse-rate, softmax-sum-ce"),
        ({"optimiser": "sgdd"}, "known: adam, adamw"),
        ({"network": "resnet"}, "known: dense, .*resnet18"),
        ({"neuron": {"name": "liff"}}, "known: .*lif"),
        ({"init": "zeros"}, "default, xavier-normal"),
        ({"layers": [5]}, "input and an output width"),
        ({"network_settings": {"start": "zero"}}, "own, uniform"),
    ],
)
def test_unknown_names_are_refused_with_what_is_known(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SpikingModule({**Experiment(MNIST, LIF, 0, "paper").config, **change})


def test_learning_rate_of_neuron_parameters_has_its_own_factor() -> None:
    config = {**Experiment(XOR, LIF, 0, "paper").config, "lr_neuron": 2.0}
    optimiser = SpikingModule(config).configure_optimizers()["optimizer"]
    assert [group["lr"] for group in optimiser.param_groups] == [1e-2, 2e-2]
    assert math.prod(optimiser.param_groups[1]["params"][0].shape) == 16


def test_a_uniform_start_is_drawn_anew_in_training_and_the_same_in_evaluation() -> None:
    module = SpikingModule(Experiment(XOR, LIF, 0, "paper").config)
    x = torch.zeros(1, 4, 20)
    assert not torch.equal(module(x), module(x))
    module.eval()
    assert torch.equal(module(x), module(x))
    zero = SpikingModule({**module.config, "network_settings": {}}).eval()
    zero.load_state_dict(module.state_dict())
    assert not torch.equal(module(x), zero(x))
