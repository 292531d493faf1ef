"""The fused walk on the CPU: a stack of layers, all of them in one pass over time.

The batch is cut into blocks that run in parallel; each block walks through time in chunks small enough to stay in a core's cache between
the matrix product and the neurons of every layer. For the backward pass only the currents of each layer and the state at the head of
each chunk are kept: a chunk is replayed from there, then walked in reverse. With ``checkpoint_every`` not even the currents are.
Blocks and chunks depend on shapes alone and are summed in order, so results do not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lightning_modules.scan import memory, workers
from lightning_modules.scan.run import Gradients, Kept, Layer, Run
from lightning_modules.scan.walk import Block

WEIGHTS = ("weight", "bias", "recurrent", "recurrent_bias")


def forward(run: Run, layers: list[Layer], inputs: tuple[Tensor, ...]) -> tuple[Any, ...]:
    """Run all layers. Gives ``(output or None, mean outputs, last states, records, kept)``; ``kept`` is for ``backward``."""
    kind, steps, batch = inputs[0].dtype, run.steps, run.batch
    size = layers[-1].size
    output = memory.empty(steps, batch, size, dtype=kind) if run.keep_output else None
    records = [memory.empty(steps, batch, size, dtype=kind) for _ in run.record]
    means = [torch.empty(batch, layer.size, dtype=kind) for layer in layers]
    finals = [[torch.empty(state.shape, dtype=kind) for state in layer.states] for layer in layers]
    sparing = run.training and run.checkpoint_every > 0  # keep the states at the head of each segment and nothing else

    def walk(number: int) -> list[Any]:
        block = Block(run, layers, inputs, *run.blocks[number])
        heads, kept = block.heads(), []
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
    kind, blocks = inputs[0].dtype, run.blocks
    below = [memory.empty(*x.shape, dtype=kind) if want else None for x, want in zip(inputs, wants, strict=False)]
    probe = memory.empty(run.steps, run.batch, layers[-1].size, dtype=kind) if wants[-1] else None
    means = [None if m is None else m / run.steps for m in means]
    adjoints = [
        [torch.zeros(s.shape, dtype=kind) if g is None else g.clone(memory_format=torch.contiguous_format) for s, g in pairs]
        for pairs in (zip(layer.states, final, strict=True) for layer, final in zip(layers, finals, strict=True))
    ]
    before = [torch.empty(layer.previous.shape, dtype=kind) for layer in layers]
    records = [] if all(r is None for r in records) else records

    def walk(number: int) -> list[Gradients]:
        block = Block(run, layers, inputs, *blocks[number])
        sums = [_room(layer, need, [a[block.own] for a in mine]) for layer, need, mine in zip(layers, needs, adjoints, strict=True)]
        block.prepare(sums, means, joined=bool(records) or probe is not None)
        for (begin, end), segment in reversed(list(zip(run.segments, kept[number], strict=True))):
            if run.checkpoint_every:
                heads, chunks = segment.at(0), len(run.chunks(block.rows, begin, end))
                segment = Kept(run, layers, block.rows, begin, end, chunks + 1, True)
                segment.load(heads)
                block.forward(begin, end, segment, None, [])
            block.backward(begin, end, segment, output, records, probe, below)
        for i in range(len(layers)):
            before[i][block.own] = block.carry[i] - block.means[i]
        return block.finish()

    parts = workers.each(walk, len(blocks))
    whole = [_added([part[i] for part in parts], need, kind, before[i], adjoints[i]) for i, need in enumerate(needs)]
    return whole, below, probe


def _room(layer: Layer, need: dict[str, bool], states: list[Tensor]) -> Gradients:
    """Zeroed sums for the weights whose gradient is asked for."""
    weight = torch.zeros_like(layer.transposed) if need["weight"] else None
    recurrent = torch.zeros(layer.size, layer.size, dtype=layer.previous.dtype) if need["recurrent"] else None
    return Gradients(weight=weight, recurrent=recurrent, states=states)


def _added(parts: list[Gradients], need: dict[str, bool], kind: torch.dtype, before: Tensor, states: list[Tensor]) -> Gradients:
    """Add the blocks up, in their order."""
    added = {}
    for name in (name for name in WEIGHTS if need[name]):
        total = getattr(parts[0], name)
        total = total if name in ("weight", "recurrent") else total.clone()  # both biases have one sum
        for part in parts[1:]:
            total += getattr(part, name)
        added[name] = total.to(kind)
    if "weight" in added:
        added["weight"] = added["weight"].t().contiguous()
    drives = [sum(ds[1:], ds[0]).to(kind) for ds in zip(*(p.drives for p in parts), strict=True)]
    return Gradients(**added, previous=before, states=states, drives=drives)
