"""The fused scan on the GPU: Triton kernels printed from the same graphs as the CPU's, one layer at a time.

The projection of a layer is one product over all steps. Its recurrence happens inside the kernel: a program has all
neurons of some samples, or of a larger layer some neurons and one step. Every tensor has a leading axis of seeds.
Without a GPU the kernels run on CPU tensors in Triton's interpreter (``TRITON_INTERPRET=1``), which is how they are
tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lightning_modules.scan.gpu_plan import LayerPlan, interpreted
from lightning_modules.scan.trace import Traced
from lightning_modules.scan.triton_products import split


@dataclass
class LayerTensors:
    """The inputs of a layer's run, detached and contiguous."""

    inputs: list[Tensor]  # currents, [S, T, B, N]
    recurrent: Tensor | None  # [S, N, N]
    recurrent_bias: Tensor | None  # [S, N]
    previous: Tensor  # [S, B, N], output before the first step
    probe: Tensor | None  # [S, T, B, N]
    states: list[Tensor]  # [S, B, N], before the first step
    drives: list[Tensor]  # [S, 1 or T, N]

    @classmethod
    def of(cls, plan: LayerPlan, tensors: Sequence[Tensor | None]) -> LayerTensors:
        given = [None if tensor is None else tensor.detach().contiguous() for tensor in tensors]
        recurrent, recurrent_bias, previous, probe, *rest = given[plan.traced.currents :]
        assert previous is not None
        count = len(plan.traced.states)
        inputs = [x for x in given[: plan.traced.currents] if x is not None]
        states = [x for x in rest[:count] if x is not None]
        drives = [x for x in rest[count:] if x is not None]
        return cls(inputs, recurrent, recurrent_bias, previous, probe, states, drives)


@dataclass
class Segment:
    """What the backward pass needs of the steps ``begin`` to ``end``."""

    begin: int
    end: int
    states: list[Tensor]  # before the first step
    numbers: list[Tensor] = field(default_factory=list)  # [S, steps, B, N]
    bits: list[Tensor] = field(default_factory=list)  # [S, steps / 32, B, N], int32

    def allocate(self, plan: LayerPlan) -> None:
        """Make room for the saved values."""
        seeds, batch, size = self.states[0].shape
        steps = self.end - self.begin
        like = self.states[0]
        self.numbers = [like.new_empty(seeds, steps, batch, size) for _ in plan.saved.numbers]
        words = -(-steps // 32)
        self.bits = [like.new_empty(seeds, words, batch, size, dtype=torch.int32) for _ in plan.saved.bits]

    def tensors(self) -> list[Tensor]:
        return [*self.states, *self.numbers, *self.bits]


def run_layer(
    traced: Traced,
    inputs: tuple[Tensor, ...],
    recurrent: Tensor | None,
    recurrent_bias: Tensor | None,
    previous: Tensor,
    states: Sequence[Tensor],
    drives: Sequence[Tensor],
    record: tuple[int, ...],
    detach_every: int,
    checkpoint_every: int,
    probe: Tensor | None,
) -> tuple:
    """``(output, mean, states, records)`` of one layer, currents given, all differentiable.

    Every tensor has a leading axis of seeds: currents are [S, T, B, N], states [S, B, N], drives [S, 1 or T, N].
    """
    if inputs[0].device.type == "cpu" and not interpreted():
        raise ValueError("the gpu backend needs CUDA tensors (or TRITON_INTERPRET=1, for tests)")
    tensors = [*inputs, recurrent, recurrent_bias, previous, probe, *states, *drives]
    training = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    plan = LayerPlan(traced, record, detach_every, checkpoint_every, recurrent is not None, training)
    output, mean, *rest = _LayerFunction.apply(plan, *tensors)
    return output, mean, tuple(rest[: len(states)]), rest[len(states) :]


class _LayerFunction(torch.autograd.Function):
    """One layer over all steps."""

    @staticmethod
    def forward(ctx: Any, plan: LayerPlan, *tensors: Tensor | None) -> tuple:
        ctx.set_materialize_grads(False)
        given = LayerTensors.of(plan, tensors)
        run = _Forward(plan, given)
        segments = []
        states = given.states
        for begin, end in plan.segments(given.inputs[0].shape[1]):
            segment = Segment(begin, end, states)
            if plan.training and not plan.checkpoint_every:
                segment.allocate(plan)
            states = run.run_segment(segment)
            segments.append(segment)
        if plan.training:
            needed = range(len(tensors)) if plan.checkpoint_every else _needed(plan, len(tensors))
            ctx.plan = plan
            ctx.shape = given.inputs[0].shape
            ctx.spans = [(segment.begin, segment.end) for segment in segments]
            ctx.save_for_backward(
                *(tensor if i in needed else None for i, tensor in enumerate(tensors)),
                run.output if plan.recurrent else None,
                *(tensor for segment in segments for tensor in segment.tensors()),
            )
        run.total /= run.output.shape[1]
        return (run.output, run.total, *states, *run.records.values())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor | None, grad_mean: Tensor | None, *rest: Tensor | None) -> tuple:
        plan: LayerPlan = ctx.plan
        count = len(ctx.needs_input_grad) - 1
        tensors = list(ctx.saved_tensors[:count])
        output = ctx.saved_tensors[count]
        segments = _segments(plan, ctx.spans, ctx.saved_tensors[count + 1 :])
        like = tensors[plan.traced.currents + 2].new_empty(0)
        tensors[: plan.traced.currents] = [like if x is None else x for x in tensors[: plan.traced.currents]]
        given = LayerTensors.of(plan, tensors)
        backward = _Backward(plan, given, ctx.shape, ctx.needs_input_grad[plan.traced.currents + 4], grad_output, rest)
        if grad_mean is not None:
            backward.mean = (grad_mean / ctx.shape[1]).contiguous()
        again = _Forward(plan, given, output, True) if plan.checkpoint_every else None
        for segment in reversed(segments):
            if again is not None:
                segment.allocate(plan)
                again.run_segment(segment)
            backward.run_segment(segment)
            segment.numbers.clear()
            segment.bits.clear()
        recurrent, bias = backward.of_recurrent(output)
        drives = (total.sum(1) for total in backward.drive_sums)
        previous = backward.carry if plan.recurrent else None
        return (None, *backward.grads, recurrent, bias, previous, backward.probe, *backward.adjoints, *drives)


