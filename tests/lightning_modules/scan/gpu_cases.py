"""Runs the Triton kernels on CPU tensors in Triton's interpreter; a process of its own, since the interpreter is chosen
at import.

Prints one JSON object: case -> "ok" or what went wrong.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

os.environ["TRITON_INTERPRET"] = "1"

import torch

import lightning_modules.scan as scan_package
from lightning_modules.networks.dense import Dense
from lightning_modules.networks.seeds import forward_seeds
from lightning_modules.neurons.lif import LIF
from lightning_modules.scan import gpu, gpu_plan, scan, scan_dense, scan_stack
from tests.lightning_modules.scan.common import NAMES, close, dyadic, gradients, neuron_of, same

BACKENDS = ("loop", "gpu")


def neuron_case(
    name: str,
    dtype: torch.dtype = torch.float32,
    steps: int = 7,
    batch: int = 5,
    size: int = 6,
    checkpoint_every: int | None = None,
) -> None:
    neuron = neuron_of(name, size, steps).to(dtype)
    currents = [torch.randn(steps, batch, size, dtype=dtype).requires_grad_() for _ in range(neuron.inputs)]
    tensors = [*currents, *neuron.parameters()]
    loop, fused = (
        scan(neuron, *currents, record=neuron.State._fields, checkpoint_every=checkpoint_every, backend=b)
        for b in BACKENDS
    )
    same(fused.output, loop.output)
    for a, b in zip((*fused.state, *fused.recorded.values()), (*loop.state, *loop.recorded.values()), strict=True):
        same(a, b)
    for a, b in zip(gradients(fused, tensors), gradients(loop, tensors), strict=True):
        close(a, b, dtype)


def recurrent_case(
    name: str = "lif",
    detach_every: int | None = None,
    checkpoint_every: int | None = None,
    whole: int = gpu_plan.WHOLE,
    dtype: torch.dtype = torch.float32,
    steps: int = 6,
    size: int = 6,
    batch: int = 18,
) -> None:
    """``whole``: neurons of the largest layer that one program has; a larger one is launched step by step."""
    inputs = 5
    neuron = neuron_of(name, size, steps).to(dtype)
    x = torch.randint(0, 2, (steps, batch, inputs)).to(dtype).requires_grad_()
    weight = dyadic(size, inputs, scale=8, dtype=x.dtype)
    bias = dyadic(size, scale=4, dtype=x.dtype)
    recurrent = dyadic(size, size, scale=8, dtype=x.dtype)
    recurrent_bias = dyadic(size, scale=2, dtype=x.dtype)
    previous = torch.randint(0, 2, (batch, size)).to(dtype).requires_grad_()
    probe = torch.zeros(steps, batch, size, dtype=dtype, requires_grad=True)
    tensors = [x, weight, bias, recurrent, recurrent_bias, previous, probe, *neuron.parameters()]
    with patch.object(gpu_plan, "WHOLE", whole):
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
                record=neuron.State._fields[:1],  # type: ignore[attr-defined]
                detach_every=detach_every,
                checkpoint_every=checkpoint_every,
                backend=backend,
            )
            for backend in BACKENDS
        )
        if neuron.spiking:
            same(fused.output, loop.output)
        else:  # sums of numbers that are not spikes depend on their order
            close(fused.output, loop.output, dtype)
        for a, b in zip(gradients(fused, tensors), gradients(loop, tensors), strict=True):
            close(a, b, x.dtype)


def given_state_case() -> None:
    """A state before the first step may be any number, also where it is 0 or 1 later."""
    neuron = LIF(33)
    currents = torch.randn(36, 2, 33).requires_grad_()
    state = LIF.State(torch.randn(2, 33).requires_grad_(), torch.rand(2, 33).requires_grad_())
    for every in (None, 33):
        loop, fused = (scan(neuron, currents, state=state, checkpoint_every=every, backend=b) for b in BACKENDS)
        same(fused.output, loop.output)
        tensors = [currents, *state]
        for a, b in zip(gradients(fused, tensors), gradients(loop, tensors), strict=True):
            close(a, b, currents.dtype)


def seeds_case(recurrent: bool) -> None:
    """Three seeds in one launch have the outputs and gradients that each has alone, to the last bit."""
    networks = [Dense([4, 48, 4], "celif", {"steps": 5}, recurrent=recurrent) for _ in range(3)]
    compare_with_alone(networks)


LEAKS = (0.0, 0.3, 1.0)


def settings_case() -> None:
    """Networks whose neurons differ in numbers in one launch: outputs and gradients as alone, to the last bit."""
    networks = [
        Dense([4, 48, 4], "lif", {"leak": leak, "threshold": 0.2 + leak / 10, "scale_input": True}) for leak in LEAKS
    ]
    compare_with_alone(networks)
    surrogates = [Dense([4, 48, 4], "glif", {"steps": 5, "threshold": 0.05, "width": w}) for w in (0.25, 0.5)]
    compare_with_alone(surrogates)


def compare_with_alone(networks: Sequence[Dense]) -> None:
    xs = [torch.randint(0, 2, (5, 4, 4)).float() for _ in networks]
    launches: list[int] = []
    run_layer = gpu.run_layer

    def counted(*arguments: Any) -> tuple:
        launches.append(1)
        return run_layer(*arguments)

    with patch.object(scan_package, "_available", lambda device: "gpu"), patch.object(gpu, "run_layer", counted):
        alone = [network(x) for network, x in zip(networks, xs, strict=True)]
        launches.clear()
        together = forward_seeds(networks, xs)
        assert len(launches) == len(networks[0].stack)
        assert len({float(output.detach().sum()) for output in together}) > 1
        for network, a, b in zip(networks, alone, together, strict=True):
            assert torch.equal(a, b)
            parameters = list(network.parameters())
            of_a = torch.autograd.grad(a.square().sum() + a.mean(), parameters)
            of_b = torch.autograd.grad(b.square().sum() + b.mean(), parameters, retain_graph=True)
            assert all(torch.equal(g, h) for g, h in zip(of_a, of_b, strict=True))


def stack_case() -> None:
    layers = [scan_package.Dense(LIF(n), dyadic(n, k, scale=8, dtype=torch.float32)) for k, n in ((4, 70), (70, 3))]
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
CASES |= {f"recurrent-{name}": (lambda name=name: recurrent_case(name)) for name in [*NAMES, "user"]}  # type: ignore[misc]
CASES |= {
    "user-f64": lambda: neuron_case("user", torch.float64),
    "tiles-segments": lambda: neuron_case("celif", steps=36, batch=6, size=40, checkpoint_every=34),
    "recurrent-truncated-checkpointed": lambda: recurrent_case("lif", 3, 5),
    "recurrent-f64": lambda: recurrent_case("lif", 3, 5, dtype=torch.float64),
    "recurrent-long": lambda: recurrent_case("lif", 20, 34, steps=36),
    "by-step-glif": lambda: recurrent_case("glif", whole=1, size=40),
    "by-step-indrnn": lambda: recurrent_case("indrnn", 3, 5, whole=1, size=40),
    "by-step-long": lambda: recurrent_case("celif", 20, 34, whole=16, steps=36, size=40, batch=2),
    "given-state": given_state_case,
    "stack": stack_case,
    "seeds": lambda: seeds_case(False),
    "seeds-recurrent": lambda: seeds_case(True),
    "settings": settings_case,
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
