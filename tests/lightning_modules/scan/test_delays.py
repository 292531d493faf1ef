"""Synapses with delays: fused = loop in spikes and in every gradient, whatever the delays."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lightning_modules.neurons import Neuron
from lightning_modules.neurons.lif import LIF
from lightning_modules.neurons.lsnn import LSNN
from lightning_modules.scan import Dense, Scanned, scan, scan_dense, scan_stack
from tests.lightning_modules.scan.common import LATE, close, dyadic, same

pytestmark = pytest.mark.usefixtures("one_thread")
BACKENDS = ("loop", "cpu")
KINDS = ("all 0", "all D - 1", "one synapse", "all equal", "random")
INPUTS = 5
SIZE = 7


def delays_of(kind: str, depth: int, *shape: int) -> Tensor:
    delays = torch.randint(depth, shape)
    if kind == "one synapse":
        delays.zero_()
        delays[-1, 0] = depth - 1
    fixed = {"all 0": 0, "all D - 1": depth - 1, "all equal": depth // 2}
    return delays.fill_(fixed[kind]) if kind in fixed else delays


class Case(NamedTuple):
    """A neuron and what it is given; ``tensors`` by name, all with a gradient."""

    neuron: Neuron
    x: Tensor
    tensors: dict[str, Tensor]
    settings: dict[str, Any]

    def run(self, backend: str, **options: Any) -> Scanned:
        given = {**self.tensors}
        state = tuple(given.pop(f"state {name}") for name in self.neuron.State._fields)  # type: ignore[attr-defined]
        connected = given.pop("recurrent") * (1 - torch.eye(SIZE)).to(self.x)  # no neuron connects to itself
        return scan_dense(
            self.neuron, recurrent=connected, state=state, **given, **self.settings, backend=backend, **options
        )

    def gradients(self, scanned: Scanned) -> list[Tensor | None]:
        """Of a loss that sees all results."""
        generator = torch.Generator().manual_seed(7)
        loss = torch.zeros((), dtype=self.x.dtype)
        for value in (scanned.output, *scanned.state, *scanned.recorded.values(), scanned.in_flight):
            assert value is not None
            loss = loss + (value * torch.randn(value.shape, generator=generator, dtype=value.dtype)).sum()
        wanted = [*self.tensors.values(), *self.neuron.parameters()]
        return list(torch.autograd.grad(loss, wanted, allow_unused=True))


def case(neuron: Neuron, steps: int, batch: int, depth: int, kind: str, dtype: torch.dtype = torch.float32) -> Case:
    neuron = neuron.to(dtype)
    x = (torch.rand(steps, batch, INPUTS) < 0.3).to(dtype).requires_grad_()
    tensors = {
        "x": x,
        "weight": dyadic(SIZE, INPUTS, scale=8, dtype=dtype),
        "bias": dyadic(SIZE, scale=2, dtype=dtype),
        "recurrent": dyadic(SIZE, SIZE, scale=8, dtype=dtype),
        "recurrent_bias": dyadic(SIZE, scale=1, dtype=dtype),
        "previous": (torch.rand(batch, SIZE) < 0.3).to(dtype).requires_grad_(),
        "in_flight": dyadic(depth, batch, SIZE, scale=3, dtype=dtype),
        "probe": torch.zeros(steps, batch, SIZE, dtype=dtype, requires_grad=True),
    }
    for name, part in zip(neuron.State._fields, neuron.initial_state(batch, x), strict=True):  # type: ignore[attr-defined]
        tensors[f"state {name}"] = part.detach().clone().requires_grad_()
    delays = {"delays": delays_of(kind, depth, SIZE, INPUTS), "recurrent_delays": delays_of(kind, depth, SIZE, SIZE)}
    return Case(neuron, x, tensors, {**delays, "depth": depth})


def agree(given: Case, **options: Any) -> None:
    loop, fused = (given.run(backend, record=given.neuron.State._fields, **options) for backend in BACKENDS)  # type: ignore[attr-defined]
    pairs = [(fused.output, loop.output), (fused.in_flight, loop.in_flight)]
    pairs += zip((*fused.state, *fused.recorded.values()), (*loop.state, *loop.recorded.values()), strict=True)
    for a, b in pairs:
        assert a is not None and b is not None
        same(a, b)
    for actual, expected in zip(given.gradients(fused), given.gradients(loop), strict=True):
        if expected is None:
            assert actual is None or not bool(actual.any())
        else:
            close(actual, expected, given.x.dtype)


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([1, 4, 11]),
    st.sampled_from([1, 3, 17]),
    st.sampled_from([1, 2, 5, 12]),
    st.sampled_from(KINDS),
)
def test_any_delays_of_any_depth(steps: int, batch: int, depth: int, kind: str) -> None:
    torch.manual_seed(steps * 100 + batch + depth)
    agree(case(LIF(SIZE, LATE), steps, batch, depth, kind))


def test_gradients_agree_in_double_precision() -> None:
    torch.manual_seed(0)
    agree(case(LIF(SIZE, LATE), 15, 3, 5, "random", torch.float64))


@pytest.mark.parametrize("checkpoint_every", [None, 30])
@pytest.mark.parametrize("detach_every", [None, 7])
def test_truncation_and_checkpoints_in_time_agree(detach_every: int | None, checkpoint_every: int | None) -> None:
    torch.manual_seed(0)
    given = case(LSNN(SIZE), 70, 18, 10, "random")  # more steps than one chunk, and a block that is not full
    with torch.no_grad():
        given.tensors["recurrent"][torch.rand(SIZE, SIZE) < 0.5] = 0  # a missing connection has a gradient
    agree(given, detach_every=detach_every, checkpoint_every=checkpoint_every)


def test_two_halves_with_currents_in_flight_are_the_whole() -> None:
    torch.manual_seed(0)
    x = (torch.rand(20, 5, INPUTS) < 0.4).float()
    weight = dyadic(SIZE, INPUTS, scale=8, dtype=x.dtype)
    recurrent = dyadic(SIZE, SIZE, scale=8, dtype=x.dtype)
    delays = {"delays": torch.randint(6, (SIZE, INPUTS)), "recurrent_delays": torch.randint(6, (SIZE, SIZE))}
    neuron = LIF(SIZE, LATE)

    def run(part: Tensor, **start: Any) -> Scanned:
        return scan_dense(neuron, part, weight, recurrent=recurrent, **delays, depth=6, **start)

    expected = run(x)
    first = run(x[:11])
    second = run(x[11:], state=first.state, previous=first.output[-1], in_flight=first.in_flight)
    assert first.in_flight is not None and bool(first.in_flight.any())
    assert torch.equal(torch.cat([first.output, second.output]), expected.output)
    assert torch.equal(second.in_flight, expected.in_flight)  # type: ignore[arg-type]


def test_given_currents_are_left_alone_and_get_their_gradient() -> None:
    torch.manual_seed(0)
    current = dyadic(9, 3, SIZE, scale=8, dtype=torch.float32)
    recurrent = dyadic(SIZE, SIZE, scale=8, dtype=current.dtype)
    late = {"recurrent_delays": torch.randint(4, (SIZE, SIZE))}
    before = current.detach().clone()
    neuron = LIF(SIZE, LATE)
    loop, fused = (scan(neuron, current, recurrent=recurrent, **late, backend=b) for b in BACKENDS)
    same(fused.output, loop.output)
    expected, actual = (torch.autograd.grad(s.output.square().sum(), [current, recurrent]) for s in (loop, fused))
    for a, b in zip(actual, expected, strict=True):
        close(a, b, current.dtype)
    assert torch.equal(before, current.detach())


def test_a_stack_with_one_late_layer_is_its_layers_one_after_the_other() -> None:
    torch.manual_seed(0)
    x = (torch.rand(12, 4, INPUTS) < 0.4).float()
    late = {"delays": torch.randint(3, (SIZE, INPUTS))}
    weights = [dyadic(SIZE, INPUTS, scale=8, dtype=x.dtype), dyadic(SIZE, SIZE, scale=8, dtype=x.dtype)]
    layers = [Dense(LIF(SIZE, LATE), weights[0], **late), Dense(LIF(SIZE), weights[1])]
    results = [scan_stack(layers, x, output=False, backend=backend) for backend in BACKENDS]
    loop, fused = (torch.autograd.grad(result.means[-1].square().sum(), weights) for result in results)
    assert results[0].output is None and results[1].output is None
    for a, b in zip(results[1].means, results[0].means, strict=True):
        same(a, b)
    for a, b in zip(fused, loop, strict=True):
        close(a, b, x.dtype)
    assert results[1].in_flight[1] is None and results[1].in_flight[0] is not None


def test_results_with_delays_do_not_depend_on_the_number_of_threads() -> None:
    torch.manual_seed(0)
    x = torch.rand(25, 70, INPUTS)
    weight = torch.randn(SIZE, INPUTS, requires_grad=True)
    recurrent = torch.randn(SIZE, SIZE, requires_grad=True)
    late = {"delays": torch.randint(4, (SIZE, INPUTS)), "recurrent_delays": torch.randint(4, (SIZE, SIZE))}
    neuron = LIF(SIZE, LATE)
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        output = scan_dense(neuron, x, weight, recurrent=recurrent, **late).output
        results.append((output, *torch.autograd.grad(output.sum(), [weight, recurrent])))
    assert bool(results[0][0].any())
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


X = torch.zeros(6, 2, INPUTS)
W = torch.zeros(SIZE, INPUTS)
D = torch.zeros(SIZE, INPUTS, dtype=torch.long)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delays": D + 4, "depth": 4}, "delays of layer 0 must be from 0 to depth - 1 = 3, got 4 to 4"),
        ({"delays": D - 1}, "from 0 to depth - 1"),
        ({"delays": D.t()}, r"delays of layer 0 must be integers \[7, 5\], got torch.int64 \[5, 7\]"),
        ({"delays": D.float()}, "must be integers"),
        ({"recurrent_delays": torch.zeros(SIZE, SIZE).long()}, "recurrent_delays of layer 0 need recurrent"),
        ({"delays": D + 6}, "depth 7 and the input 6 steps"),
        ({"delays": D, "depth": 0}, "depth of layer 0 must be 1 or more"),
        ({"depth": 3}, "need delays"),
        ({"delays": D, "depth": 3, "in_flight": torch.zeros(2, 2, SIZE)}, r"in_flight of layer 0 must be \[3, 2, 7\]"),
        ({"delays": D, "in_flight": torch.zeros(1, 2, SIZE).double()}, "every tensor and parameter"),
        ({"delays": D, "backend": "gpu"}, "fused on the CPU only"),
    ],
)
def test_delays_that_do_not_fit_are_refused_in_clear_words(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scan_dense(LIF(SIZE), X, W, **options)
