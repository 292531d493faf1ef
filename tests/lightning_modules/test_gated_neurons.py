"""CE-LIF, ALIF and GLIF by hand, and where they reduce to LIF."""

from __future__ import annotations

import math

import pytest
import torch

from lightning_modules.neurons.alif import ALIF
from lightning_modules.neurons.celif import CELIF, temporal_embedding
from lightning_modules.neurons.glif import GLIF
from lightning_modules.neurons.lif import LIF
from lightning_modules.scan import scan

CURRENT = [0.2, 0.3, 0.4, 0.5, -0.1, 0.1, 0.4, 0.0, 0.31, 0.05]


def column(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1)


def test_celif_ten_steps_from_its_equation() -> None:
    te = [0.1, -0.2, 0.25, 0.0, 0.4, 0.1, -0.1, 0.2, 0.05, 0.3]
    neuron = CELIF(1, CELIF.Config(steps=10, beta=0.5), torch.nn.Parameter(column(te).reshape(1, 10)))
    done = scan(neuron, column(CURRENT), record=("v", "theta"), backend="loop")
    v, s, theta = 0.0, 0.0, 0.3
    for t in range(10):
        theta = 0.3 + 0.5 * (theta - 0.3) + te[t] * v
        v = 0.5 * v * (1 - s) + CURRENT[t]
        s = float(v > theta)
        assert float(done.recorded["theta"][t].detach()) == pytest.approx(theta)
        assert float(done.recorded["v"][t].detach()) == pytest.approx(v)
        assert float(done.output[t].detach()) == s
    assert done.output.detach().flatten().tolist() == [0, 1, 1, 1, 0, 0, 1, 0, 0, 0]


def test_celif_without_context_is_lif() -> None:
    celif = CELIF(4, CELIF.Config(steps=30, surrogate="boxcar"), torch.nn.Parameter(torch.zeros(6, 30)))
    x = torch.randn(30, 3, 4)
    assert torch.equal(scan(celif, x).output, scan(LIF(4, LIF.Config(leak=0.5, threshold=0.3)), x).output)


def test_layers_share_one_te_and_each_uses_its_first_rows() -> None:
    te = temporal_embedding(5, 12)
    one, two = CELIF(5, CELIF.Config(steps=12), te), CELIF(3, CELIF.Config(steps=12), te)
    assert torch.equal(two.drive(12)["te"], te[:3].t())
    (scan(one, torch.rand(12, 2, 5)).output.sum() + scan(two, torch.rand(12, 2, 3)).output.sum()).backward()
    assert te.grad is not None and te.grad.shape == (5, 12)
    with pytest.raises(ValueError, match="too small"):
        CELIF(6, CELIF.Config(steps=12), te)
    with pytest.raises(ValueError, match="12 columns"):
        one.drive(13)


def test_alif_ten_steps_from_its_equation() -> None:
    neuron = ALIF(1, ALIF.Config(tau_m_std=0.0, tau_adp_std=0.0, tau_m=2.0, tau_adp=5.0)).double()
    done = scan(neuron, column(CURRENT), record=("v", "b"), backend="loop")
    a, r = math.exp(-1 / 2.0), math.exp(-1 / 5.0)
    v, s, b = 0.0, 0.0, 0.01
    for t in range(10):
        b = r * b + (1 - r) * s
        threshold = 0.01 + 1.8 * b
        v = a * v + (1 - a) * CURRENT[t] - threshold * s
        s = float(v > threshold)
        assert float(done.recorded["v"][t].detach()) == pytest.approx(v)
        assert float(done.output[t].detach()) == s


@pytest.mark.parametrize("per_neuron", [True, False])
def test_glif_ten_steps_from_its_equation(per_neuron: bool) -> None:
    neuron = GLIF(1, GLIF.Config(steps=10, per_neuron=per_neuron)).double()
    assert sum(p.numel() for p in neuron.parameters()) == 7 + 10
    done = scan(neuron, column(CURRENT), record=("v",), backend="loop")
    alpha, beta, gamma, tau, vth, leak, revth, g = 0.55, 0.65, 0.55, 0.25, 0.5, 0.0625, 0.5, 0.5
    v, s = 0.0, 0.0
    for t in range(10):
        v = (1 - alpha * (1 - tau)) * v * (1 - gamma * s) - (1 - alpha) * leak + CURRENT[t] * (1 - beta * (1 - g)) - (1 - gamma) * revth * s
        s = float(v > vth)
        assert float(done.recorded["v"][t].detach()) == pytest.approx(v, abs=1e-6)
        assert float(done.output[t].detach()) == s
