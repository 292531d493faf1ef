"""The fused scan of a stack as one autograd ``Function``, and the preparation of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import repeat
from types import ModuleType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lightning_modules.neurons.base import Neuron
from lightning_modules.scan import cpu, kernels
from lightning_modules.scan.event_input import EventInput
from lightning_modules.scan.event_products import pays
from lightning_modules.scan.narrow_products import fits_registers
from lightning_modules.scan.numba_printer import source
from lightning_modules.scan.plan import Layer, StackPlan
from lightning_modules.scan.trace import NotFusable, Traced, trace

HEAVY_WEIGHTS = 1 << 19  # weights of a stack from which on there are few blocks
_traced: WeakKeyDictionary[Neuron, dict[tuple, Traced | NotFusable]] = WeakKeyDictionary()


class Dense(NamedTuple):
    """A layer of a stack: ``x @ weight.T + bias`` into ``neuron``, and ``recurrent`` from its own previous output."""

    neuron: Neuron
    weight: Tensor | None = None  # [N, inputs]; None: x is the current
    bias: Tensor | None = None  # [N]
    recurrent: Tensor | None = None  # [N, N]
    recurrent_bias: Tensor | None = None  # [N]
    state: tuple | None = None  # before the first step, [B, N] each
    previous: Tensor | None = None  # output before the first step, [B, N]
    delays: Tensor | None = None  # integers [N, inputs]: the steps that each synapse acts late, 0 to depth - 1
    recurrent_delays: Tensor | None = None  # integers [N, N], in addition to the one step of the recurrence
    depth: int | None = None  # None: the largest delay and one
    in_flight: Tensor | None = None  # [depth, B, N], currents of earlier spikes that arrive at the first steps

    @property
    def delayed(self) -> bool:
        """Whether synapses have delays."""
        return self.delays is not None or self.recurrent_delays is not None

    @property
    def flight_steps(self) -> int:
        """``depth``, or what it is by default."""
        if self.depth is not None:
            return self.depth
        return max(int(part.max()) for part in (self.delays, self.recurrent_delays) if part is not None) + 1


class Options(NamedTuple):
    """Options of a run, the same for all layers."""

    output: bool = True
    record: tuple[str, ...] = ()
    detach_every: int | None = None
    checkpoint_every: int | None = None


def traced_step(neuron: Neuron, drives: Sequence[str], dtype: torch.dtype) -> Traced:
    """``neuron.step`` traced, once for each Config, mode and set of drives. Raises ``NotFusable``."""
    key = (repr(neuron.config), neuron.training, tuple(drives), dtype)
    steps = _traced.setdefault(neuron, {})
    if key not in steps:
        try:
            steps[key] = trace(neuron, drives, dtype)
        except NotFusable as error:
            steps[key] = error
    step = steps[key]
    if isinstance(step, NotFusable):
        raise step
    return step


@cache
def _module(step: Traced) -> ModuleType:
    """The kernels of a step; printing them takes as long as several calls."""
    return kernels.load(source(step), step.title)


def drive_rows(neuron: Neuron, steps: int) -> dict[str, Tensor]:
    """The neuron's drive as [1, N] or [T, N] tensors.

    Raises ``ValueError`` for a shape that is none of [], [N], [T, 1], [T, N].
    """
    rows = {}
    for name, value in neuron.drive(steps).items():
        shape = tuple(value.shape)
        if shape not in ((), (neuron.size,), (steps, 1), (steps, neuron.size)):
            raise ValueError(
                f"{neuron.name}: drive {name!r} has shape {list(shape)}, not [], [N], [T, 1] or [T, N] with N "
                f"= {neuron.size}"
            )
        rows[name] = value.expand(steps if len(shape) == 2 else 1, neuron.size)
    return rows


def run_fused(
    layers: Sequence[Dense],
    inputs: tuple[Tensor, ...],
    options: Options,
    probe: Tensor | None = None,
    events: EventInput | None = None,
) -> tuple:
    """``(output or None, means, states, recorded)`` of a stack; raises ``NotFusable`` before anything has run.

    With ``events`` the only input is a placeholder of their shape.
    """
    if events is not None and not pays(layers[0].weight, events.shape[2]):
        inputs = (events.dense(),)
        events = None
    steps, batch = inputs[0].shape[:2]
    traced = []
    flat: list[Tensor | None] = []
    for layer in layers:
        drives = drive_rows(layer.neuron, steps)
        traced.append(traced_step(layer.neuron, tuple(drives), inputs[0].dtype))
        state, previous = start(layer, batch, inputs[0])
        flat += [layer.weight, layer.bias, layer.recurrent, layer.recurrent_bias, previous, *state, *drives.values()]
    state_names = traced[-1].states
    tensors = [*inputs, probe, *flat]
    plan = StackPlan(
        steps=steps,
        batch=batch,
        detach_every=options.detach_every or 0,
        checkpoint_every=options.checkpoint_every or 0,
        return_output=options.output,
        record=tuple(state_names.index(name) for name in options.record),
        training=torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors),
        traced=traced,
        modules=[_module(step) for step in traced],
        widest=max(layer.neuron.size for layer in layers),
        heavy=sum(layer.weight.numel() for layer in layers if layer.weight is not None) > HEAVY_WEIGHTS,
        light=all(x.recurrent is None and (x.weight is None or fits_registers(x.weight)) for x in layers),
        in_place=len(layers) == 1 and layers[0].weight is None and layers[0].recurrent is None,
        events=events,
    )
    results = iter(_StackFunction.apply(plan, len(inputs), *tensors))
    output = next(results)
    means = [next(results) for _ in layers]
    states = [
        layer.neuron.State(*(next(results) for _ in step.states)) for layer, step in zip(layers, traced, strict=True)
    ]
    return output, means, states, {name: next(results) for name in options.record}


def start(layer: Dense, batch: int, like: Tensor) -> tuple[tuple, Tensor]:
    """State and output of ``layer`` before the first step."""
    state = layer.neuron.initial_state(batch, like) if layer.state is None else layer.state
    previous = like.new_zeros(batch, layer.neuron.size) if layer.previous is None else layer.previous
    return state, previous


def _unpack(plan: StackPlan, flat: Sequence[Any]) -> list[tuple[dict[str, Any], list, list]]:
    """Each layer's share of a flat list, as (weights and previous by name, states, drives)."""
    rest = iter(flat)
    return [
        (
            {name: next(rest) for name in (*cpu.WEIGHTS, "previous")},
            [next(rest) for _ in step.states],
            [next(rest) for _ in step.drives],
        )
        for step in plan.traced
    ]


