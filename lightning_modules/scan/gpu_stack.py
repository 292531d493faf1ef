"""A stack of layers on the GPU, for several seeds at once: weights with a leading axis, one launch for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from lightning_modules.scan import gpu
from lightning_modules.scan.constants import lift_constants
from lightning_modules.scan.fused import Dense, Options, drive_rows, start, traced_step
from lightning_modules.scan.trace import Traced


def run_gpu(
    stacks: Sequence[Sequence[Dense]],
    inputs: Sequence[tuple[Tensor, ...]],
    options: Options,
    probes: Sequence[Tensor | None],
) -> list[tuple]:
    """The same as ``run_fused`` for every seed, by Triton kernels, layer by layer.

    ``stacks``, ``inputs`` and ``probes`` have an entry for each seed; the layers of all stacks must be alike but for
    constants of their neurons.
    """
    steps, batch = inputs[0][0].shape[:2]
    like = inputs[0][0]
    last = len(stacks[0]) - 1
    places = [list(layers) for layers in zip(*stacks, strict=True)]
    traced = [_step(layers, steps, like) for layers in places]
    output: Tensor | None = None
    means = []
    finals = []
    for i, (layers, (step, drives)) in enumerate(zip(places, traced, strict=True)):
        xs = output if output is not None else [given[0] for given in inputs]
        currents = _currents(layers, xs, [given[1:] for given in inputs] if i == 0 else [])
        states, previous = zip(*(start(layer, batch, like) for layer in layers), strict=True)
        output, mean, final, records = gpu.run_layer(
            step,
            currents,
            _stack([layer.recurrent for layer in layers]),
            _stack([layer.recurrent_bias for layer in layers]),
            _required(previous),
            [_required(of_state) for of_state in zip(*states, strict=True)],
            [_required([rows[name] for rows in drives]) for name in step.drives],
            tuple(step.states.index(name) for name in options.record) if i == last else (),
            options.detach_every or 0,
            options.checkpoint_every or 0,
            _stack(probes) if i == last else None,
        )
        means.append(mean)
        finals.append(final)
    return [
        (
            output[seed] if options.output and output is not None else None,
            [mean[seed] for mean in means],
            [layer.neuron.State(*(state[seed] for state in final)) for layer, final in zip(stack, finals, strict=True)],
            {name: record[seed] for name, record in zip(options.record, records, strict=True)},
        )
        for seed, stack in enumerate(stacks)
    ]


def _step(layers: Sequence[Dense], steps: int, like: Tensor) -> tuple[Traced, list[dict[str, Tensor]]]:
    """The step of the neurons at one place of all stacks, and the rows of its drives for each."""
    drives = [drive_rows(layer.neuron, steps) for layer in layers]
    neurons = [layer.neuron for layer in layers]
    if len({repr(neuron.config) for neuron in neurons}) == 1:
        return traced_step(neurons[0], tuple(drives[0]), like.dtype), drives
    traced = [traced_step(neuron, tuple(rows), like.dtype) for neuron, rows in zip(neurons, drives, strict=True)]
    step, constants = lift_constants(traced)
    fixed = [{name: like.new_full((1, neurons[0].size), value) for name, value in of.items()} for of in constants]
    return step, [rows | more for rows, more in zip(drives, fixed, strict=True)]


def _stack(tensors: Sequence[Tensor | None]) -> Tensor | None:
    """The tensors of all seeds as one, [S, ...]; a view of a single one. Either all are given or none."""
    given = [tensor for tensor in tensors if tensor is not None]
    if not given:
        return None
    return given[0][None] if len(tensors) == 1 else torch.stack(given)


def _required(tensors: Sequence[Tensor]) -> Tensor:
    stacked = _stack(tensors)
    assert stacked is not None
    return stacked


def _currents(
    layers: Sequence[Dense], xs: Tensor | list[Tensor], others: Sequence[tuple[Tensor, ...]]
) -> tuple[Tensor, ...]:
    """The currents of a layer, [S, T, B, N] each; ``xs`` is its input, of all seeds together or of each."""
    weights = [layer.weight for layer in layers if layer.weight is not None]
    if not weights:
        first = xs if isinstance(xs, Tensor) else _required(xs)
        return (first, *(_required(of_all) for of_all in zip(*others, strict=True)))
    biases = [layer.bias for layer in layers if layer.bias is not None]
    if len(layers) == 1:
        return (functional.linear(xs[0], weights[0], biases[0] if biases else None)[None],)
    return (_Projection.apply(len(layers), bool(biases), *weights, *biases, *([xs] if isinstance(xs, Tensor) else xs)),)


class _Projection(torch.autograd.Function):
    """``x @ weight.T + bias`` of every seed, [S, T, B, N]: for each the very product that it has alone.

    A batched product may add up in another order and so decide a spike differently.
    """

    @staticmethod
    def forward(ctx: Any, seeds: int, biased: bool, *tensors: Tensor) -> Tensor:
        ctx.seeds = seeds
        ctx.biased = biased
        weights = tensors[:seeds]
        xs = _Projection._inputs(seeds, biased, tensors)
        ctx.save_for_backward(*tensors)
        currents = xs[0].new_empty(seeds, *xs[0].shape[:-1], weights[0].shape[0])
        for seed, (x, weight) in enumerate(zip(xs, weights, strict=True)):
            out = currents[seed].flatten(0, 1)
            if biased:
                torch.addmm(tensors[seeds + seed], x.flatten(0, 1), weight.t(), out=out)
            else:
                torch.mm(x.flatten(0, 1), weight.t(), out=out)
        return currents

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        seeds = ctx.seeds
        tensors = ctx.saved_tensors
        xs = _Projection._inputs(seeds, ctx.biased, tensors)
        grads = [grad[seed].flatten(0, 1) for seed in range(seeds)]
        first_x = seeds * (2 if ctx.biased else 1)
        of_weights = [g.t() @ x.flatten(0, 1) for g, x in zip(grads, xs, strict=True)]
        of_biases = [g.sum(0) for g in grads] if ctx.biased else []
        of_xs: list[Tensor | None] = [None] * (len(tensors) - first_x)
        if any(ctx.needs_input_grad[2 + first_x :]):
            every = xs[0].new_empty(seeds, *xs[0].shape)
            for seed, g in enumerate(grads):
                torch.mm(g, tensors[seed], out=every[seed].flatten(0, 1))
            of_xs = [every] if len(of_xs) < seeds else list(every)
        return (None, None, *of_weights, *of_biases, *of_xs)

    @staticmethod
    def _inputs(seeds: int, biased: bool, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The input of each seed, from one tensor for all or from one for each."""
        xs = tensors[seeds * (2 if biased else 1) :]
        return list(xs[0]) if len(xs) < seeds else list(xs)
