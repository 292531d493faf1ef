"""The fused scan on the GPU: Triton kernels printed from the same graphs as the CPU's, one layer at a time.

The projection of a layer is one product over all steps; its recurrence happens inside the kernel, a block of the batch
per program. Without a GPU the kernels run on CPU tensors in Triton's interpreter (``TRITON_INTERPRET=1``), which is how
they are tested.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from lightning_modules.scan import kernels
from lightning_modules.scan.trace import Traced
from lightning_modules.scan.triton_printer import source


class LayerPlan(NamedTuple):
    """The settings of a run of one layer: all that is no tensor."""

    traced: Traced
    module: Any
    record: tuple[int, ...]
    detach_every: int
    checkpoint_every: int
    recurrent: bool
    training: bool

    def segments(self, steps: int) -> list[tuple[int, int]]:
        every = self.checkpoint_every or steps
        return [(t, min(t + every, steps)) for t in range(0, steps, every)]

    def tiling(self, batch: int, size: int) -> tuple[tuple[int, int], dict[str, Any]]:
        """(programs, sizes of a tile). A recurrent program needs all neurons, and 16 samples for the matrix unit."""
        power = max(16, 1 << (size - 1).bit_length())
        rows, columns = (16, power) if self.recurrent else (4, min(power, 64))
        real = kernels.triton_type(self.traced.dtype)
        tile = {"BB": rows, "BN": columns, "BK": min(power, 32), "real": real}
        if not interpreted():
            tile["enable_fp_fusion"] = False  # a fused multiply-add would decide some spikes differently from the loop
        return (-(-batch // rows), -(-size // columns)), tile


def interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


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
    """``(output, mean, states, records)`` of one layer, currents given, all differentiable."""
    if inputs[0].device.type == "cpu" and not interpreted():
        raise ValueError("the gpu backend needs CUDA tensors (or TRITON_INTERPRET=1, for tests)")
    tensors = [*inputs, recurrent, recurrent_bias, previous, probe, *states, *drives]
    training = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    module = kernels.load(source(traced), traced.title)
    plan = LayerPlan(traced, module, record, detach_every, checkpoint_every, recurrent is not None, training)
    output, mean, *rest = _LayerFunction.apply(plan, *tensors)
    return output, mean, tuple(rest[: len(states)]), rest[len(states) :]


def project(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    return x if weight is None else functional.linear(x, weight, bias)


class _LayerFunction(torch.autograd.Function):
    """One layer over all steps."""

    @staticmethod
    def forward(ctx: Any, plan: LayerPlan, *tensors: Tensor | None) -> tuple:
        ctx.set_materialize_grads(False)
        ctx.plan = plan
        parts = _parts(plan, tensors)
        first = parts["inputs"][0]
        states = [state.contiguous() for state in parts["states"]]
        steps = first.shape[0]
        output = torch.empty_like(first)
        mean = torch.zeros_like(first[0])
        current = torch.empty_like(first) if plan.recurrent else first  # with the recurrent part
        saves_series = bool(plan.record) or (plan.training and not plan.checkpoint_every)
        series = [torch.empty_like(first) for _ in states] if saves_series else []  # states before each step
        segment_states = []
        for begin, end in plan.segments(steps):
            segment_states.append(states)
            previous = parts["previous"] if begin == 0 else output[begin - 1]
            time = slice(begin, end)
            states = _run_segment(
                plan,
                parts,
                time,
                states,
                [states_over_time[time] for states_over_time in series],
                output[time],
                mean,
                current[time],
                previous,
            )
        mean /= steps
        # a state recorded after step t is the state before step t + 1
        records = [torch.cat([series[k][1:], states[k][None]]) for k in plan.record]
        if plan.training:
            ctx.save_for_backward(*tensors, output)
            ctx.saved = (segment_states, [] if plan.checkpoint_every else series, current)
        return (output, mean, *(state.clone() for state in states), *records)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor | None, grad_mean: Tensor | None, *rest: Tensor | None) -> tuple:
        plan: LayerPlan = ctx.plan
        *tensors, output = ctx.saved_tensors
        parts = _parts(plan, tensors)
        segment_states, series, current = ctx.saved
        inputs = parts["inputs"]
        count = len(plan.traced.states)
        steps, batch, size = inputs[0].shape
        like = inputs[0][0]
        backward = _Backward(
            plan,
            parts,
            currents=[current, *inputs[1:]],
            grads=[torch.empty_like(x) for x in inputs],
            adjoints=[
                torch.zeros_like(like) if grad is None else grad.clone(memory_format=torch.contiguous_format)
                for grad in rest[:count]
            ],
            records=dict(zip(plan.record, rest[count:], strict=True)),
            output=None if grad_output is None else grad_output.contiguous(),
            mean=torch.zeros_like(like) if grad_mean is None else (grad_mean / steps).contiguous(),
            carry=torch.zeros_like(like),
            probe=torch.empty_like(inputs[0]) if parts["probe"] is not None else None,
            drive_sums=[
                drive.new_zeros(plan.tiling(batch, size)[0][0], drive.shape[0], size) for drive in parts["drives"]
            ],
        )
        for (begin, end), states in reversed(list(zip(plan.segments(steps), segment_states, strict=True))):
            time = slice(begin, end)
            saved = [states_over_time[time] for states_over_time in series]
            if not saved:
                saved = [torch.empty_like(inputs[0][time]) for _ in states]
                previous = parts["previous"] if begin == 0 else output[begin - 1]
                unused = (torch.empty_like(output[time]), torch.zeros_like(like))
                _run_segment(plan, parts, time, states, saved, *unused, current[time], previous)
            backward.run_segment(time, saved)
        recurrent = None
        bias = None
        if plan.recurrent:
            previous_outputs = torch.cat([parts["previous"][None], output[:-1]]).flatten(0, 1)
            recurrent = backward.grads[0].flatten(0, 1).t() @ previous_outputs
            bias = backward.grads[0].sum((0, 1)) if parts["recurrent_bias"] is not None else None
        drives = (total.sum(0) for total in backward.drive_sums)
        return (None, *backward.grads, recurrent, bias, backward.carry, backward.probe, *backward.adjoints, *drives)


class _Backward(NamedTuple):
    """Gradients of one layer, segment by segment, last segment first.

    Coming in: ``records`` by number of the state, ``output`` and ``mean``. Written: ``grads`` of the currents,
    ``adjoints`` of the states, ``carry`` of the previous output, ``probe`` and ``drive_sums``.
    """

    plan: LayerPlan
    parts: dict[str, Any]
    currents: list[Tensor]
    grads: list[Tensor]
    adjoints: list[Tensor]
    records: dict[int, Tensor | None]
    output: Tensor | None
    mean: Tensor
    carry: Tensor
    probe: Tensor | None
    drive_sums: list[Tensor]

    def run_segment(self, time: slice, states: list[Tensor]) -> None:
        """Run back over ``time``, given the ``states`` before each of its steps."""
        steps, batch, size = self.currents[0].shape
        empty = self.mean.new_empty(1)
        arguments: list[Any] = []
        for current, grad in zip(self.currents, self.grads, strict=True):
            arguments += [current[time], grad[time]]
        for drive, total in zip(self.parts["drives"], self.drive_sums, strict=True):
            arguments += [drive, int(drive.shape[0] > 1), total]
        for k, (state, adjoint) in enumerate(zip(states, self.adjoints, strict=True)):
            record = self.records.get(k)
            joined = empty if record is None else record[time].contiguous()
            arguments += [state, adjoint, joined, record is not None]
        arguments += [empty if self.output is None else self.output[time], self.output is not None, self.mean]
        arguments += [empty if self.probe is None else self.probe[time], self.probe is not None, self.carry]
        matrix = self.parts["recurrent"].contiguous() if self.plan.recurrent else empty
        arguments += [matrix, self.plan.detach_every, time.stop - time.start, time.start, steps, batch, size]
        grid, tile = self.plan.tiling(batch, size)
        self.plan.module.backward[grid](*arguments, RECURRENT=self.plan.recurrent, **tile)


def _parts(plan: LayerPlan, tensors: Sequence[Tensor | None]) -> dict[str, Any]:
    """The inputs of ``_LayerFunction`` by name, detached."""
    detached = [None if tensor is None else tensor.detach() for tensor in tensors]
    inputs = [x for x in detached[: plan.traced.currents] if x is not None]
    recurrent, recurrent_bias, previous, probe, *rest = detached[plan.traced.currents :]
    assert previous is not None
    count = len(plan.traced.states)
    return {
        "inputs": [x.contiguous() for x in inputs],
        "recurrent": recurrent,
        "recurrent_bias": recurrent_bias,
        "previous": previous.contiguous(),
        "probe": probe,
        "states": rest[:count],
        "drives": [drive.contiguous() for drive in rest[count:] if drive is not None],
    }


def _run_segment(
    plan: LayerPlan,
    parts: dict[str, Any],
    time: slice,
    states: list[Tensor],
    series: list[Tensor],
    output: Tensor,
    total: Tensor,
    current: Tensor,
    previous: Tensor,
) -> list[Tensor]:
    """Run the steps of ``time`` from ``states``, and return the states after them.

    Fills ``series`` (the states before each step), ``output`` and ``current``, and adds the outputs to ``total``.
    """
    _, batch, size = output.shape
    last = [torch.empty_like(state) for state in states]
    empty = total.new_zeros(size)
    arguments: list[Any] = [x[time] for x in parts["inputs"]]
    for drive in parts["drives"]:
        arguments += [drive, int(drive.shape[0] > 1)]
    for k, state in enumerate(states):
        arguments += [state, last[k], series[k] if series else empty]
    matrix = parts["recurrent"]
    bias = parts["recurrent_bias"]
    arguments += [output, total, current, previous, empty if matrix is None else matrix.t().contiguous()]
    arguments += [empty if bias is None else bias.contiguous()]
    grid, tile = plan.tiling(batch, size)
    steps = time.stop - time.start
    plan.module.forward[grid](
        *arguments, steps, time.start, batch, size, SAVE=bool(series), RECURRENT=plan.recurrent, **tile
    )
    return last
