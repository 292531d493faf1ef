"""LIF-ResNet18 is the network of the public code, and counts what it does."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.resnet18 import Conv, ResNet18

SETTINGS = {"leak": 0.3, "threshold": 0.3}


@pytest.fixture(scope="module")
def network() -> ResNet18:
    torch.manual_seed(0)
    return ResNet18((3, 10), "lif", SETTINGS, "linear", side=8)


def images(seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.randn(1, 4, 3, 8, 8).expand(3, -1, -1, -1, -1)


def test_it_has_the_parameters_of_resnet18_with_normalised_identity_shortcuts(network: ResNet18) -> None:
    convolutions = (
        3 * 64 * 9
        + 4 * 64 * 64 * 9
        + sum(a * b * 9 + 3 * b * b * 9 + a * b for a, b in ((64, 128), (128, 256), (256, 512)))
    )
    norms = 2 * (64 + 2 * 3 * (64 + 128 + 256 + 512))
    assert sum(p.numel() for p in network.parameters()) == convolutions + norms + 512 * 10 == 11_176_000


def test_every_parameter_gets_a_finite_gradient_and_the_output_is_logits_over_time(network: ResNet18) -> None:
    output = network.train()(images())
    assert output.shape == (3, 4, 10)
    output.square().sum().backward()
    silent = [
        name for name, p in network.named_parameters() if p.grad is None or not bool(torch.isfinite(p.grad).all())
    ]
    assert not silent


def test_observing_changes_nothing_and_counts_every_spiking_layer(network: ResNet18) -> None:
    with torch.no_grad():
        network.eval()
        output, activity = network.observe(images())
        assert torch.equal(output, network(images()))
    assert len(activity.rates) == len(network.neurons) == 17
    assert all(0.0 <= float(rate) <= 1.0 for rate in activity.rates)
    assert float(activity.synops) > 0


def test_images_do_not_depend_on_each_other_in_evaluation(network: ResNet18) -> None:
    with torch.no_grad():
        network.eval()
        batch_output = network(images())
        single_output = network(images()[:, 1:2])
    assert torch.allclose(batch_output[:, 1:2], single_output, atol=1e-5)


def test_products_in_bfloat16_are_near_those_of_float32_and_give_float32() -> None:
    torch.manual_seed(0)
    exact = Conv(8, 16, 3, 1, 1.0, None)
    rounded = Conv(8, 16, 3, 1, 1.0, torch.bfloat16)
    rounded.load_state_dict(exact.state_dict())
    spikes = (torch.rand(12, 8, 8, 8) < 0.2).float().requires_grad_()
    of_spikes, of_weights = [], []
    for conv in (exact, rounded):
        out = conv(spikes)
        assert out.dtype == torch.float32
        grads = torch.autograd.grad(out.pow(3).sum(), (spikes, conv.conv.weight))
        assert all(grad.dtype == torch.float32 for grad in grads)
        of_spikes.append(grads[0])
        of_weights.append(grads[1])
    for full, short in (of_spikes, of_weights):
        apart = float((full - short).norm() / full.norm())
        assert 0 < apart < 0.02


def test_a_network_trains_with_products_in_bfloat16() -> None:
    torch.manual_seed(0)
    network = ResNet18((3, 10), "lif", SETTINGS, "linear", side=8, convolutions="bfloat16")
    output = network(images())
    assert output.dtype == torch.float32
    output.square().sum().backward()
    assert all(p.dtype == torch.float32 and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recurrent": True}, "no recurrence"),
        ({"readout": "spiking"}, "linear readout"),
        ({"init": "zeros"}, "default init"),
        ({"convolutions": "float8"}, "convolutions is float32 or bfloat16, not float8"),
    ],
)
def test_what_it_cannot_be_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResNet18((3, 10), "lif", SETTINGS, side=8, **arguments)
    with pytest.raises(ValueError, match="lif has no setting thresold"):
        ResNet18((3, 10), "lif", {"thresold": 1}, "linear", side=8)
