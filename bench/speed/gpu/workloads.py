"""What is timed on a card: the workloads of ``bench speed``, and one that other libraries publish. No torch."""

from __future__ import annotations

from dataclasses import replace

from bench.speed.peers import PEERS
from bench.speed.workloads import WORKLOADS, Workload

PUBLIC_WIDTHS = (4096, 8192, 16384)
# A linear layer and LIF, forward and backward without optimiser (open-neuromorphic/snn-library-benchmarks)
PUBLIC = {f"linear-lif-{n}": Workload((n, n), "lif", 500, 16) for n in PUBLIC_WIDTHS}
CARD_WORKLOADS = {**WORKLOADS, **PUBLIC}
GRAPH = "kernels, graph"
SEEDS = 5  # networks that are trained in the same launches
SEVERAL_SEEDS = f"kernels, {SEEDS} seeds"
SUITE = ("kernels", GRAPH, SEVERAL_SEEDS, "loop")  # what this suite has
IMPLEMENTATIONS = (*SUITE, "spikingjelly", "snntorch", "lstm", "floor")
GRAPHED = ("lif-seq", "celif-seq", "glif-seq", "lif-rec", "alif-rec", "shd", "nmnist")  # timed as a CUDA graph too
TINY_WIDTH = 6
MEMORY_GB = {"linear-lif-16384": 24.0}  # of the card, below which a workload is left out


def implementations(name: str) -> tuple[str, ...]:
    """Those that have the workload's neuron; without the floor, which is calculated."""
    work = CARD_WORKLOADS[name]
    chosen = ["kernels", *((GRAPH, SEVERAL_SEEDS) if name in GRAPHED else ()), "loop"]
    chosen += [peer for peer in PEERS if peer in work.implementations]
    return (*chosen, *(["lstm"] if work.recurrent else []))


def tiny(work: Workload) -> Workload:
    """The same with few neurons, steps and samples, to try the command."""
    widths = tuple(min(width, TINY_WIDTH) for width in work.layers)
    return replace(work, layers=widths, steps=3, batch=2, checkpoint_every=work.checkpoint_every and 2)


def neuron_steps(work: Workload) -> int:
    """Updates of a neuron in one pass over the batch."""
    neurons = sum(work.layers[1 : -1 if work.linear_readout else None])
    return neurons * work.steps * work.batch


def products(work: Workload) -> int:
    """Multiplications and additions of the matrix products of a training step."""
    if not work.projected:
        return 0
    pairs = list(zip(work.layers[:-1], work.layers[1:], strict=True))
    hidden = pairs[:-1] if work.linear_readout else pairs  # a readout of mean spikes is one small product
    rows = work.steps * work.batch
    total = 0
    for place, (inputs, outputs) in enumerate(hidden):
        total += (3 if place else 2) * 2 * rows * inputs * outputs  # nothing needs the gradient of the input
        if place in work.recurrent:
            total += 3 * 2 * rows * outputs * outputs
    return total


# float32 numbers for each neuron and step: the current written and read, one state and the output written, the output
# read by the next product; backward the gradient written and read, state and output read, the gradient of the current
# written and read by two products
PROJECTED_NUMBERS = 12
NEURON_NUMBERS = 6  # current, output, state; gradient, state, gradient of the current


def bytes_moved(work: Workload) -> int:
    """The least bytes that a training step, layer by layer, moves through a card's memory in float32."""
    numbers = (PROJECTED_NUMBERS if work.projected else NEURON_NUMBERS) * neuron_steps(work)
    if work.projected:
        numbers += 2 * work.layers[0] * work.steps * work.batch  # the input, read by two products
    return 4 * numbers
