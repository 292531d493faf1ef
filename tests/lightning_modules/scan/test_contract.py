"""Fused = loop, for every registered neuron, in values and in every gradient."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch

from lightning_modules.neurons.lif import LIF
from lightning_modules.scan import Dense, block, fused, plan, scan, scan_dense, scan_stack
from tests.lightning_modules.scan.common import NAMES, Bursting, close, dyadic, gradients, neuron_of, same

BACKENDS = ("loop", "cpu")


# compiling takes seconds, and what differs in double is the printer's, not the neuron's
DOUBLE = ("alif", "celif", "user")


@pytest.mark.parametrize(
    ("name", "dtype"), [(name, torch.float32) for name in (*NAMES, "user")] + [(name, torch.float64) for name in DOUBLE]
)
def test_spikes_are_bit_equal_and_gradients_agree(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    steps = 40
    batch = 70
    size = 6
    neuron = neuron_of(name, size, steps).to(dtype)
    currents = [torch.randn(steps, batch, size, dtype=dtype).requires_grad_() for _ in range(neuron.inputs)]
    state = [s.detach().clone().requires_grad_() for s in neuron.initial_state(batch, currents[0])]
    tensors = [*currents, *state, *neuron.parameters()]
    record = neuron.State._fields
    loop, fused = (scan(neuron, *currents, state=tuple(state), record=record, backend=b) for b in BACKENDS)
    same(fused.output, loop.output)
    for a, b in zip((*fused.state, *fused.recorded.values()), (*loop.state, *loop.recorded.values()), strict=True):
        same(a, b)
    for a, b in zip(gradients(fused, tensors), gradients(loop, tensors), strict=True):
        close(a, b, dtype)
    # without gradients of recorded states the reverse kernel takes whole chunks at once
    loop, fused = (scan(neuron, *currents, state=tuple(state), backend=b) for b in BACKENDS)
    for a, b in zip(gradients(fused, tensors), gradients(loop, tensors), strict=True):
        close(a, b, dtype)


@pytest.mark.parametrize("checkpoint_every", [None, 7])
@pytest.mark.parametrize("detach_every", [None, 5])
def test_projection_and_recurrence_agree_in_every_gradient(
    detach_every: int | None, checkpoint_every: int | None
) -> None:
    torch.manual_seed(0)
    steps = 33
    batch = 67
    inputs = 9
    size = 6
    neuron = LIF(size)
    x = torch.randint(0, 2, (steps, batch, inputs)).float().requires_grad_()
    weight = dyadic(size, inputs, scale=8, dtype=x.dtype)
    bias = dyadic(size, scale=4, dtype=x.dtype)
    recurrent = dyadic(size, size, scale=8, dtype=x.dtype)
    recurrent_bias = dyadic(size, scale=2, dtype=x.dtype)
    previous = torch.randint(0, 2, (batch, size)).float().requires_grad_()
    probe = torch.zeros(steps, batch, size, requires_grad=True)
    tensors = [x, weight, bias, recurrent, recurrent_bias, previous, probe]
    loop, fused = (
        scan_dense(
            neuron,
            x,
            weight,
            bias,
            previous=previous,
            recurrent=recurrent,
            recurrent_bias=recurrent_bias,
            probe=probe,
            detach_every=detach_every,
            checkpoint_every=checkpoint_every,
            backend=backend,
        )
        for backend in BACKENDS
    )
    same(fused.output, loop.output)
    assert 0.05 < float(loop.output.detach().mean()) < 0.95
    for a, b in zip(gradients(fused, tensors), gradients(loop, tensors), strict=True):
        close(a, b, x.dtype)


def test_a_recurrence_on_given_currents_leaves_them_alone() -> None:
    torch.manual_seed(0)
    current = torch.rand(20, 5, 6, requires_grad=True)
    recurrent = dyadic(6, 6, scale=8, dtype=torch.float32)
    before = current.detach().clone()
    loop, fused = (scan(LIF(6), current, recurrent=recurrent, backend=b) for b in BACKENDS)
    same(fused.output, loop.output)
    for a, b in zip(gradients(fused, [current, recurrent]), gradients(loop, [current, recurrent]), strict=True):
        close(a, b, current.dtype)
    assert torch.equal(before, current.detach())


@pytest.mark.parametrize("checkpoint_every", [None, 8])
def test_a_stack_is_its_layers_one_after_the_other(checkpoint_every: int | None) -> None:
    torch.manual_seed(0)
    sizes = [40, 36, 5]
    layers = []
    for inputs, size in zip(sizes[:-1], sizes[1:], strict=True):
        neuron = LIF(size, LIF.Config(learn_leak=True))
        torch.nn.init.zeros_(neuron.tau)
        layers.append(
            Dense(
                neuron, dyadic(size, inputs, scale=8, dtype=torch.float32), dyadic(size, scale=4, dtype=torch.float32)
            )
        )
    x = (torch.rand(30, 70, 40) < 0.05).float().requires_grad_()  # sparse and wide enough for the event products
    tensors = [
        x,
        *(t for layer in layers for t in (layer.weight, layer.bias, *layer.neuron.parameters()) if t is not None),
    ]
    results = []
    for backend in BACKENDS:
        result = scan_stack(layers, x, checkpoint_every=checkpoint_every, backend=backend)
        loss = (
            result.output.sum()
            + sum((mean**2 * k).sum() for k, mean in enumerate(result.means, 3))
            + result.states[0][0].sum()
        )
        results.append((result, torch.autograd.grad(loss, tensors)))
    (loop, loop_grads), (fused, fused_grads) = results
    same(fused.output, loop.output)
    for a, b in zip(fused.means, loop.means, strict=True):
        assert torch.equal(a, b)  # spikes add up exactly
    for a, b in zip(fused_grads, loop_grads, strict=True):
        close(a, b, x.dtype)


def test_reduce_gives_the_mean_of_the_output_and_its_gradient() -> None:
    torch.manual_seed(0)
    x = torch.rand(19, 7, 6, requires_grad=True)
    full = scan(LIF(6), x).output.mean(0)
    mean = scan(LIF(6), x, reduce="mean").output
    assert torch.equal(full, mean)
    close(torch.autograd.grad((mean**2).sum(), x)[0], torch.autograd.grad((full**2).sum(), x)[0], x.dtype)


def test_a_scan_in_two_halves_with_state_handed_over_is_the_whole() -> None:
    torch.manual_seed(0)
    x = torch.rand(20, 5, 6)
    recurrent = dyadic(6, 6, scale=8, dtype=torch.float32)
    in_one_run = scan(LIF(6), x, recurrent=recurrent).output
    first = scan(LIF(6), x[:11], recurrent=recurrent)
    second = scan(LIF(6), x[11:], recurrent=recurrent, state=first.state, previous=first.output[-1])
    assert torch.equal(in_one_run, torch.cat([first.output, second.output]))


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    torch.manual_seed(0)
    x = torch.rand(25, 150, 12)
    weight = torch.randn(8, 12, requires_grad=True)
    neuron = LIF(8, LIF.Config(learn_leak=True))
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            result = scan_dense(neuron, x, weight, recurrent=weight[:, :8])
            results.append((result.output, *torch.autograd.grad(result.output.sum(), [weight, neuron.tau])))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize(("name", "dtype"), [("celif", torch.float32), ("user", torch.float64)])
@pytest.mark.parametrize(("batch", "size", "whole"), [(128, 8, True), (44, 6, False)])
def test_what_is_written_past_the_cache_is_the_same_to_the_bit(
    name: str, dtype: torch.dtype, batch: int, size: int, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    neuron = neuron_of(name, size, 50).to(dtype)
    current = torch.randn(50, batch, size, dtype=dtype).requires_grad_()
    monkeypatch.setattr(plan, "CHUNK_ELEMENTS_LIGHT", 7 * batch * size)  # several chunks
    taken: list[str] = []

    class Asked:
        """The kernels of a neuron, which note the names that are taken."""

        def __init__(self, kernels: ModuleType) -> None:
            self.kernels = kernels

        def __getattr__(self, name: str) -> Any:
            taken.append(name)
            return getattr(self.kernels, name)

    printed = fused._module
    monkeypatch.setattr(fused, "_module", lambda step: Asked(printed(step)))
    results = []
    for least in (1 << 40, 1):
        monkeypatch.setattr(block, "STREAMED_BYTES", least)
        taken.clear()
        scanned = scan(neuron, current, backend="cpu")
        results.append([scanned.output, *scanned.state, *gradients(scanned, [current, *neuron.parameters()])])
        streamed = "_streamed" if least == 1 and whole else ""  # whole: a row of merged samples is whole lines
        assert set(taken) == {"forward" + streamed, "backward" + streamed}
    for cached, past in zip(*results, strict=True):
        assert cached is not None and past is not None and torch.equal(cached, past)


def test_gradcheck_with_a_smooth_surrogate() -> None:
    torch.manual_seed(0)
    neuron = Bursting(3, 5, Bursting.Config(smooth=True)).double()
    x = torch.rand(5, 2, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
    recurrent = torch.rand(3, 3, dtype=torch.float64, requires_grad=True)
    parameters = tuple(neuron.parameters())

    def run(x: torch.Tensor, weight: torch.Tensor, recurrent: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return scan_dense(neuron, x, weight, recurrent=recurrent, backend="cpu").output

    assert torch.autograd.gradcheck(run, (x, weight, recurrent, *parameters), fast_mode=True)
