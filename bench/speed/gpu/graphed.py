"""The kernels' training step as one CUDA graph, of one network and of several seeds together."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.speed import implementations
from bench.speed.gpu.workloads import SEEDS
from bench.speed.workloads import Workload
from lightning_modules import scan
from lightning_modules.graphed_step import WARMUP, GraphedStep
from lightning_modules.networks.dense import Dense
from lightning_modules.networks.seeds import forward_seeds

LEARNING_RATE = 1e-4


def one_network(work: Workload, x: Tensor, target: Tensor) -> tuple[Callable[[], Tensor], float]:
    """The step and its memory in MB. Without a card it runs as usual."""
    network = implementations.SuiteNetwork(work, "gpu")
    return _captured(lambda x, y: functional.cross_entropy(network(x), y), list(network.parameters()), x, target)


def several_seeds(work: Workload, x: Tensor, target: Tensor) -> tuple[Callable[[], Tensor], float]:
    """The same for ``SEEDS`` networks with batches of their own, which one Adam trains."""
    networks = [dense(work) for _ in range(SEEDS)]
    parameters = [parameter for network in networks for parameter in network.parameters()]
    # samples in another order for each seed, as seeds have it
    orders = [torch.randperm(work.batch) for _ in networks]
    xs = torch.stack([x[:, order] for order in orders])
    targets = torch.stack([target[order] for order in orders])

    def loss_of(xs: Tensor, targets: Tensor) -> Tensor:
        with scan.using("gpu"):
            outputs = forward_seeds(networks, list(xs))
        losses = [functional.cross_entropy(output.mean(0), y) for output, y in zip(outputs, targets, strict=True)]
        return torch.stack(losses)

    return _captured(loss_of, parameters, xs, targets)


def dense(work: Workload) -> Dense:
    """The network of ``work`` as trainings build it."""
    settings = dict(work.settings)
    if work.neuron in ("celif", "glif"):
        settings["steps"] = work.steps
    return Dense(
        work.layers,
        work.neuron,
        settings,
        readout="linear-mean" if work.linear_readout else "spiking",
        recurrent=bool(work.recurrent),
        recurrent_layers=len(work.recurrent),
        recurrent_bias=bool(work.recurrent),
    )


def _captured(
    loss_of: Callable[..., Tensor], parameters: list[nn.Parameter], x: Tensor, target: Tensor
) -> tuple[Callable[[], Tensor], float]:
    """Take the steps before the graph, and the one that records it, whose memory is that of every later one."""
    step = GraphedStep(loss_of, torch.optim.Adam(parameters, LEARNING_RATE))
    for _ in range(WARMUP):
        step(x, target)
    if not x.is_cuda:
        return lambda: step(x, target), 0.0
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step(x, target)
    torch.cuda.synchronize()
    return lambda: step(x, target), (torch.cuda.max_memory_allocated() - before) / 2**20
