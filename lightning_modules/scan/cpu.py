"""The fused run on the CPU: a stack of layers, all of them in one pass over time.

The batch is cut into blocks that run in parallel. Each block takes time in chunks small enough to stay in a core's
cache between the matrix product and the neurons of every layer. For the backward pass only the currents of each layer
and the states at the start of each chunk are saved: a chunk is replayed from there and then run in reverse. With
``checkpoint_every`` not even the currents are saved. Blocks and chunks depend on shapes alone and are summed in order,
so results do not depend on the number of threads.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

import torch
from torch import Tensor

from lightning_modules.scan import buffer_pool, workers
from lightning_modules.scan.backward_block import BackwardBlock
from lightning_modules.scan.block import Block
from lightning_modules.scan.plan import Gradients, Layer, StackPlan
from lightning_modules.scan.saved_segment import SavedSegment

WEIGHTS = ("weight", "bias", "recurrent", "recurrent_bias")


def forward(plan: StackPlan, layers: list[Layer], inputs: tuple[Tensor, ...]) -> tuple[Any, ...]:
    """Run all layers. Returns ``(output or None, mean outputs, last states, records, saved)``.

    ``saved`` has the segments of each block, for ``backward``.
    """
    dtype = inputs[0].dtype
    shape = (plan.steps, plan.batch, layers[-1].size)
    output = buffer_pool.empty(*shape, dtype=dtype) if plan.return_output else None
    records = [buffer_pool.empty(*shape, dtype=dtype) for _ in plan.record]
    means = [torch.empty(plan.batch, layer.size, dtype=dtype) for layer in layers]
    finals = [[torch.empty(state.shape, dtype=dtype) for state in layer.states] for layer in layers]
    states_only = plan.training and plan.checkpoint_every > 0  # save the states at the start of a segment, nothing else
    save_all = plan.training and not states_only

    def run_block(number: int) -> list[SavedSegment]:
        block = Block(plan, layers, inputs, *plan.blocks[number])
        states = block.initial_states()
        saved = []
        for begin, end in plan.segments:
            chunks = len(plan.chunks(block.rows, begin, end))
            segment = SavedSegment(layers, block.rows, begin, end, chunks + 1 if save_all else 2, save_all)
            segment.set_first(states)
            saved.append(segment)
            if states_only:
                saved[-1] = SavedSegment(layers, block.rows, begin, end, 1, False)
                saved[-1].set_first(states)
            block.forward(begin, end, segment, output, records)
            states = segment.at(chunks)
        for i, last_states in enumerate(states):
            torch.div(block.output_sums[i], plan.steps, out=means[i][block.samples])
            for final, state in zip(finals[i], last_states, strict=False):
                final[block.samples] = state
        return saved if plan.training else []

    saved = workers.run_each(run_block, len(plan.blocks))
    return output, means, finals, records, saved


def backward(
    plan: StackPlan,
    layers: list[Layer],
    inputs: tuple[Tensor, ...],
    saved: list[list[SavedSegment]],
    grads: tuple,
    needed: list[dict[str, bool]],
    needed_inputs: tuple[bool, ...],
) -> tuple[list[Gradients], list[Tensor | None], Tensor | None]:
    """Gradients of every layer, of the inputs that are ``needed_inputs``, and of the probe (the last of these)."""
    output, means, finals, records = grads
    dtype = inputs[0].dtype
    input_grads = [
        buffer_pool.empty(*x.shape, dtype=dtype) if need else None
        for x, need in zip(inputs, needed_inputs, strict=False)
    ]
    probe = buffer_pool.empty(plan.steps, plan.batch, layers[-1].size, dtype=dtype) if needed_inputs[-1] else None
    means = [None if mean is None else mean / plan.steps for mean in means]
    adjoints = [_adjoints(layer, final) for layer, final in zip(layers, finals, strict=True)]
    previous = [torch.empty(layer.previous.shape, dtype=dtype) for layer in layers]
    records = [] if all(record is None for record in records) else records
    totals = _OrderedSum()

    def reverse_block(number: int) -> None:
        first, rows = plan.blocks[number]
        samples = slice(first, first + rows)
        sums = [
            _zero_gradients(layer, need, [adjoint[samples] for adjoint in layer_adjoints])
            for layer, need, layer_adjoints in zip(layers, needed, adjoints, strict=True)
        ]
        joined = bool(records) or probe is not None
        block = BackwardBlock(plan, layers, inputs, first, rows, sums, means, joined)
        for (begin, end), segment in reversed(list(zip(plan.segments, saved[number], strict=True))):
            if plan.checkpoint_every:
                states = segment.at(0)
                chunks = len(plan.chunks(block.rows, begin, end))
                segment = SavedSegment(layers, block.rows, begin, end, chunks + 1, True)
                segment.set_first(states)
                block.forward(begin, end, segment, None, [])
            block.backward(begin, end, segment, output, records, probe, input_grads)
        for i in range(len(layers)):
            previous[i][samples] = block.carry[i] - block.means[i]
        totals.add(number, block.finish())

    workers.run_each(reverse_block, len(plan.blocks))
    gradients = [_requested(*sums, dtype) for sums in zip(totals.gradients, needed, previous, adjoints, strict=True)]
    return gradients, input_grads, probe


class _OrderedSum:
    """Sums the gradients of blocks in the order of the blocks, so that the result does not depend on threads.

    A block is added as soon as all blocks before it are, so only blocks that still run hold memory.
    """

    def __init__(self) -> None:
        self.gradients: list[Gradients] = []  # per layer
        self.finished: dict[int, list[Gradients]] = {}  # blocks that wait for an earlier one
        self.next = 0
        self.lock = Lock()

    def add(self, number: int, block: list[Gradients]) -> None:
        with self.lock:
            self.finished[number] = block
            while self.next in self.finished:
                part = self.finished.pop(self.next)
                for total, layer_part in zip(self.gradients, part, strict=False):
                    _add(total, layer_part)
                self.gradients = self.gradients or part
                self.next += 1


def _adjoints(layer: Layer, final: list[Tensor | None]) -> list[Tensor]:
    """Gradients of the layer's states after the last step, to be turned into those of the states before the first."""
    return [
        torch.zeros(state.shape, dtype=state.dtype)
        if grad is None
        else grad.clone(memory_format=torch.contiguous_format)
        for state, grad in zip(layer.states, final, strict=True)
    ]


