"""A stack fed with events computes, to the last bit, what it computes from the dense input."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lightning_modules.networks.dense import Dense as Network
from lightning_modules.neurons.lif import LIF
from lightning_modules.scan import Dense, scan_stack


class Events(NamedTuple):
    starts: Tensor
    channels: Tensor
    values: Tensor
    shape: tuple[int, int, int]
    denied: bool = False

    @classmethod
    def of(cls, x: Tensor, denied: bool = False) -> Events:
        """``denied``: fail where the dense tensor is asked for."""
        rows = x.reshape(-1, x.shape[2])
        starts = torch.cat([torch.zeros(1, dtype=torch.int64), (rows != 0).sum(1).cumsum(0)])
        steps, batch, width = x.shape
        return cls(starts, rows.nonzero()[:, 1].int(), rows[rows != 0], (steps, batch, width), denied)

    def dense(self) -> Tensor:
        assert not self.denied
        x = torch.zeros(self.shape).view(-1, self.shape[2])
        for r in range(len(x)):
            own = slice(int(self.starts[r]), int(self.starts[r + 1]))
            x[r, self.channels[own].long()] = self.values[own]
        return x.view(self.shape)


def trained(layers: list[Dense], x: object, backend: str, every: int | None = None) -> list[Tensor]:
    """Output, means and every gradient."""
    done = scan_stack(layers, x, backend=backend, checkpoint_every=every)  # type: ignore[arg-type]
    assert done.output is not None
    generator = torch.Generator().manual_seed(3)
    loss = (done.output * torch.randn(done.output.shape, generator=generator)).sum()
    weights = [w for layer in layers for w in (layer.weight, layer.recurrent) if w is not None]
    return [done.output, *done.means, *torch.autograd.grad(loss, weights)]


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([1, 5, 90]), st.sampled_from([1, 63, 130]), st.sampled_from([31, 50]), st.sampled_from([8, 40]),
    st.sampled_from([0.0, 0.02, 0.098, 0.5]), st.booleans(), st.sampled_from([None, 7]),
)  # fmt: skip
def test_events_give_what_the_dense_input_gives(
    steps: int, batch: int, inputs: int, size: int, density: float, recurrent: bool, every: int | None
) -> None:
    torch.manual_seed(0)
    x = ((torch.rand(steps, batch, inputs) < density) * torch.randint(1, 4, (steps, batch, inputs))).float()
    loop = torch.randn(size, size, requires_grad=True) if recurrent else None
    layers = [Dense(LIF(size), torch.randn(size, inputs, requires_grad=True), torch.randn(size), loop)]
    layers.append(Dense(LIF(4), torch.randn(4, size, requires_grad=True)))
    for a, b in zip(trained(layers, x, "cpu", every), trained(layers, Events.of(x), "cpu", every), strict=True):
        assert torch.equal(a, b)


def test_the_loop_takes_events_too() -> None:
    x = (torch.rand(5, 3, 40) < 0.1).float()
    layers = [Dense(LIF(33), torch.randn(33, 40, requires_grad=True))]
    for a, b in zip(trained(layers, x, "loop"), trained(layers, Events.of(x), "loop"), strict=True):
        assert torch.equal(a, b)


def test_a_sparse_input_is_never_made_dense() -> None:
    torch.manual_seed(0)
    x = (torch.rand(20, 70, 40) < 0.03).float()
    layers = [Dense(LIF(33), torch.randn(33, 40, requires_grad=True))]
    for a, b in zip(trained(layers, x, "cpu"), trained(layers, Events.of(x, denied=True), "cpu"), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("binary", [True, False])
def test_a_network_observes_the_same_in_events(binary: bool) -> None:
    torch.manual_seed(0)
    x = (torch.rand(15, 9, 40) < 0.05) * torch.randint(1, 2 if binary else 4, (15, 9, 40)).float()
    network = Network((40, 33, 4), "lif", {"leak": 0.3, "threshold": 0.3})
    output, activity = network.observe(x)
    output_again, activity_again = network.observe(Events.of(x))
    assert torch.equal(output, output_again) and torch.equal(network(Events.of(x)), output)
    assert torch.equal(activity.synops, activity_again.synops) and bool(activity.synops > 0)
    assert all(torch.equal(a, b) for a, b in zip(activity.rates, activity_again.rates, strict=True))


GOOD = Events.of(torch.ones(2, 3, 40))


@pytest.mark.parametrize(
    "events",
    [
        GOOD._replace(starts=GOOD.starts[:-1]),
        GOOD._replace(values=GOOD.values[:-1]),
        GOOD._replace(channels=GOOD.channels + 1),
        GOOD._replace(channels=GOOD.channels - 1),
        GOOD._replace(starts=GOOD.starts.flip(0)),
        GOOD._replace(starts=torch.cat([GOOD.starts[:2], GOOD.starts[1:2] - 1, GOOD.starts[3:]])),
    ],
)
def test_events_that_do_not_fit_their_shape_are_refused(events: Events) -> None:
    with pytest.raises(ValueError, match=r"events of \[2, 3, 40\]"):
        scan_stack([Dense(LIF(33), torch.ones(33, 40))], events)