def _layers(plan: StackPlan, count: int, tensors: Sequence[Tensor | None]) -> tuple[list[Layer], tuple[Tensor, ...]]:
    """Layers and ``count`` inputs from the flat list of tensors, detached."""
    detached = [None if tensor is None else tensor.detach() for tensor in tensors]
    layers = [
        Layer(step, module, **weights, states=tuple(states), drives=tuple(drives))
        for step, module, (weights, states, drives) in zip(
            plan.traced, plan.modules, _unpack(plan, detached[count + 1 :]), strict=True
        )
    ]
    inputs = [x for x in detached[:count] if x is not None]
    return layers, tuple(x if plan.events is not None else x.contiguous() for x in inputs)


class _StackFunction(torch.autograd.Function):
    """All layers, all steps.

    Inputs: currents or x, the probe, then each layer's weights, previous output, states and drives.
    """

    @staticmethod
    def forward(ctx: Any, plan: StackPlan, count: int, *tensors: Tensor | None) -> tuple:
        ctx.set_materialize_grads(False)
        ctx.plan = plan
        ctx.count = count
        layers, inputs = _layers(plan, count, tensors)
        output, means, finals, records, saved = cpu.forward(plan, layers, inputs)
        if plan.training:
            in_segments = [tensor for block in saved for segment in block for tensor in segment.tensors()]
            ctx.save_for_backward(*tensors, *in_segments)
            # autograd holds the tensors; here only their places stay
            ctx.saved_segments = [[segment.with_tensors(repeat(...)) for segment in block] for block in saved]
        return (output, *means, *(state for final in finals for state in final), *records)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple:
        plan = ctx.plan
        count = ctx.count
        saved = ctx.saved_tensors
        argument_count = (
            count + 1 + sum(len(cpu.WEIGHTS) + 1 + len(step.states) + len(step.drives) for step in plan.traced)
        )
        layers, inputs = _layers(plan, count, saved[:argument_count])
        in_segments = iter(saved[argument_count:])
        segments = [[segment.with_tensors(in_segments) for segment in block] for block in ctx.saved_segments]
        rest = iter(gradients)
        output = next(rest)
        means = [next(rest) for _ in layers]
        finals = [[next(rest) for _ in layer.states] for layer in layers]
        incoming = (output, means, finals, list(rest))
        needs_grad = ctx.needs_input_grad[2:]
        needed = [weights for weights, _, _ in _unpack(plan, needs_grad[count + 1 :])]
        sums, input_grads, probe = cpu.backward(
            plan, layers, inputs, segments, incoming, needed, needs_grad[: count + 1]
        )
        flat: list[Tensor | None] = []
        for grad in sums:
            flat += [grad.weight, grad.bias, grad.recurrent, grad.recurrent_bias, grad.previous]
            flat += [*grad.states, *grad.drives]
        return (None, None, *input_grads, probe, *flat)