def _zero_gradients(layer: Layer, need: dict[str, bool], states: list[Tensor]) -> Gradients:
    """Zero sums for the weights whose gradient is needed."""
    dtype = layer.previous.dtype
    weight = buffer_pool.zeros(*layer.transposed.shape, dtype=dtype) if need["weight"] else None
    recurrent = torch.zeros(layer.size, layer.size, dtype=dtype) if need["recurrent"] else None
    return Gradients(weight=weight, recurrent=recurrent, states=states)


def _add(total: Gradients, part: Gradients) -> None:
    for name in ("weight", "bias", "recurrent"):  # both biases have one sum
        if (tensor := getattr(total, name)) is not None:
            tensor += getattr(part, name)
    for drive, drive_part in zip(total.drives, part.drives, strict=True):
        drive += drive_part


def _requested(
    total: Gradients, need: dict[str, bool], previous: Tensor, states: list[Tensor], dtype: torch.dtype
) -> Gradients:
    """The gradients that are needed, in the form that autograd takes."""
    sums = {"weight": total.weight, "bias": total.bias, "recurrent": total.recurrent, "recurrent_bias": total.bias}
    requested: dict[str, Tensor] = {}
    for name, tensor in sums.items():
        if need[name]:
            assert tensor is not None
            requested[name] = tensor.to(dtype, copy=name.endswith("bias"))
    if "weight" in requested:
        requested["weight"] = buffer_pool.contiguous(requested["weight"].t())
    drives = [drive.to(dtype) for drive in total.drives]
    return Gradients(**requested, previous=previous, states=states, drives=drives)