def _needed(plan: LayerPlan, count: int) -> set[int]:
    """Numbers of the tensors that the backward pass reads where nothing is computed again."""
    probe = plan.traced.currents + 3
    return {*plan.saved.currents, *range(plan.traced.currents, count)} - {probe}


def _segments(plan: LayerPlan, spans: Sequence[tuple[int, int]], tensors: Sequence[Tensor]) -> list[Segment]:
    """The segments whose tensors were saved one after another."""
    rest = iter(tensors)
    segments = []
    for begin, end in spans:
        segment = Segment(begin, end, [next(rest) for _ in plan.traced.states])
        if not plan.checkpoint_every:
            segment.numbers = [next(rest) for _ in plan.saved.numbers]
            segment.bits = [next(rest) for _ in plan.saved.bits]
        segments.append(segment)
    return segments


class _Forward:
    """A layer's way forward through time, segment by segment. Fills ``output``, ``total`` and ``records``."""

    def __init__(
        self, plan: LayerPlan, given: LayerTensors, output: Tensor | None = None, is_again: bool = False
    ) -> None:
        """``is_again``: the layer's ``output`` is known (a feedforward layer needs none), only values are saved."""
        first = given.inputs[0]
        self.plan = plan
        self.given = given
        self.is_again = is_again
        self.tile = plan.tile(first.shape[3], given.drives)
        self.options = plan.options(self.tile)
        self.matrix = None
        if given.recurrent is not None:
            self.matrix = _matrix(given.recurrent.transpose(1, 2), self.tile.padded)
        if is_again:
            self.output = first if output is None else output
            self.total = given.previous
            self.records: dict[int, Tensor] = {}
        else:
            self.output = torch.empty_like(first)
            self.total = torch.zeros_like(first[:, 0])
            self.records = {k: torch.empty_like(first) for k in plan.record}

    def run_segment(self, segment: Segment) -> list[Tensor]:
        """Run the steps of ``segment``, fill what it has room for, and return the states after it."""
        states = segment.states
        last = [torch.empty_like(state) for state in states]
        parts = None
        if self.given.recurrent is not None:
            previous = self.output[:, segment.begin - 1] if segment.begin else self.given.previous
            parts = torch.bmm(previous, self.given.recurrent.transpose(1, 2))
        for begin, end in self.plan.launches(segment.begin, segment.end, self.output.shape[3]):
            self._launch(segment, begin, end, states, last, parts)
            states = last
        return last

    def _launch(
        self,
        segment: Segment,
        begin: int,
        end: int,
        states: list[Tensor],
        last: list[Tensor],
        parts: Tensor | None,
    ) -> None:
        seeds, steps, batch, size = self.output.shape
        empty = self.total
        arguments: list[Any] = [x[:, begin:] for x in self.given.inputs]
        for drive in self.given.drives:
            arguments += [drive, int(drive.shape[1] > 1)]
        for k, state in enumerate(states):
            record = self.records.get(k)
            arguments += [state, last[k], empty if record is None else record[:, begin:], record is not None]
        saves = bool(segment.numbers or segment.bits)
        arguments += segment.numbers if saves else [empty] * len(self.plan.saved.numbers)
        arguments += segment.bits if saves else [_no_bits(empty)] * len(self.plan.saved.bits)
        arguments += [self.output[:, begin:], self.total]
        if self.plan.recurrent:
            bias = self.given.recurrent_bias
            arguments += [empty.new_zeros(seeds, size) if bias is None else bias]
            arguments += [self.matrix, int(begin == segment.begin), parts]
        saved_steps = segment.end - segment.begin
        arguments += [end - begin, begin, begin - segment.begin, steps, saved_steps, batch, size]
        self.plan.module.forward[self.tile.grid(seeds, batch, size)](
            *arguments, SAVE=saves, AGAIN=self.is_again, **self.options
        )


