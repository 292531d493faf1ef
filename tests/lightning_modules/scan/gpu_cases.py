"""Runs the Triton kernels on CPU tensors in Triton's interpreter; a process of its own, since the interpreter is chosen
at import.

Prints one JSON object: case -> "ok" or what went wrong.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable

os.environ["TRITON_INTERPRET"] = "1"

import torch

from lightning_modules.neurons.lif import LIF
from lightning_modules.scan import Dense, scan, scan_dense, scan_stack
from tests.lightning_modules.scan.common import NAMES, close, dyadic, gradients, neuron_of, same

BACKENDS = ("loop", "gpu")


def neuron_case(name: str, dtype: torch.dtype = torch.float32) -> None:
    steps = 7
    batch = 5
    size = 6
    neuron = neuron_of(name, size, steps).to(dtype)
    currents = [torch.randn(steps, batch, size, dtype=dtype).requires_grad_() for _ in range(neuron.inputs)]
    tensors = [*currents, *neuron.parameters()]
    loop, fused = (scan(neuron, *currents, record=neuron.State._fields, backend=b) for b in BACKENDS)
    same(fused.output, loop.output)
    for a, b in zip((*fused.state, *fused.recorded.values()), (*loop.state, *loop.recorded.values()), strict=True):
        same(a, b)
    for a, b in zip(gradients(fused, tensors), gradients(loop, tensors), strict=True):
        close(a, b, dtype)


def recurrent_case(detach_every: int | None, checkpoint_every: int | None) -> None:
    steps = 8
    batch = 18
    inputs = 5
    size = 6
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
            LIF(size),
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
    for a, b in zip(gradients(fused, tensors), gradients(loop, tensors), strict=True):
        close(a, b, x.dtype)


def stack_case() -> None:
    layers = [Dense(LIF(n), dyadic(n, k, scale=8, dtype=torch.float32)) for k, n in ((4, 70), (70, 3))]
    x = torch.randint(0, 2, (6, 5, 4)).float()
    results = []
    for backend in BACKENDS:
        stacked = scan_stack(layers, x, output=False, backend=backend)
        assert stacked.output is None
        results.append(
            (stacked.means, torch.autograd.grad((stacked.means[-1] ** 2).sum(), [layer.weight for layer in layers]))
        )  # type: ignore[misc]
    for a, b in zip(*(means for means, _ in results), strict=True):
        same(a, b)
    for a, b in zip(*(grads for _, grads in results), strict=True):
        close(a, b, x.dtype)


CASES: dict[str, Callable[[], None]] = {
    name: (lambda name=name: neuron_case(name)) for name in [*NAMES, "user", "resonant"]
}  # type: ignore[misc]
CASES |= {
    "user-f64": lambda: neuron_case("user", torch.float64),
    "recurrent": lambda: recurrent_case(None, None),
    "recurrent-truncated-checkpointed": lambda: recurrent_case(3, 5),
    "stack": stack_case,
}


if __name__ == "__main__":
    outcome = {}
    for case, run in CASES.items():
        torch.manual_seed(0)
        try:
            run()
            outcome[case] = "ok"
        except Exception:  # the other cases still count
            outcome[case] = traceback.format_exc(limit=-4)
    print(json.dumps(outcome))
