"""Joins the walk to autograd: what goes in and out of the one ``Function`` behind every fused scan."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lightning_modules.neurons.base import Neuron
from lightning_modules.scan import cpu, gpu, kernels
from lightning_modules.scan.event_input import EventInput
from lightning_modules.scan.printer import source
from lightning_modules.scan.run import Layer, Run
from lightning_modules.scan.trace import NotFusable, Traced, trace
from lightning_modules.scan.walk import pays

HEAVY = 1 << 19  # weights of a stack
_traced: WeakKeyDictionary[Neuron, dict[tuple, Traced | NotFusable]] = WeakKeyDictionary()


class Dense(NamedTuple):
    """A layer of a stack: ``x @ weight.T + bias`` into ``neuron``, and ``recurrent`` from its own output of the step
    before."""

    neuron: Neuron
    weight: Tensor | None = None  # [N, inputs]; None: x is the current
    bias: Tensor | None = None  # [N]
    recurrent: Tensor | None = None  # [N, N]
    recurrent_bias: Tensor | None = None  # [N]
    state: tuple | None = None  # before the first step, [B, N] each
    previous: Tensor | None = None  # output before the first step, [B, N]


class Options(NamedTuple):
    """How to run, whatever the layers."""

    output: bool = True
    record: tuple[str, ...] = ()
    detach_every: int | None = None
    checkpoint_every: int | None = None


def traced_step(neuron: Neuron, drives: Sequence[str], dtype: torch.dtype) -> Traced:
    """``neuron.step`` traced, from memory if its Config, mode and drives are those of an earlier call. Raises
    ``NotFusable``."""
    key = (repr(neuron.config), neuron.training, tuple(drives), dtype)
    known = _traced.setdefault(neuron, {})
    if key not in known:
        try:
            known[key] = trace(neuron, drives, dtype)
        except NotFusable as error:
            known[key] = error
    found = known[key]
    if isinstance(found, NotFusable):
        raise found
    return found


def drive_rows(neuron: Neuron, steps: int) -> dict[str, Tensor]:
    """The neuron's drive as [1, N] or [T, N] tensors. Raises ``ValueError`` for a shape that is none of [], [N], [T,
    1], [T, N]."""
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

    With ``events`` the one input is only a tensor of their shape.
    """
    if events is not None and not pays(layers[0].weight, events.shape[2]):
        inputs = (events.dense(),)
        events = None
    (steps, batch) = inputs[0].shape[:2]
    dtype = inputs[0].dtype
    traced = []
    flat = []
    for layer in layers:
        drives = drive_rows(layer.neuron, steps)
        traced.append(traced_step(layer.neuron, tuple(drives), dtype))
        like = inputs[0]
        state = layer.neuron.initial_state(batch, like) if layer.state is None else layer.state
        previous = like.new_zeros(batch, layer.neuron.size) if layer.previous is None else layer.previous
        flat += [layer.weight, layer.bias, layer.recurrent, layer.recurrent_bias, previous, *state, *drives.values()]
    modules = [kernels.load(source(t), t.title) for t in traced]
    names = layers[-1].neuron.State._fields  # type: ignore[attr-defined]
    tensors = [*inputs, probe, *flat]
    run = Run(
        steps, batch, options.detach_every or 0, options.checkpoint_every or 0, options.output,
        tuple(names.index(name) for name in options.record),
        torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors),
        traced, modules, max(layer.neuron.size for layer in layers),
        sum(layer.weight.numel() for layer in layers if layer.weight is not None) > HEAVY, events,
    )  # fmt: skip
    out = iter(_Walk.apply(run, len(inputs), *tensors))
    output = next(out)
    means = [next(out) for _ in layers]
    states = [layer.neuron.State(*(next(out) for _ in t.states)) for layer, t in zip(layers, traced, strict=True)]
    return output, means, states, {name: next(out) for name in options.record}


