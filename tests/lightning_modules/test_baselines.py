"""Baselines without spikes: what torch computes, at the published sizes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bench.papers.celif.models_baselines import INDRNN, TCN
from bench.papers.celif.tasks import SEQ_MNIST
from bench.papers.roles.models import GRU_512, LSTM_512, RNN_512
from bench.papers.roles.tasks import NMNIST
from bench.spec.experiment import Experiment
from lightning_modules.networks.indrnn import IndRNNNetwork
from lightning_modules.networks.rnn import RNN
from lightning_modules.networks.tcn import TCN as TCNNetwork
from lightning_modules.spiking import SpikingModule
from tests.lightning_modules.scan.common import close
from tests.lightning_modules.scan.test_event_input import Events


def gradients(output: Tensor, network: nn.Module) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    return torch.autograd.grad((output * torch.randn(output.shape, generator=generator)).sum(), network.parameters())


@pytest.mark.parametrize(("model", "gates"), [(RNN_512, 1), (GRU_512, 3), (LSTM_512, 4)])
def test_the_rnns_of_roles_have_one_layer_of_512_read_at_the_last_step(model, gates: int) -> None:
    module = SpikingModule(Experiment(NMNIST, model, 0, "paper").config)
    assert module.network.parameter_count == gates * (512 * (2312 + 512) + 2 * 512)
    x = torch.rand(4, 3, 2312)
    y = torch.tensor([0, 3, 9])
    output = module(x)
    assert output.shape == (1, 3, 10)
    loss, scores = module.objective(output, y)
    assert torch.equal(scores, output[0])
    assert float(loss.detach()) == pytest.approx(float(((output[0] - torch.eye(10)[y]) ** 2).mean()))
    loss.backward()
    assert all(float(p.grad.abs().max()) > 0 for p in module.network.parameters())


def test_an_lstm_follows_its_equations() -> None:
    torch.manual_seed(0)
    network = RNN([2, 3, 4], readout="linear", one_bias=True, forget_bias=1.0)
    (unit,) = network.cells
    x = torch.randn(5, 6, 2)
    h = c = torch.zeros(6, 3)
    for step in range(5):
        gates = x[step] @ unit.weight_ih_l0.T + unit.bias_ih_l0 + h @ unit.weight_hh_l0.T
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        assert torch.allclose(network(x)[step], network.head(h), atol=1e-6)
    assert float(unit.bias_ih_l0[3:6].detach().mean()) > 0.4, "the forget gates start open"


def test_chrono_gives_an_lstm_memories_of_up_to_that_many_steps() -> None:
    torch.manual_seed(0)
    (unit,) = RNN([2, 500, 4], chrono=100).cells
    into, forget, cell, out = (unit.bias_ih_l0 + unit.bias_hh_l0).detach().chunk(4)
    memory = 1 / (1 - torch.sigmoid(forget))  # steps until a memory has decayed to 1/e
    assert 2 <= float(memory.min()) < 4 and 95 < float(memory.max()) <= 100 and 45 < float(memory.mean()) < 56
    assert torch.equal(into, -forget) and not cell.any() and not out.any()


def test_one_bias_stays_zero_and_is_not_counted() -> None:
    network = RNN([1, 128, 10], one_bias=True)
    assert network.parameter_count == 66_560
    network(torch.randn(3, 2, 1)).sum().backward()
    assert network.cells[0].bias_hh_l0.grad is None and not network.cells[0].bias_hh_l0.any()


@pytest.mark.parametrize("readout", ["linear", "linear-mean", "linear-last"])
def test_readouts_differ_only_in_what_they_read(readout: str) -> None:
    torch.manual_seed(0)
    every_step = RNN([3, 5, 4, 2], readout="linear")
    reading = RNN([3, 5, 4, 2], readout=readout)
    reading.load_state_dict(every_step.state_dict())
    x = torch.randn(7, 2, 3)
    expected = {
        "linear": every_step(x),
        "linear-mean": every_step(x).mean(0, keepdim=True),
        "linear-last": every_step(x)[-1:],
    }[readout]
    assert torch.allclose(reading(x), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": "elman"}, "rnn, lstm, gru"),
        ({"readout": "spiking"}, "linear, linear-mean, linear-last"),
        ({"neuron": "lif"}, "no neurons"),
        ({"layers": [3, 4]}, "a hidden and an output width"),
        ({"cell": "gru", "one_bias": True}, "one_bias is for rnn and lstm"),
        ({"cell": "rnn", "forget_bias": 1.0}, "only an lstm"),
        ({"cell": "gru", "chrono": 100}, "chrono is not for gru"),
        ({"chrono": 2}, "3 or more"),
    ],
)
def test_what_a_recurrent_baseline_cannot_have_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RNN(**{"layers": [3, 4, 2], **change})


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("density", [0.05, 0.5])
def test_an_rnn_gives_the_same_from_events_as_from_the_dense_input(cell: str, density: float) -> None:
    torch.manual_seed(0)
    x = (torch.rand(6, 9, 40) < density) * torch.randint(1, 4, (6, 9, 40)).float()
    network = RNN([40, 5, 4, 3], cell=cell, readout="linear")
    dense, events = ([output := network(given), *gradients(output, network)] for given in (x, Events.of(x)))
    for a, b in zip(dense, events, strict=True):
        close(a, b, torch.float32)


def test_events_of_few_spikes_are_never_made_dense_for_an_rnn() -> None:
    x = (torch.rand(6, 9, 40) < 0.05).float()
    assert RNN([40, 5, 3]).observe(Events.of(x, denied=True))[0].shape == (1, 9, 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="41 inputs has an input of 40"):
        RNN([41, 5, 3])(Events.of(x))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_what_is_added_to_a_state_reaches_the_next_step(cell: str) -> None:
    torch.manual_seed(0)
    network = RNN([3, 5, 4, 2], cell=cell)
    x = torch.randn(6, 2, 3)
    probe = torch.zeros(6, 2, 4, requires_grad=True)
    close(network.hidden(x, probe), network.hidden(x), torch.float32)
    (total,) = torch.autograd.grad(network.hidden(x, probe)[-1].sum(), probe)
    assert bool((total != 0).all())
    step = torch.zeros(6, 2, 4)
    step[1, 0, 2] = 1e-3
    change = (network.hidden(x, step)[-1] - network.hidden(x, -step)[-1]).sum() / 2e-3
    assert float(change) == pytest.approx(float(total[1, 0, 2]), rel=1e-2, abs=1e-5)


def test_the_published_sizes_of_indrnn_and_tcn() -> None:
    indrnn, tcn = (SpikingModule(Experiment(SEQ_MNIST, m, 0, "paper").config).network for m in (INDRNN, TCN))
    assert sum(p.numel() for p in indrnn.parameters()) == 86_410
    assert sum(p.numel() for p in tcn.parameters()) == 66_910


@pytest.mark.parametrize("steps", [1, 2, 9, 16, 33])
def test_a_tcn_read_at_the_last_step_computes_no_less_than_the_whole(steps: int) -> None:
    torch.manual_seed(0)
    every_step, last_step = (
        TCNNetwork([2, 4, 4, 4, 3], readout=readout, kernel=3).double().eval() for readout in ("linear", "linear-last")
    )
    with torch.no_grad():
        for p in every_step.parameters():
            p.normal_(0.0, 0.5)
    last_step.load_state_dict(every_step.state_dict())
    x = torch.randn(steps, 5, 2, dtype=torch.float64)
    assert torch.allclose(last_step(x), every_step(x)[-1:])


def test_a_tcn_sees_no_future() -> None:
    torch.manual_seed(0)
    network = TCNNetwork([1, 4, 4, 2], readout="linear", kernel=3).eval()
    x = torch.randn(12, 1, 1)
    changed = x.clone()
    changed[7:] += 1
    assert torch.equal(network(x)[:7], network(changed)[:7]) and not torch.equal(network(x)[7:], network(changed)[7:])


def test_indrnn_follows_its_equation_in_every_layer() -> None:
    torch.manual_seed(0)
    network = IndRNNNetwork([2, 3, 3, 4], settings={"steps": 6}).double().train()
    network.dropout = 0.0
    x = torch.randn(6, 5, 2, dtype=torch.float64)
    output = network(x)
    layer = x
    for linear, unit, norm in zip(network.linears, network.units, network.norms, strict=True):
        h = torch.zeros(5, 3, dtype=torch.float64)
        outputs = []
        for step in layer:
            h = torch.relu(linear(step) + unit.u * h)
            outputs.append(h)
        layer = torch.stack(outputs)
        mean = layer.mean((0, 1))
        deviation = layer.var((0, 1), unbiased=False)
        layer = (layer - mean) / torch.sqrt(deviation + norm.eps)
    assert torch.allclose(output, network.head(layer[-1:]), atol=1e-9)
    assert float(network.units[-1].u.min()) >= 1 / network.units[-1].bound, (
        "the last layer remembers the whole sequence"
    )


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (TCNNetwork, {"readout": "linear-mean"}, "linear, linear-last"),
        (TCNNetwork, {"neuron": "lif"}, "no neurons"),
        (TCNNetwork, {"kernel": 0}, "kernel must be 1"),
        (TCNNetwork, {"layers": [1, 2]}, "a hidden and an output width"),
        (IndRNNNetwork, {"neuron": "lif"}, "indrnn neurons"),
        (IndRNNNetwork, {"dropout": 1.0}, "dropout must be"),
        (IndRNNNetwork, {"layers": [1, 2]}, "a hidden and an output width"),
    ],
)
def test_what_indrnn_and_tcn_cannot_have_is_refused(kind: type, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**{"layers": [3, 4, 2], **change})
