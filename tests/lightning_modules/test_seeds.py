"""Networks of several seeds that are run and trained together have the results that each has alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lightning_modules.networks import build
from lightning_modules.networks.base import Network
from lightning_modules.networks.seeds import forward_seeds
from lightning_modules.networks.tcn import TCN

CONFIG = {
    "network": "dense", "layers": [4, 6, 3], "neuron": {"name": "lif"}, "readout": "linear-mean", "recurrent": True,
    "init": "default",
}  # fmt: skip


def network(seed: int, **changes: object) -> Network:
    torch.manual_seed(seed)
    return build({**CONFIG, **changes})


def inputs(seed: int, steps: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (steps, 3, 4), generator=generator).float()


def loss(output: Tensor) -> Tensor:
    return (output - 1.0).square().mean()


def test_one_optimiser_for_all_seeds_trains_each_as_alone() -> None:
    together = [network(seed) for seed in range(3)]
    optimiser = torch.optim.Adam([p for one in together for p in one.parameters()], lr=0.1)
    for batch in range(4):
        optimiser.zero_grad()
        outputs = forward_seeds(together, [inputs(10 * seed + batch) for seed in range(3)])
        torch.stack([loss(output) for output in outputs]).sum().backward()
        optimiser.step()
    for seed, trained in enumerate(together):
        alone = network(seed)
        own = torch.optim.Adam(alone.parameters(), lr=0.1)
        for batch in range(4):
            own.zero_grad()
            loss(alone(inputs(10 * seed + batch))).backward()
            own.step()
        assert all(torch.equal(a, b) for a, b in zip(trained.parameters(), alone.parameters(), strict=True))


def test_networks_without_a_stack_of_neurons_run_one_after_another() -> None:
    networks = [TCN([4, 6, 3]) for _ in range(2)]
    for one in networks:
        one.eval()
    xs = [inputs(seed) for seed in range(2)]
    outputs = forward_seeds(networks, xs)
    assert all(torch.equal(output, one(x)) for output, one, x in zip(outputs, networks, xs, strict=True))


def test_seeds_that_are_not_alike_are_refused() -> None:
    networks = [network(0), network(1)]
    with pytest.raises(ValueError, match="one shape"):
        forward_seeds(networks, [inputs(0), inputs(1, steps=6)])
    with pytest.raises(ValueError, match="layer 0 is not the same neuron"):
        forward_seeds([network(0), network(1, layers=[4, 7, 3])], [inputs(0), inputs(1)])
    with pytest.raises(ValueError, match="as many layers"):
        forward_seeds([network(0), network(1, layers=[4, 6, 6, 3])], [inputs(0), inputs(1)])