class _Backward:
    """Gradients of one layer, segment by segment, last segment first.

    Written: ``grads`` of the currents, ``adjoints`` of the states, ``carry`` of the previous output, ``probe`` and
    ``drive_sums``, [S, programs, 1 or T, N].
    """

    def __init__(
        self,
        plan: LayerPlan,
        given: LayerTensors,
        shape: torch.Size,
        probed: bool,
        grad_output: Tensor | None,
        rest: Sequence[Tensor | None],
    ) -> None:
        """``shape`` is [S, T, B, N]; ``rest``: the gradients of the last states and of the records."""
        seeds, _, batch, size = shape
        zeros = given.previous.new_zeros(seeds, batch, size)
        count = len(plan.traced.states)
        self.plan = plan
        self.given = given
        self.shape = shape
        self.tile = plan.tile(size, given.drives)
        self.options = plan.options(self.tile)
        self.matrix = None if given.recurrent is None else _matrix(given.recurrent, self.tile.padded)
        self.output = None if grad_output is None else grad_output.contiguous()
        self.mean = zeros
        self.records = {
            k: None if grad is None else grad.contiguous() for k, grad in zip(plan.record, rest[count:], strict=True)
        }
        self.grads = [zeros.new_empty(shape) for _ in range(plan.traced.currents)]
        self.adjoints = [
            torch.zeros_like(zeros) if grad is None else grad.clone(memory_format=torch.contiguous_format)
            for grad in rest[:count]
        ]
        self.carry = torch.zeros_like(zeros)
        self.probe = zeros.new_empty(shape) if probed else None
        programs = self.tile.grid(seeds, batch, size)[0]
        self.drive_sums = [drive.new_zeros(seeds, programs, drive.shape[1], size) for drive in given.drives]

    def run_segment(self, segment: Segment) -> None:
        """Run back over the steps of ``segment``."""
        for begin, end in reversed(self.plan.launches(segment.begin, segment.end, self.shape[3])):
            self._launch(segment, begin, end)
        detach = self.plan.detach_every
        if self.plan.recurrent and not (detach and segment.begin and segment.begin % detach == 0):
            assert self.given.recurrent is not None
            self.carry = torch.bmm(self.grads[0][:, segment.begin], self.given.recurrent)
        else:
            self.carry = torch.zeros_like(self.carry)

    def _launch(self, segment: Segment, begin: int, end: int) -> None:
        seeds, steps, batch, size = self.shape
        empty = self.mean
        arguments: list[Any] = []
        for i, (current, grad) in enumerate(zip(self.given.inputs, self.grads, strict=True)):
            arguments += [current[:, begin:] if i in self.plan.saved.currents else empty, grad[:, begin:]]
        for drive, total in zip(self.given.drives, self.drive_sums, strict=True):
            arguments += [drive, int(drive.shape[1] > 1), total]
        for k, (state, adjoint) in enumerate(zip(segment.states, self.adjoints, strict=True)):
            record = self.records.get(k)
            arguments += [state, adjoint, empty if record is None else record[:, begin:], record is not None]
        arguments += [*segment.numbers, *segment.bits]
        arguments += [empty if self.output is None else self.output[:, begin:], self.output is not None, self.mean]
        arguments += [empty if self.probe is None else self.probe[:, begin:], self.probe is not None]
        if self.plan.recurrent:
            arguments += [self.matrix, int(end == segment.end), self.carry]
        saved_steps = segment.end - segment.begin
        arguments += [self.plan.detach_every, end - begin, begin, begin - segment.begin]
        arguments += [steps, saved_steps, batch, size]
        self.plan.module.backward[self.tile.grid(seeds, batch, size)](*arguments, **self.options)

    def of_recurrent(self, output: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Gradients of the recurrent weights and their bias, from the layer's ``output`` [S, T, B, N]."""
        if output is None:
            return None, None
        previous = torch.cat([self.given.previous[:, None], output[:, :-1]], 1).flatten(1, 2)
        grad = self.grads[0].flatten(1, 2)
        return torch.bmm(grad.transpose(1, 2), previous), None if self.given.recurrent_bias is None else grad.sum(1)


def _matrix(recurrent: Tensor, padded: int) -> Tensor:
    return split(recurrent, padded, torch.float32 if interpreted() else torch.bfloat16)


def _no_bits(like: Tensor) -> Tensor:
    return like.new_empty(1, dtype=torch.int32)
