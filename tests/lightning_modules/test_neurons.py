"""Neurons do what their equation says: hand-computed traces, special cases, and a contract every registered neuron
keeps."""

from __future__ import annotations

import hashlib

import pytest
import torch

from lightning_modules.neurons import NEURONS
from lightning_modules.neurons.lif import LIF
from lightning_modules.scan import scan
from lightning_modules.versions import NEURON_VERSIONS

CURRENT = [0.2, 0.2, 0.2, 0.5, -0.1, 0.1, 0.4, 0.0, 0.31, 0.05]


def trace(config: LIF.Config, currents: list[float] = CURRENT) -> tuple[list[float], list[float]]:
    """Membrane and spikes of one neuron, in float64."""
    neuron = LIF(1, config).double()
    scanned = scan(neuron, torch.tensor(currents, dtype=torch.float64).reshape(-1, 1, 1), record=("u",), backend="loop")
    return scanned.recorded["u"].flatten().tolist(), scanned.output.flatten().tolist()


# by hand: u[t] = 0.5 u[t-1] (1 - o[t-1]) + I[t], o[t] = 1 where u[t] > 0.32
HARD = (
    [0.2, 0.3, 0.35, 0.5, -0.1, 0.05, 0.425, 0.0, 0.31, 0.205],
    [0, 0, 1, 1, 0, 0, 1, 0, 0, 0],
)
# u[t] = 0.5 u[t-1] + I[t]
NONE = (
    [0.2, 0.3, 0.35, 0.675, 0.2375, 0.21875, 0.509375, 0.2546875, 0.43734375, 0.268671875],
    [0, 0, 1, 1, 0, 0, 1, 0, 1, 0],
)
# u[t] = 0.5 u[t-1] + I[t] - 0.32 o[t-1]
SOFT = (
    [0.2, 0.3, 0.35, 0.355, -0.2425, -0.02125, 0.389375, -0.1253125, 0.24734375, 0.173671875],
    [0, 0, 1, 1, 0, 0, 1, 0, 0, 0],
)


@pytest.mark.parametrize(("reset", "expected"), [("hard", HARD), ("none", NONE), ("soft", SOFT)])
def test_ten_steps_by_hand(reset: str, expected: tuple[list[float], list[float]]) -> None:
    membrane, spikes = trace(LIF.Config(leak=0.5, threshold=0.32, reset=reset))
    assert membrane == pytest.approx(expected[0], abs=1e-12)
    assert spikes == expected[1]


def test_without_leakage_it_integrates_and_with_complete_leakage_it_forgets() -> None:
    assert trace(LIF.Config(leak=1.0, threshold=10.0))[0] == pytest.approx(
        torch.tensor(CURRENT, dtype=torch.float64).cumsum(0).tolist()
    )
    assert trace(LIF.Config(leak=0.0, threshold=10.0))[0] == CURRENT


def test_the_scaled_input_form_multiplies_the_current_by_one_minus_k() -> None:
    scaled = trace(LIF.Config(leak=0.75, threshold=0.3, scale_input=True), [4 * c for c in CURRENT])
    assert scaled == trace(LIF.Config(leak=0.75, threshold=0.3))
    assert trace(LIF.Config(leak=1.0, threshold=0.3, scale_input=True)) == ([0.0] * 10, [0.0] * 10)


def test_a_learnable_leak_is_one_per_neuron_between_a_half_and_098_and_learns() -> None:
    torch.manual_seed(0)
    neuron = LIF(1000, LIF.Config(learn_leak=True))
    k = neuron.drive(1)["k"]
    assert k.shape == (1000,)
    k = k.detach()
    assert 0.5 <= float(k.min()) < 0.51
    assert 0.97 < float(k.max()) <= 0.983
    slow = torch.sigmoid(LIF(1000, LIF.Config(learn_leak=True, tau_low=2.0, tau_high=6.0)).tau.detach())
    assert 0.88 < float(slow.min()) < 0.89
    assert 0.997 < float(slow.max()) < 0.998
    scan(neuron, torch.rand(5, 3, 1000)).output.sum().backward()
    assert neuron.tau.grad is not None
    assert float(neuron.tau.grad.abs().sum()) > 0


def test_a_learnable_leak_at_a_value_equals_the_fixed_one() -> None:
    learnable = LIF(4, LIF.Config(learn_leak=True))
    fixed = LIF(4, LIF.Config(leak=0.5))
    torch.nn.init.zeros_(learnable.tau)  # sigmoid(0) = 0.5
    x = torch.randn(20, 3, 4)
    assert torch.equal(scan(learnable, x).output, scan(fixed, x).output)


def test_the_readout_is_a_leaky_mean_by_hand() -> None:
    readout = NEURONS["leaky-readout"](1).double()
    torch.nn.init.constant_(readout.tau, float(torch.logit(torch.tensor(0.75, dtype=torch.float64))))
    output = scan(readout, torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64).reshape(3, 1, 1)).output.flatten()
    assert output.tolist() == pytest.approx([0.25, 0.1875, 0.640625])


