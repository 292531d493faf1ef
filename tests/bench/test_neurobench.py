"""The suite's footprint, sparsities and synaptic operations are those that NeuroBench counts in the same network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.networks.dense import Dense

WIDTHS = [6, 8, 5, 3]
STEPS = 12
BATCH = 4
SETTINGS = {"leak": 0.6, "threshold": 0.3, "reset": "hard"}


class Spikes(nn.Module):
    """A LIF neuron without parameters that is called once a step, written down again in plain PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.potential: Tensor | None = None

    def forward(self, current: Tensor) -> Tensor:
        before = torch.zeros_like(current) if self.potential is None else self.potential
        potential = SETTINGS["leak"] * before + current
        fired = (potential >= SETTINGS["threshold"]).to(current)
        self.potential = potential * (1 - fired)  # a spike resets the potential to 0
        return fired


class Plain(nn.Module):
    """``network`` with one call of ``nn.Linear`` and of ``Spikes`` for each layer and step; input [B, T, N]."""

    def __init__(self, network: Dense) -> None:
        super().__init__()
        self.linears = nn.ModuleList(nn.Linear(*pair) for pair in zip(WIDTHS, WIDTHS[1:], strict=False))
        self.neurons = nn.ModuleList(Spikes() for _ in self.linears)
        with torch.no_grad():
            for linear, layer in zip(self.linears, network.stack, strict=True):
                linear.load_state_dict(layer.linear.state_dict())

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for spikes in x.unbind(1):
            for linear, neuron in zip(self.linears, self.neurons, strict=True):
                spikes = neuron(linear(spikes))
            outputs.append(spikes)
        return torch.stack(outputs)


@pytest.fixture(scope="module")
def network() -> Dense:
    torch.manual_seed(3)
    return Dense(WIDTHS, "lif", SETTINGS)


@pytest.fixture(scope="module")
def spikes() -> Tensor:
    """[T, B, N]"""
    return (torch.rand(STEPS, BATCH, WIDTHS[0], generator=torch.Generator().manual_seed(1)) < 0.4).float()


def test_dense_operations_count_every_weight_in_every_step(network: Dense) -> None:
    weights = 6 * 8 + 8 * 5 + 5 * 3
    assert network.dense_operations(STEPS) == STEPS * weights
    recurrent = Dense(WIDTHS, "lif", SETTINGS, recurrent=True)
    assert recurrent.dense_operations(STEPS) == STEPS * (weights + 8 * 8 + 5 * 5)
    last = Dense(WIDTHS, "lif", SETTINGS, "linear-last")
    assert last.dense_operations(STEPS) == STEPS * (6 * 8 + 8 * 5) + 5 * 3


@pytest.mark.slow
def test_neurobench_counts_what_the_suite_counts(network: Dense, spikes: Tensor) -> None:
    reason = "NeuroBench is not installed (pip install --no-deps neurobench==2.3.0 snntorch)"
    models: Any = pytest.importorskip("neurobench.models", reason=reason)
    static: Any = pytest.importorskip("neurobench.metrics.static", reason=reason)
    workload: Any = pytest.importorskip("neurobench.metrics.workload", reason=reason)
    plain = Plain(network)
    model = models.TorchModel(plain)
    model.add_activation_module(Spikes)
    model.register_hooks()
    batch = spikes.transpose(0, 1)
    with torch.no_grad():
        output, activity = network.observe(spikes)
        assert torch.equal(model(batch), output)
        operations = workload.SynapticOperations()(model, output, (batch, None))
        sparsity = workload.ActivationSparsity()(model, output, (batch, None))
    assert operations["Effective_ACs"] == pytest.approx(activity.synops.item(), rel=1e-5)
    assert operations["Effective_MACs"] == 0
    assert operations["Dense"] == network.dense_operations(STEPS)
    fired = sum(rate.item() * size for rate, size in zip(activity.rates, WIDTHS[1:], strict=True))
    assert 0 < sparsity < 1
    assert sparsity == pytest.approx(1 - fired / sum(WIDTHS[1:]), rel=1e-5)
    assert static.ConnectionSparsity()(model) == network.connection_sparsity
    assert static.Footprint()(model) == 4 * network.parameter_count
