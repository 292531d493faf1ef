"""Special settings: where neurons reduce to LIF, agree with other libraries' update rules, share parameters, or
refuse."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lightning_modules.neurons import NEURONS, Neuron
from lightning_modules.neurons.ahp import AHP
from lightning_modules.neurons.alif import ALIF
from lightning_modules.neurons.alif_celif import ALIFCelif
from lightning_modules.neurons.celif import CELIF, EMBEDDINGS, temporal_embedding
from lightning_modules.neurons.dexat import DEXAT
from lightning_modules.neurons.glif import GLIF
from lightning_modules.neurons.indrnn import IndRNN
from lightning_modules.neurons.lif import LIF
from lightning_modules.neurons.lsnn import LSNN
from lightning_modules.neurons.ltmd import LTMD
from lightning_modules.neurons.plif import PLIF
from lightning_modules.scan import scan
from lightning_modules.surrogate import spike

N = 4


def filled(neuron: Neuron, **values: float) -> Neuron:
    for name, value in values.items():
        torch.nn.init.constant_(getattr(neuron, name), value)
    return neuron


def soft(threshold: float, leak: float) -> LIF.Config:
    return LIF.Config(leak=leak, threshold=threshold, reset="soft", scale_input=True)


HARD = LIF.Config(leak=0.5, threshold=0.3)
FROZEN = {"adaptation": 0.0, "refractory": 0, "threshold": 0.1}
# sigmoid of them is 1 and 0 in float32
OPEN = 200.0
SHUT = -200.0
HALF = float(torch.sigmoid(torch.tensor(-0.5)))
REDUCED: dict[str, tuple[Callable[[], Neuron], LIF.Config]] = {
    "lif": (lambda: filled(LIF(N, LIF.Config(learn_leak=True)), tau=0.0), HARD),
    "plif": (lambda: PLIF(N), HARD),
    "ltmd": (lambda: LTMD(N), LIF.Config(leak=0.25, threshold=float(torch.tanh(torch.tensor(0.5))))),
    "celif": (lambda: CELIF(N, CELIF.Config(steps=60), torch.nn.Parameter(torch.zeros(N, 60))), HARD),
    "alif-celif": (lambda: ALIFCelif(N, ALIFCelif.Config(gamma=0.0)), HARD),
    "alif": (
        lambda: ALIF(N, ALIF.Config(threshold=0.1, adaptation=0.0, tau_m_std=0.0)),
        soft(0.1, float(torch.exp(-1.0 / torch.tensor(20.0)))),
    ),
    "lsnn": (lambda: LSNN(N, LSNN.Config(**FROZEN)), soft(0.1, math.exp(-1 / 20))),
    "dexat": (lambda: DEXAT(N, DEXAT.Config(adaptation_fast=0.0, **FROZEN)), soft(0.1, math.exp(-1 / 20))),
    "ahp": (lambda: AHP(N, AHP.Config(**FROZEN)), soft(0.1, math.exp(-1 / 20))),
    "glif": (
        lambda: filled(GLIF(N, GLIF.Config(steps=60)), alpha=OPEN, beta=SHUT, gamma=OPEN, tau=0.0, vth=-0.5),
        LIF.Config(leak=0.5, threshold=HALF),
    ),
}


@pytest.mark.parametrize("name", [name for name in NEURONS if NEURONS[name].spiking])
def test_reduces_to_lif_at_its_special_setting(name: str) -> None:
    torch.manual_seed(0)
    make, config = REDUCED[name]
    neuron = make()
    x = torch.randn(60, 5, N)
    output = scan(neuron, x, backend="loop").output
    assert torch.equal(output, scan(LIF(N, config), x, backend="loop").output)
    assert 0.02 < float(output.detach().mean()) < 0.9


@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize(("learned", "v_reset"), [(False, 0.0), (False, None), (True, 0.0)])
def test_lif_and_plif_follow_the_update_rule_of_spikingjelly(
    learned: bool, v_reset: float | None, decay_input: bool
) -> None:
    """Charge, fire, reset, as documented for its LIFNode and ParametricLIFNode, in spikes and in the gradient of input
    and leak."""
    torch.manual_seed(0)
    tau = 3.0
    threshold = 0.4
    x = torch.randn(50, 8, 6, dtype=torch.float64).requires_grad_()
    surrogate = {"surrogate": "arctan", "width": 2.0, "threshold": threshold, "scale_input": decay_input}
    if learned:
        neuron: Neuron = PLIF(6, PLIF.Config(decay=1 - 1 / tau, **surrogate)).double()
        w = torch.tensor(-math.log(tau - 1), dtype=torch.float64, requires_grad=True)
        reciprocal: Tensor | float = torch.sigmoid(w)
    else:
        reset = "subtract" if v_reset is None else "hard"
        neuron = LIF(6, LIF.Config(leak=1 - 1 / tau, reset=reset, **surrogate)).double()
        reciprocal = 1 / tau
        w = None
    v = torch.zeros(8, 6, dtype=torch.float64)
    spikes = []
    for current in x.unbind(0):
        resting = 0.0 if v_reset is None else v_reset
        v = v + (current - (v - resting)) * reciprocal if decay_input else v - (v - resting) * reciprocal + current
        fired = spike(v - threshold, "arctan", 2.0, inclusive=True)
        v = v - fired * threshold if v_reset is None else (1.0 - fired) * v + fired * v_reset
        spikes.append(fired)
    expected_output = torch.stack(spikes)
    output = scan(neuron, x, backend="loop").output
    assert torch.equal(output, expected_output)
    weight = torch.randn_like(expected_output)
    tensors = [x] if w is None else [x, w]
    expected = torch.autograd.grad((expected_output * weight).sum(), tensors)
    gradients = torch.autograd.grad((output * weight).sum(), [x, *neuron.parameters()])
    assert torch.allclose(gradients[0], expected[0])
    if w is not None:
        assert float(gradients[1]) == pytest.approx(
            -float(expected[1])
        )  # k = 1 - sigmoid(w) there: the sign of w is turned


def test_plif_detaches_the_reset_if_told_to() -> None:
    x = torch.tensor([1.0, 1.0]).reshape(2, 1, 1).requires_grad_()
    # dV[1]/dV[0] = k (1 - S[0]) - k V[0] dS[0]/dV[0], with S[0] = 1
    for detached, expected in ((True, 0.0), (False, -0.5)):
        neuron = PLIF(1, PLIF.Config(threshold=0.9, detach_reset=detached))
        for backend in ("loop", "cpu"):
            last = scan(neuron, x, record=("v",), backend=backend).recorded["v"][1].sum()
            assert float(torch.autograd.grad(last, x)[0][0]) == pytest.approx(expected)


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_celif_learns_a_te_where_its_embedding_has_one(embedding: str) -> None:
    config = CELIF.Config(steps=12, embedding=embedding)
    count = sum(p.numel() for p in CELIF(3, config).parameters())
    shared = CELIF.shared((2, 5, 3), config)
    assert (count, [tuple(p.shape) for p in shared.values()]) == ((36, [(5, 12)]) if "te" in embedding else (0, []))


def test_layers_share_one_te_and_each_uses_its_first_rows() -> None:
    te = temporal_embedding(5, 12)
    wide = CELIF(5, CELIF.Config(steps=12), te)
    narrow = CELIF(3, CELIF.Config(steps=12), te)
    assert torch.equal(narrow.drive(12)["te"], te[:3].t())
    (scan(wide, torch.rand(12, 2, 5)).output.sum() + scan(narrow, torch.rand(12, 2, 3)).output.sum()).backward()
    assert te.grad is not None and te.grad.shape == (5, 12)
    with pytest.raises(ValueError, match="too small"):
        CELIF(6, CELIF.Config(steps=12), te)
    with pytest.raises(ValueError, match="12 columns, the input 13 steps"):
        wide.drive(13)


def test_te_starts_at_mean_and_deviation_of_a_hundredth() -> None:
    torch.manual_seed(0)
    te = temporal_embedding(200, 784).detach()
    assert float(te.mean()) == pytest.approx(0.01, abs=1e-4)
    assert float(te.std()) == pytest.approx(0.01, abs=1e-4)


def test_glif_has_seven_parameters_and_one_per_step_of_a_neuron_or_of_the_layer() -> None:
    assert sum(p.numel() for p in GLIF(5, GLIF.Config(steps=10)).parameters()) == 5 * (7 + 10)
    assert sum(p.numel() for p in GLIF(5, GLIF.Config(steps=10, per_neuron=False)).parameters()) == 7 + 10
    torch.manual_seed(0)
    alpha = GLIF(100, GLIF.Config(random_gates=True)).alpha.detach()
    assert -0.1 <= float(alpha.min()) < -0.08 and 0.08 < float(alpha.max()) <= 0.1
    with pytest.raises(ValueError, match="10 values, the input 11 steps"):
        GLIF(5, GLIF.Config(steps=10)).drive(11)


def test_alif_starts_from_the_public_code_s_values() -> None:
    torch.manual_seed(0)
    neuron = ALIF(5000)
    for parameter, mean, deviation in ((neuron.tau_m.detach(), 20, 5), (neuron.tau_adp.detach(), 700, 25)):
        assert float(parameter.mean()) == pytest.approx(mean, rel=0.02)
        assert float(parameter.std()) == pytest.approx(deviation, rel=0.05)
    assert [float(s[0, 0]) for s in neuron.initial_state(1, torch.zeros(1))] == [0.0, 0.0, pytest.approx(0.01)]


def test_lsnn_is_silent_for_five_steps_after_a_spike_and_only_the_last_hundred_adapt() -> None:
    neuron = LSNN(220)
    scanned = scan(neuron, torch.full((14, 1, 220), 10.0), record=("b",), backend="loop")
    assert [t for t in range(14) if scanned.output[t, 0, 0]] == [0, 6, 12]
    assert neuron.adaptive.tolist() == [0.0] * 120 + [1.0] * 100
    assert AHP(240).adaptive.tolist() == [0.0] * 140 + [1.0] * 100


def test_the_surrogate_of_lsnn_sees_the_scaled_voltage() -> None:
    x = torch.tensor([[[0.3]]], requires_grad=True)  # V = (1 - a) 0.3 = 0.01463, (V - B)/B = 0.463 with B = 0.01
    scan(LSNN(1), x, backend="loop").output.sum().backward()
    scaled = ((1 - math.exp(-1 / 20)) * 0.3 - 0.01) / 0.01
    assert x.grad is not None
    assert float(x.grad) == pytest.approx(0.3 * (1 - scaled) / 0.01 * (1 - math.exp(-1 / 20)), rel=1e-4)


def test_the_recurrence_of_indrnn_stays_within_its_bound() -> None:
    torch.manual_seed(0)
    neuron = IndRNN(1000)
    bound = 5 ** (1 / 784)
    u = neuron.u.detach()
    long = IndRNN(1000, IndRNN.Config(long=True)).u.detach()
    assert 0.0 <= float(u.min()) < 0.01 and 0.99 < float(u.max()) <= bound
    assert 1 / bound <= float(long.min()) and float(long.max()) <= bound
    torch.nn.init.uniform_(neuron.u, -2.0, 2.0)
    neuron.constrain(1.0)
    assert float(u.abs().max()) == pytest.approx(bound)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CELIF.Config(steps=0), "at least one step, got 0"),
        (lambda: CELIF.Config(embedding="te*b"), "te\\*v, te\\*s"),
        (lambda: GLIF.Config(steps=0), "at least one step, got 0"),
        (lambda: GLIF.Config(gates=(0.5, 2.0, 0.5)), "three values between"),
        (lambda: PLIF.Config(decay=1.0), "not between 0 and 1"),
        (lambda: LSNN.Config(adaptive=1.5), "no share"),
        (lambda: LSNN.Config(refractory=-1), "0 or more"),
        (lambda: IndRNN.Config(magnitude=0.5), "1 or more"),
        (lambda: LIF.Config(tau_low=2.0, tau_high=1.0), "tau_low 2.0 is above tau_high 1.0"),
    ],
)
def test_impossible_settings_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
