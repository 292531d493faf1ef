"""Fused = loop whatever the shapes and values; what cannot be run is refused in clear words."""

from __future__ import annotations

import itertools
import logging

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_modules.neurons import NEURONS
from lightning_modules.neurons.lif import LIF
from lightning_modules.scan import Dense, block, scan, scan_dense, scan_stack
from tests.lightning_modules.scan.common import close, gradients, same

SIZES = st.sampled_from([1, 2, 3, 7, 17, 64, 65])
VALUES = ("random", "zero", "all spike", "on the threshold", "nan", "inf")


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([1, 2, 9, 33]),
    st.sampled_from([1, 2, 63, 64, 65, 130]),
    SIZES,
    st.sampled_from(VALUES),
    st.booleans(),
)
def test_any_shape_and_any_value(steps: int, batch: int, size: int, values: str, transposed: bool) -> None:
    torch.manual_seed(steps * 100 + batch + size)
    shape = (batch, steps, size) if transposed else (steps, batch, size)
    filled = {"zero": 0.0, "all spike": 1.0, "on the threshold": 0.3}
    x = torch.full(shape, filled[values]) if values in filled else torch.randn(shape)
    if values in ("nan", "inf"):
        x.view(-1)[torch.randint(x.numel(), (1 + x.numel() // 10,))] = float(values)
    x.requires_grad_()
    current = x.transpose(0, 1) if transposed else x
    neuron = LIF(size)
    # with a state recorded the kernels stop between steps, without they run where the tensors are
    for record in (("u",), ()):
        loop, fused = (scan(neuron, current, record=record, backend=b) for b in ("loop", "cpu"))
        same(fused.output, loop.output)
        for name in record:
            same(fused.recorded[name], loop.recorded[name])
        if values not in ("nan", "inf"):
            for a, b in zip(gradients(fused, [x]), gradients(loop, [x]), strict=True):
                close(a, b, torch.float32)


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([1, 5, 40]),
    st.sampled_from([1, 70]),
    st.sampled_from([1, 31, 32, 50]),
    st.sampled_from([0.0, 0.02, 0.5, 1.0]),
)
def test_products_from_events_are_exact_to_rounding(steps: int, batch: int, inputs: int, density: float) -> None:
    torch.manual_seed(0)
    x = ((torch.rand(steps, batch, inputs) < density) * torch.randint(1, 4, (steps, batch, inputs))).float()
    weight = torch.randn(33, inputs, requires_grad=True)
    readout = NEURONS["leaky-readout"](33)  # no threshold: rounding stays rounding
    loop, fused = (scan_dense(readout, x, weight, backend=b) for b in ("loop", "cpu"))
    close(fused.output, loop.output, torch.float32)
    for a, b in zip(gradients(fused, [weight, readout.tau]), gradients(loop, [weight, readout.tau]), strict=True):
        close(a, b, torch.float32)


@pytest.mark.parametrize("density", [0.02, 0.18])
def test_a_current_kept_and_one_projected_again_are_the_same_to_the_bit(
    density: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    x = (torch.rand(30, 70, 400) < density).float()
    weight = torch.randn(40, 400, requires_grad=True)
    results = []
    for events in (0, block.REPROJECT_EVENTS, 400):
        monkeypatch.setattr(block, "REPROJECT_EVENTS", events)
        scanned = scan_dense(LIF(40), x, weight, backend="cpu")
        results.append([scanned.output, *gradients(scanned, [weight])])
    assert bool(results[0][1].any())
    for saved, reprojected in itertools.pairwise(results):
        assert all(torch.equal(a, b) for a, b in zip(saved, reprojected, strict=True))


def test_a_nan_in_a_sparse_input_reaches_the_neurons() -> None:
    x = torch.zeros(3, 2, 64)
    x[1, 0, 5] = float("nan")
    scanned = scan_dense(NEURONS["leaky-readout"](40), x, torch.ones(40, 64), backend="cpu")
    assert bool(scanned.output[1:, 0].isnan().all())
    assert not bool(scanned.output[0].isnan().any()) and not bool(scanned.output[:, 1].isnan().any())


X = torch.zeros(4, 3, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: scan(LIF(6), X), r"must be \[T, B, 6\]"),
        (lambda: scan(LIF(5), X[0]), r"must be \[T, B, N\]"),
        (lambda: scan(LIF(5), X[:0]), "at least one"),
        (lambda: scan(LIF(5), X, X), "1 current"),
        (lambda: scan(LIF(5), X.half()), "float16"),
        (lambda: scan(LIF(5), X.bfloat16()), "bfloat16"),
        (lambda: scan(LIF(5), X.int()), "int32"),
        (lambda: scan(LIF(5, LIF.Config(learn_leak=True)), X.double()), "every tensor and parameter"),
        (lambda: scan_dense(LIF(6), X, torch.zeros(5, 6)), r"weight of layer 0 must be \[6, 5\]"),
        (lambda: scan_dense(LIF(6), X, torch.zeros(6, 5), torch.zeros(5)), "bias"),
        (lambda: scan(LIF(5), X, recurrent=torch.zeros(5, 4)), "recurrent"),
        (lambda: scan(LIF(5), X, recurrent_bias=torch.zeros(5)), "needs its weight"),
        (lambda: scan(LIF(5), X, state=(X[0],)), "states"),
        (lambda: scan(LIF(5), X, record=("w",)), "no state"),
        (lambda: scan(LIF(5), X, detach_every=0), "detach_every"),
        (lambda: scan(LIF(5), X, backend="tpu"), "backend"),
        (lambda: scan(LIF(5), X, reduce="max"), "reduce"),
        (lambda: scan(LIF(5), X, probe=X[0]), "probe"),
        (lambda: scan_stack([], X), "at least one layer"),
        (lambda: scan_stack([Dense(LIF(5)), Dense(LIF(4))], X), r"must be \[T, B, 4\]"),
    ],
)
def test_what_does_not_fit_is_refused_in_clear_words(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_a_step_that_cannot_be_fused_runs_on_the_loop_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    class Sorting(LIF):
        def step(self, state, current, k=None):  # type: ignore[no-untyped-def, override]
            return super().step(state, current.cumsum(-1), k)

    neuron = Sorting(4)
    x = torch.rand(5, 3, 4)
    with caplog.at_level(logging.WARNING):
        outputs = [scan(neuron, x).output for _ in range(2)]
    assert torch.equal(outputs[0], scan(neuron, x, backend="loop").output)
    assert [r.message for r in caplog.records if "cumsum" in r.message and "loop" in r.message] == [
        caplog.records[0].message
    ]
