"""The fused walk on the CPU: a stack of layers, all of them in one pass over time.

The batch is cut into blocks that run in parallel; each block walks through time in chunks small enough to stay in a
core's cache between the matrix product and the neurons of every layer. For the backward pass only the currents of each
layer and the state at the head of each chunk are kept: a chunk is replayed from there, then walked in reverse. With
``checkpoint_every`` not even the currents are. Blocks and chunks depend on shapes alone and are summed in order, so
results do not depend on the number of threads.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

import torch
from torch import Tensor

from lightning_modules.scan import memory, workers
from lightning_modules.scan.run import Gradients, Kept, Layer, Run
from lightning_modules.scan.walk import Block

WEIGHTS = ("weight", "bias", "recurrent", "recurrent_bias")


def forward(run: Run, layers: list[Layer], inputs: tuple[Tensor, ...]) -> tuple[Any, ...]:
    """Run all layers. Gives ``(output or None, mean outputs, last states, records, kept)``; ``kept`` is for
    ``backward``."""
    kind = inputs[0].dtype
    steps = run.steps
    batch = run.batch
    size = layers[-1].size
    output = memory.empty(steps, batch, size, dtype=kind) if run.keep_output else None
    records = [memory.empty(steps, batch, size, dtype=kind) for _ in run.record]
    means = [torch.empty(batch, layer.size, dtype=kind) for layer in layers]
    finals = [[torch.empty(state.shape, dtype=kind) for state in layer.states] for layer in layers]
    sparing = run.training and run.checkpoint_every > 0  # keep the states at the head of each segment and nothing else

    def walk(number: int) -> list[Any]:
        block = Block(run, layers, inputs, *run.blocks[number])
        heads = block.heads()
        kept = []
        for begin, end in run.segments:
            chunks = len(run.chunks(block.rows, begin, end))
            whole = run.training and not sparing
            segment = Kept(run, layers, block.rows, begin, end, chunks + 1 if whole else 2, whole)
            segment.load(heads)
            kept.append(segment)
            if sparing:
                kept[-1] = Kept(run, layers, block.rows, begin, end, 1, False)
                kept[-1].load(heads)
            block.forward(begin, end, segment, output, records)
            heads = segment.at(chunks)
        for i, last in enumerate(heads):
            torch.div(block.totals[i], steps, out=means[i][block.own])
            for final, state in zip(finals[i], last, strict=False):
                final[block.own] = state
        return kept if run.training else []

    kept = workers.each(walk, len(run.blocks))
    return output, means, finals, records, kept


def backward(
    run: Run,
    layers: list[Layer],
    inputs: tuple[Tensor, ...],
    kept: list,
    grads: tuple,
    needs: list[dict[str, bool]],
    wants: tuple[bool, ...],
) -> tuple[list[Gradients], list[Tensor | None], Tensor | None]:
    """Gradients of every layer, of the inputs that ``wants`` asks for, and of the probe (the last of ``wants``)."""
    output, means, finals, records = grads
    kind = inputs[0].dtype
    blocks = run.blocks
    below = [memory.empty(*x.shape, dtype=kind) if want else None for x, want in zip(inputs, wants, strict=False)]
    probe = memory.empty(run.steps, run.batch, layers[-1].size, dtype=kind) if wants[-1] else None
    means = [None if m is None else m / run.steps for m in means]
    adjoints = [
        [
            torch.zeros(s.shape, dtype=kind) if g is None else g.clone(memory_format=torch.contiguous_format)
            for s, g in pairs
        ]
        for pairs in (zip(layer.states, final, strict=True) for layer, final in zip(layers, finals, strict=True))
    ]
    before = [torch.empty(layer.previous.shape, dtype=kind) for layer in layers]
    records = [] if all(r is None for r in records) else records

    totals: list[Gradients] = []
    waiting: dict[int, list[Gradients]] = {}  # blocks done before one that comes before them
    done = 0
    lock = Lock()

    def join(number: int, part: list[Gradients]) -> None:
        """Add a block up as soon as those before it are: the order is that of the blocks, and only blocks under way
        hold memory."""
        nonlocal done, totals
        with lock:
            waiting[number] = part
            while done in waiting:
                part = waiting.pop(done)
                for total, more in zip(totals, part, strict=False):
                    _add(total, more)
                totals = totals or part
                done = done + 1

    def walk(number: int) -> None:
        block = Block(run, layers, inputs, *blocks[number])
        sums = [
            _room(layer, need, [a[block.own] for a in mine])
            for layer, need, mine in zip(layers, needs, adjoints, strict=True)
        ]
        block.prepare(sums, means, joined=bool(records) or probe is not None)
        for (begin, end), segment in reversed(list(zip(run.segments, kept[number], strict=True))):
            if run.checkpoint_every:
                heads = segment.at(0)
                chunks = len(run.chunks(block.rows, begin, end))
                segment = Kept(run, layers, block.rows, begin, end, chunks + 1, True)
                segment.load(heads)
                block.forward(begin, end, segment, None, [])
            block.backward(begin, end, segment, output, records, probe, below)
        for i in range(len(layers)):
            before[i][block.own] = block.carry[i] - block.means[i]
        join(number, block.finish())

    workers.each(walk, len(blocks))
    return [_asked(*sums, kind) for sums in zip(totals, needs, before, adjoints, strict=True)], below, probe


def _room(layer: Layer, need: dict[str, bool], states: list[Tensor]) -> Gradients:
    """Zeroed sums for the weights whose gradient is asked for."""
    weight = memory.zeros(*layer.transposed.shape, dtype=layer.previous.dtype) if need["weight"] else None
    recurrent = torch.zeros(layer.size, layer.size, dtype=layer.previous.dtype) if need["recurrent"] else None
    return Gradients(weight=weight, recurrent=recurrent, states=states)


def _add(total: Gradients, part: Gradients) -> None:
    for name in ("weight", "bias", "recurrent"):  # both biases have one sum
        if (mine := getattr(total, name)) is not None:
            mine += getattr(part, name)
    for drive, more in zip(total.drives, part.drives, strict=True):
        drive += more


def _asked(
    total: Gradients, need: dict[str, bool], before: Tensor, states: list[Tensor], kind: torch.dtype
) -> Gradients:
    """The gradients asked for, as autograd wants them."""
    sums = {"weight": total.weight, "bias": total.bias, "recurrent": total.recurrent, "recurrent_bias": total.bias}
    asked = {name: sums[name].to(kind, copy=name.endswith("bias")) for name in WEIGHTS if need[name]}  # type: ignore[union-attr]
    if "weight" in asked:
        asked["weight"] = memory.contiguous(asked["weight"].t())
    return Gradients(**asked, previous=before, states=states, drives=[drive.to(kind) for drive in total.drives])