@pytest.mark.parametrize(
    ("settings", "message"), [({"reset": "half"}, "hard, soft, subtract, none"), ({"leak": 1.5}, "outside 0")]
)
def test_impossible_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LIF.Config(**settings)
    with pytest.raises(ValueError, match="at least one neuron"):
        LIF(0)


@pytest.mark.parametrize("name", NEURONS)
class TestContract:
    """What every registered neuron keeps, by existing."""

    def test_a_sample_does_not_depend_on_its_batch(self, name: str) -> None:
        torch.manual_seed(0)
        neuron = NEURONS[name](6)
        x = torch.rand(12, 5, 6)
        batch_output = scan(neuron, *[x] * neuron.inputs).output
        for i in range(5):
            assert torch.equal(
                scan(neuron, *[x[:, i : i + 1].contiguous()] * neuron.inputs).output, batch_output[:, i : i + 1]
            )

    def test_one_step_of_one_sample_is_enough(self, name: str) -> None:
        neuron = NEURONS[name](6)
        assert scan(neuron, *[torch.rand(1, 1, 6)] * neuron.inputs).output.shape == (1, 1, 6)

    def test_nothing_is_kept_between_calls(self, name: str) -> None:
        torch.manual_seed(0)
        neuron = NEURONS[name](6)
        x = torch.rand(12, 5, 6)
        assert torch.equal(scan(neuron, *[x] * neuron.inputs).output, scan(neuron, *[x] * neuron.inputs).output)

    def test_every_parameter_gets_a_finite_gradient(self, name: str) -> None:
        torch.manual_seed(0)
        neuron = NEURONS[name](6)
        scanned = scan(neuron, *[torch.rand(12, 5, 6, requires_grad=True)] * neuron.inputs)
        (scanned.output * torch.randn(12, 5, 6)).sum().backward()
        for parameter_name, parameter in neuron.named_parameters():
            assert parameter.grad is not None, parameter_name
            assert bool(torch.isfinite(parameter.grad).all()), parameter_name

    def test_a_checkpoint_round_trip_changes_nothing(self, name: str) -> None:
        torch.manual_seed(0)
        neuron = NEURONS[name](6)
        loaded = NEURONS[name](6)
        loaded.load_state_dict(neuron.state_dict())
        x = torch.rand(12, 5, 6)
        assert torch.equal(scan(neuron, *[x] * neuron.inputs).output, scan(loaded, *[x] * loaded.inputs).output)

    def test_output_is_binary_where_it_says_it_spikes(self, name: str) -> None:
        torch.manual_seed(0)
        neuron = NEURONS[name](6)
        output = scan(neuron, *[torch.rand(12, 5, 6)] * neuron.inputs).output
        assert output.dtype == torch.float32
        assert (set(output.unique().tolist()) <= {0.0, 1.0}) == neuron.spiking

    def test_its_version_and_docstring_are_there(self, name: str) -> None:
        assert NEURON_VERSIONS[name] >= 1
        assert NEURONS[name].__doc__
        assert set(NEURONS[name].search_space) <= set(NEURONS[name].Config.__dataclass_fields__)
        assert NEURONS[name].search_space or not NEURONS[name].Config.__dataclass_fields__


GOLDEN = {
    "ahp": (1, "4dd31fdaed2b"),
    "alif": (1, "1d8af8d677c9"),
    "alif-celif": (1, "bb778fe96ff5"),
    "celif": (1, "0cd7a34f77a7"),
    "dexat": (1, "8c0c027869b4"),
    "glif": (1, "5dfc8a324787"),
    "indrnn": (1, "f74bed690b86"),
    "leaky-readout": (1, "df9c80569ed8"),
    "lif": (1, "67e1057a33d7"),
    "lsnn": (1, "6be86c5712d3"),
    "ltmd": (1, "545ac97acd69"),
    "plif": (1, "c0914274ca1e"),
}


@pytest.mark.parametrize("name", NEURONS)
def test_what_a_neuron_computes_changes_only_with_its_version(name: str) -> None:
    """Rounded to 4 digits, so that another processor or a faster kernel with the same spikes is no change."""
    torch.manual_seed(1)
    neuron = NEURONS[name](5).double()
    x = torch.rand(30, 4, 5, dtype=torch.float64, requires_grad=True)
    output = scan(neuron, *[x] * neuron.inputs, backend="loop").output
    (output * torch.linspace(0, 1, output.numel(), dtype=torch.float64).reshape(output.shape)).sum().backward()
    assert x.grad is not None
    values = [f"{v:.4f}" for t in (output, x.grad) for v in (t.detach() + 0.0).flatten().tolist()]
    digest = hashlib.sha256(" ".join(values).replace("-0.0000", "0.0000").encode()).hexdigest()[:12]
    assert (NEURON_VERSIONS[name], digest) == GOLDEN[name], (
        "raise the version in lightning_modules/versions.py and put the new trace here"
    )
