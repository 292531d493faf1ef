"""A layer whose synapses have delays, on the CPU: a connection acts ``delay`` steps late.

I[t] = W_d x[t-d] + V_d S[t-1-d], summed over d. A spike adds its weights to the currents of the steps in which it
arrives, so what is in flight is a ring of future currents. The batch is cut into blocks of ``LANES`` samples; their
sums are added up in order, so results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lightning_modules.scan import buffer_pool, kernels, workers
from lightning_modules.scan.delay_printer import source
from lightning_modules.scan.delayed_backward import BackwardDelayedBlock, Incoming, Outgoing
from lightning_modules.scan.delayed_block import DelayedBlock, DelayedLayer, Rows, Segment
from lightning_modules.scan.lanes import LANES
from lightning_modules.scan.trace import Traced

# what a layer is given between its inputs and its states, all of it or None
GIVEN = ("weight", "bias", "recurrent", "recurrent_bias", "previous", "probe", "in_flight")


class DelayedPlan(NamedTuple):
    """The settings of a run: all that is no tensor with a gradient."""

    traced: Traced
    depth: int  # steps that a current can be in flight; delays are 0 to depth - 1
    delays: Tensor | None  # [N, inputs]
    own_delays: Tensor | None  # [N, N]
    detach_every: int
    checkpoint_every: int
    record: tuple[int, ...]
    return_output: bool
    training: bool = False


def run_layer(plan: DelayedPlan, *tensors: Tensor | None) -> tuple:
    """``(output or None, mean, in flight after the last step, states, records)`` of one layer, all differentiable.

    ``tensors``: the currents, or the input of ``weight``; those of ``GIVEN``; then each state and drive.
    """
    training = torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors)
    output, mean, last, *rest = _DelayedFunction.apply(plan._replace(training=training), *tensors)
    count = len(plan.traced.states)
    return output, mean, last, rest[:count], rest[count:]


class _DelayedFunction(torch.autograd.Function):
    """One layer, all steps."""

    @staticmethod
    def forward(ctx: Any, plan: DelayedPlan, *tensors: Tensor | None) -> tuple:
        ctx.set_materialize_grads(False)
        layer = _layer(plan, tensors, ctx.needs_input_grad[1:])
        output, mean, last, states, records, saved = _forward(layer)
        if plan.training:
            kept = [tensor for block in saved for part in block for tensor in (*part.heads, part.currents)]
            ctx.save_for_backward(*tensors, *kept)
            ctx.plan = plan
        return output, mean, last, *states, *records

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple:
        plan = ctx.plan
        count = plan.traced.currents + len(GIVEN) + len(plan.traced.states) + len(plan.traced.drives)
        needed = ctx.needs_input_grad[1:]
        tensors = ctx.saved_tensors[:count]
        layer = _layer(plan, tensors, needed)
        kept = iter(ctx.saved_tensors[count:])
        saved = [
            [Segment(*span, [next(kept) for _ in range(len(layer.states) + 1)], next(kept)) for span in layer.segments]
            for _ in layer.blocks
        ]
        return (None, *_backward(layer, saved, gradients, needed))


def _rows(weight: Tensor | None, delays: Tensor | None, needed: bool, like: Tensor) -> Rows:
    """The synapses of ``weight`` [N, inputs] by input; none for ``None``. Weights are of the type of ``like``."""
    if weight is None:
        starts = np.zeros(1, np.int64)
        return Rows(starts, np.zeros(0, np.uint32), like.new_empty(0).numpy(), starts, np.zeros(0, np.uint32))
    size, inputs = weight.shape
    by_input = weight.t().contiguous().numpy()
    rows = np.broadcast_to(np.arange(size, dtype=np.uint32), (inputs, size))
    if delays is not None:
        rows = (delays.t() * size + torch.arange(size)).numpy().astype(np.uint32)
    connected = by_input != 0
    starts = np.concatenate([[0], np.cumsum(connected.sum(1))]).astype(np.int64)
    ends = np.arange(inputs + 1 if needed else 1, dtype=np.int64) * size
    every = np.ascontiguousarray(rows).ravel() if needed else np.zeros(0, np.uint32)
    return Rows(starts, rows[connected], by_input[connected], ends, every)


def _layer(plan: DelayedPlan, tensors: Sequence[Tensor | None], needed: Sequence[bool]) -> DelayedLayer:
    detached = [None if x is None else x.detach() for x in tensors]
    count = plan.traced.currents
    inputs = tuple(x.contiguous() for x in detached[:count] if x is not None)
    weight, bias, recurrent, recurrent_bias, previous, _, in_flight, *rest = detached[count:]
    assert previous is not None and in_flight is not None
    size = previous.shape[1]
    bias_sum = previous.new_zeros(size)
    for part in (bias, recurrent_bias):
        if part is not None:
            bias_sum += part
    states = len(plan.traced.states)
    incoming, own = (
        _rows(matrix, delays, plan.training and need, previous)
        for matrix, delays, need in (
            (weight, plan.delays, needed[count]),
            (recurrent, plan.own_delays, needed[count + 2]),
        )
    )
    return DelayedLayer(
        traced=plan.traced,
        module=kernels.load(source(plan.traced), plan.traced.title),
        steps=inputs[0].shape[0],
        batch=inputs[0].shape[1],
        size=size,
        depth=plan.depth,
        detach_every=plan.detach_every,
        checkpoint_every=plan.checkpoint_every,
        record=plan.record,
        return_output=plan.return_output,
        training=plan.training,
        inputs=inputs,
        projected=weight is not None,
        incoming=incoming,
        own=own,
        bias=bias_sum,
        previous=previous,
        in_flight=in_flight,
        states=tuple(x for x in rest[:states] if x is not None),
        drives=tuple(x.contiguous() for x in rest[states:] if x is not None),
    )


def _forward(layer: DelayedLayer) -> tuple:
    """Run all blocks; ``saved`` has the segments of each block, for ``_backward``."""
    shape = (layer.steps, layer.batch, layer.size)
    output = buffer_pool.empty(*shape, dtype=layer.dtype) if layer.return_output else None
    records = [buffer_pool.empty(*shape, dtype=layer.dtype) for _ in layer.record]
    mean = torch.empty(shape[1:], dtype=layer.dtype)
    last = torch.empty(layer.in_flight.shape, dtype=layer.dtype)
    finals = [torch.empty(shape[1:], dtype=layer.dtype) for _ in layer.states]
    save = layer.training and not layer.checkpoint_every

    def run_block(number: int) -> list[Segment]:
        block = DelayedBlock(layer, *layer.blocks[number])
        now, in_flight = block.start()
        total = block.zeros(1, layer.width)
        saved = []
        for begin, end in layer.segments:
            segment = block.run_segment(begin, end, now, in_flight, total, output, records, save)
            if layer.training:
                saved.append(segment if save else segment._replace(currents=in_flight))
            in_flight = segment.currents[-layer.depth :].clone()
        block.samples(total.div_(layer.steps), mean[None])
        block.samples(in_flight, last)
        for state, final in zip(now, finals, strict=False):
            block.samples(state, final[None])
        return saved

    saved = workers.run_each(run_block, len(layer.blocks))
    return output, mean, last, finals, records, saved


def _backward(
    layer: DelayedLayer,
    saved: list[list[Segment]],
    gradients: tuple[Tensor | None, ...],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """Gradients of all tensors that the layer was given, in their order."""
    incoming = _incoming(layer, gradients)
    outgoing = _outgoing(layer, needed)

    def reverse_block(number: int) -> list[np.ndarray]:
        block = BackwardDelayedBlock(layer, *layer.blocks[number], incoming, outgoing)
        for segment in reversed(saved[number]):
            if layer.checkpoint_every:
                now = [head.clone() for head in segment.heads]
                unused = block.zeros(1, layer.width)
                segment = block.run_segment(
                    segment.begin, segment.end, now, segment.currents, unused, None, [], save=True
                )
            block.reverse(segment)
        return block.finish().arrays()

    parts = zip(*workers.run_each(reverse_block, len(layer.blocks)), strict=True)
    weight, recurrent, bias, *drives = (np.sum(part, axis=0) for part in parts)
    count = len(layer.inputs)
    weights = (_matrix(layer, weight), _over_lanes(layer, bias), _matrix(layer, recurrent), _over_lanes(layer, bias))
    return [
        *outgoing.inputs,
        *(grad if need else None for grad, need in zip(weights, needed[count:], strict=False)),
        outgoing.previous,
        outgoing.probe,
        outgoing.in_flight,
        *outgoing.states,
        *(_over_lanes(layer, drive) for drive in drives),
    ]


def _incoming(layer: DelayedLayer, gradients: tuple[Tensor | None, ...]) -> Incoming:
    output, mean, last, *rest = gradients
    states = len(layer.states)
    zero = torch.zeros(layer.batch, layer.size, dtype=layer.dtype)
    return Incoming(
        None if output is None else output.contiguous(),
        zero if mean is None else mean / layer.steps,
        [None if record is None else record.contiguous() for record in rest[states:]],
        [zero if state is None else state for state in rest[:states]],
        torch.zeros_like(layer.in_flight) if last is None else last,
    )


def _outgoing(layer: DelayedLayer, needed: Sequence[bool]) -> Outgoing:
    """Room for the gradients; those of inputs and probe only where they are ``needed``."""
    dtype = layer.dtype
    probe = (
        buffer_pool.empty(layer.steps, layer.batch, layer.size, dtype=dtype)
        if needed[len(layer.inputs) + GIVEN.index("probe")]
        else None
    )
    return Outgoing(
        [
            buffer_pool.empty(*x.shape, dtype=dtype) if need else None
            for x, need in zip(layer.inputs, needed, strict=False)
        ],
        probe,
        torch.empty(layer.previous.shape, dtype=dtype),
        [torch.empty(state.shape, dtype=dtype) for state in layer.states],
        torch.empty(layer.in_flight.shape, dtype=dtype),
    )


def _matrix(layer: DelayedLayer, total: np.ndarray) -> Tensor:
    """[N, inputs] of a sum over samples that goes by input."""
    return torch.from_numpy(total.reshape(-1, layer.size)).t().to(layer.dtype).contiguous()


def _over_lanes(layer: DelayedLayer, total: np.ndarray) -> Tensor:
    """[..., N] of [..., N * LANES]."""
    return torch.from_numpy(total.reshape(*total.shape[:-1], layer.size, LANES).sum(-1)).to(layer.dtype)
