"""A training step of a workload on a card in two parts, by each implementation, and how long the parts take."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.speed import implementations
from bench.speed.gpu import graphed
from bench.speed.gpu.workloads import GRAPH, SEVERAL_SEEDS
from bench.speed.peers import PEERS
from bench.speed.workloads import Workload

# SpikingJelly 2 reads from these which of its kernels it takes; a wheel of it has those in Triton only
os.environ.setdefault("SJ_LIF_CUDA_IMPLEMENTATION", "triton")
os.environ.setdefault("SJ_PLIF_CUDA_IMPLEMENTATION", "triton")


class Step(NamedTuple):
    """``forward()`` gives what ``backward`` takes; together they are a training step.

    A step that is one graph is in ``backward`` alone, and ``graph_mb`` is the memory that the graph keeps.
    """

    forward: Callable[[], Any] | None
    backward: Callable[[Any], Any]
    graph_mb: float = 0.0


class Times(NamedTuple):
    """Of one step: ms of its first part, if it has parts, and of both, and the most memory of the card that it took, in
    MB.
    """

    forward: float | None
    total: float
    peak_mb: float


class Missing(Exception):
    """An implementation that is not installed."""


def build(implementation: str, work: Workload, trains: bool) -> Step:
    """The step of ``implementation``; call it with the card as torch's default device. With ``trains`` the step ends
    with Adam's. Raises ``Missing``.
    """
    if implementation in PEERS and find_spec(implementation) is None:
        raise Missing(f"{implementation} is not installed")
    shape = (work.steps, work.batch, work.layers[0])
    x = torch.rand(shape) if work.density is None else (torch.rand(shape) < work.density).float()
    if not work.projected:
        return _neurons(implementation, work, x)
    target = torch.randint(work.layers[-1], (work.batch,))
    if implementation in (GRAPH, SEVERAL_SEEDS):
        prepare = graphed.one_network if implementation == GRAPH else graphed.several_seeds
        act, memory = prepare(work, x, target)
        return Step(None, lambda _: act(), memory)
    network = _network(implementation, work, over_time=not trains)
    optimiser = torch.optim.Adam(network.parameters(), 1e-4) if trains else None

    def forward() -> Tensor:
        return functional.cross_entropy(network(x), target) if trains else network(x).sum()

    def backward(loss: Tensor) -> None:
        network.zero_grad()
        loss.backward()
        if optimiser is not None:
            optimiser.step()

    return Step(forward, backward)


def _neurons(implementation: str, work: Workload, x: Tensor) -> Step:
    """The neurons of one layer alone."""
    from lightning_modules.scan import scan

    neuron = implementations.build_neuron(work, work.layers[-1])
    current = (x - 0.3).requires_grad_()
    incoming = torch.randn_like(x)
    backend = {"kernels": "gpu"}.get(implementation, "loop")

    def backward(output: Tensor) -> None:
        torch.autograd.grad(output, [current, *neuron.parameters()], incoming)

    return Step(lambda: scan(neuron, current, backend=backend).output, backward)


def _network(implementation: str, work: Workload, over_time: bool) -> nn.Module:
    match implementation:
        case "kernels":
            return LinearNeurons(work, "gpu") if over_time else implementations.SuiteNetwork(work, "gpu")
        case "loop":
            return LinearNeurons(work, "loop") if over_time else implementations.SuiteNetwork(work, "loop")
        case "snntorch":
            return implementations.SnnTorch(work, work.steps)
        case "lstm":
            return LSTM(work)
    return implementations.SpikingJelly(work, work.steps)


class LinearNeurons(nn.Module):
    """A linear layer and its neurons with their output over time, as other libraries give it; then its mean."""

    def __init__(self, work: Workload, backend: str) -> None:
        super().__init__()
        self.linear = nn.Linear(work.layers[0], work.layers[1])
        self.neuron = implementations.build_neuron(work, work.layers[-1])
        self.backend = backend

    def forward(self, x: Tensor) -> Tensor:
        from lightning_modules.scan import scan_dense

        return scan_dense(self.neuron, x, self.linear.weight, self.linear.bias, backend=self.backend).output.mean(0)


class LSTM(nn.Module):
    """torch's LSTM (cuDNN's on a card) in the place of every recurrent layer, with linear layers after them."""

    def __init__(self, work: Workload) -> None:
        super().__init__()
        pairs = list(zip(work.layers[:-1], work.layers[1:], strict=True))
        recurrent = len(work.recurrent)
        self.cells = nn.ModuleList(nn.LSTM(a, b) for a, b in pairs[:recurrent])
        self.head = nn.Sequential(*(nn.Linear(a, b) for a, b in pairs[recurrent:]))

    def forward(self, x: Tensor) -> Tensor:
        for cell in self.cells:
            x = cell(x)[0]
        return self.head(x).mean(0)


def timed(step: Step, device: torch.device) -> Times:
    """Take one step. On a card its own clock is read, so that nothing is counted before it is done."""
    if device.type != "cuda":
        started = time.perf_counter()
        between = step.forward() if step.forward else None
        middle = time.perf_counter()
        step.backward(between)
        ended = time.perf_counter()
        return Times(1e3 * (middle - started) if step.forward else None, 1e3 * (ended - started), 0.0)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    begin, halfway, end = (torch.cuda.Event(enable_timing=True) for _ in range(3))
    begin.record()
    between = step.forward() if step.forward else None
    halfway.record()
    step.backward(between)
    end.record()
    end.synchronize()
    peak = step.graph_mb or (torch.cuda.max_memory_allocated() - before) / 2**20
    return Times(begin.elapsed_time(halfway) if step.forward else None, begin.elapsed_time(end), peak)