def run_gpu(
    layers: Sequence[Dense], inputs: tuple[Tensor, ...], options: Options, probe: Tensor | None = None
) -> tuple:
    """The same as ``run_fused`` by Triton kernels, layer by layer."""
    (steps, batch) = inputs[0].shape[:2]
    dtype = inputs[0].dtype
    drives = [drive_rows(layer.neuron, steps) for layer in layers]
    traced = [traced_step(layer.neuron, tuple(drive), dtype) for layer, drive in zip(layers, drives, strict=True)]
    means = []
    finals = []
    for i, (layer, t, drive) in enumerate(zip(layers, traced, drives, strict=True)):
        last = i == len(layers) - 1
        inputs = (gpu.project(inputs[0], layer.weight, layer.bias), *inputs[1:])
        state = layer.neuron.initial_state(batch, inputs[0]) if layer.state is None else layer.state
        previous = inputs[0].new_zeros(batch, layer.neuron.size) if layer.previous is None else layer.previous
        output, mean, final, records = gpu.run_layer(
            t, inputs, layer.recurrent, layer.recurrent_bias, previous, state, tuple(drive.values()),
            tuple(t.states.index(name) for name in options.record) if last else (),
            options.detach_every or 0, options.checkpoint_every or 0, probe if last else None,
        )  # fmt: skip
        inputs = (output,)
        means.append(mean)
        finals.append(layer.neuron.State(*final))
    return (output if options.output else None), means, finals, dict(zip(options.record, records, strict=True))


def _unpack(run: Run, flat: Sequence[Any]) -> list[tuple[dict[str, Any], list, list]]:
    """Each layer's share of a flat list, as (weights and previous by name, states, drives)."""
    rest = iter(flat)
    return [
        (
            {name: next(rest) for name in (*cpu.WEIGHTS, "previous")},
            [next(rest) for _ in t.states],
            [next(rest) for _ in t.drives],
        )
        for t in run.traced
    ]


class _Walk(torch.autograd.Function):
    """All layers, all steps. Inputs: currents or x, the probe, then each layer's weights, previous output, states and
    drives."""

    @staticmethod
    def forward(ctx: Any, run: Run, count: int, *tensors: Tensor | None) -> tuple:
        ctx.set_materialize_grads(False)
        ctx.run = run
        ctx.count = count
        layers, inputs = _Walk.layers(run, count, tensors)
        output, means, finals, records, kept = cpu.forward(run, layers, inputs)
        if run.training:
            ctx.save_for_backward(*tensors, *(t for block in kept for segment in block for t in segment.tensors()))
            ctx.kept = [[segment.refilled(repeat(...)) for segment in block] for block in kept]
        return (output, *means, *(s for final in finals for s in final), *records)

    @staticmethod
    def layers(run: Run, count: int, tensors: Sequence[Tensor | None]) -> tuple[list[Layer], tuple[Tensor, ...]]:
        bare = [None if t is None else t.detach() for t in tensors]
        layers = [
            Layer(t, module, **named, states=tuple(states), drives=tuple(drives))
            for t, module, (named, states, drives) in zip(
                run.traced, run.modules, _unpack(run, bare[count + 1 :]), strict=True
            )
        ]
        return layers, tuple(x if run.events is not None else x.contiguous() for x in bare[:count])  # type: ignore[union-attr,misc]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple:
        run = ctx.run
        count = ctx.count
        saved = ctx.saved_tensors
        given = count + 1 + sum(len(cpu.WEIGHTS) + 1 + len(t.states) + len(t.drives) for t in run.traced)
        layers, inputs = _Walk.layers(run, count, saved[:given])
        held = iter(saved[given:])
        kept = [[segment.refilled(held) for segment in block] for block in ctx.kept]
        rest = iter(gradients)
        output = next(rest)
        means = [next(rest) for _ in layers]
        finals = [[next(rest) for _ in layer.states] for layer in layers]
        incoming = (output, means, finals, list(rest))
        needed = ctx.needs_input_grad[2:]
        needs = [named for named, _, _ in _unpack(run, needed[count + 1 :])]
        sums, below, probe = cpu.backward(run, layers, inputs, kept, incoming, needs, needed[: count + 1])
        flat = [
            g for s in sums for g in (s.weight, s.bias, s.recurrent, s.recurrent_bias, s.previous, *s.states, *s.drives)
        ]
        return (None, None, *below, probe, *flat)
