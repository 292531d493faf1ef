"""Baselines without spikes: what torch computes, at the published sizes."""

from __future__ import annotations

import pytest
import torch

from bench.experiment import Experiment
from bench.models.roles import GRU_512, LSTM_512, RNN_512
from bench.tasks.roles import NMNIST
from lightning_modules.networks.rnn import RNN
from lightning_modules.spiking import SpikingModule


@pytest.mark.parametrize(("model", "gates"), [(RNN_512, 1), (GRU_512, 3), (LSTM_512, 4)])
def test_the_rnns_of_roles_have_one_layer_of_512_read_at_the_last_step(model, gates: int) -> None:
    module = SpikingModule(Experiment(NMNIST, model, 0, "paper").config)
    assert module.network.parameter_count == gates * (512 * (2312 + 512) + 2 * 512)
    x, y = torch.rand(4, 3, 2312), torch.tensor([0, 3, 9])
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


def test_one_bias_stays_zero_and_is_not_counted() -> None:
    network = RNN([1, 128, 10], one_bias=True)
    assert network.parameter_count == 66_560
    network(torch.randn(3, 2, 1)).sum().backward()
    assert network.cells[0].bias_hh_l0.grad is None and not network.cells[0].bias_hh_l0.any()


@pytest.mark.parametrize("readout", ["linear", "linear-mean", "linear-last"])
def test_readouts_differ_only_in_what_they_read(readout: str) -> None:
    torch.manual_seed(0)
    every = RNN([3, 5, 4, 2], readout="linear")
    other = RNN([3, 5, 4, 2], readout=readout)
    other.load_state_dict(every.state_dict())
    x = torch.randn(7, 2, 3)
    expected = {"linear": every(x), "linear-mean": every(x).mean(0, keepdim=True), "linear-last": every(x)[-1:]}[readout]
    assert torch.allclose(other(x), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cell": "elman"}, "rnn, lstm, gru"),
        ({"readout": "spiking"}, "linear, linear-mean, linear-last"),
        ({"neuron": "lif"}, "no neurons"),
        ({"layers": [3, 4]}, "a hidden and an output width"),
        ({"cell": "gru", "one_bias": True}, "one_bias is for rnn and lstm"),
        ({"cell": "rnn", "forget_bias": 1.0}, "only an lstm"),
    ],
)
def test_what_a_recurrent_baseline_cannot_have_is_refused(change: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        RNN(**{"layers": [3, 4, 2], **change})
