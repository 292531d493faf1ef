"""Runs any neuron over time: fused kernels printed from its ``step``, or the plain PyTorch loop.

``scan`` takes currents, ``scan_dense`` takes the input of a linear projection, ``scan_stack`` takes a whole stack of
layers in one pass over time, which is the fastest: nothing of size [T, B, N] passes between layers.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.neurons.base import Neuron
from lightning_modules.scan import event_input
from lightning_modules.scan.event_input import EventInput, Input
from lightning_modules.scan.fused import Dense, Options, run_fused, run_gpu
from lightning_modules.scan.kernels import compile_seconds
from lightning_modules.scan.loop import Scanned, scan_loop
from lightning_modules.scan.trace import NotFusable

log = logging.getLogger(__name__)
BACKENDS = ("auto", "loop", "cpu", "gpu")
_warned: set[str] = set()


class Stacked(NamedTuple):
    """What a stack gives. All but ``output`` of the last layer are there for every layer, in order."""

    output: Tensor | None  # [T, B, N] of the last layer, None unless asked for
    means: list[Tensor]  # mean over time of every layer's output, [B, N]; for spikes the rate per step
    states: list[tuple]  # after the last step
    recorded: dict[str, Tensor]  # named states of the last layer, [T, B, N]


def scan_stack(
    layers: Sequence[Dense],
    x: Input,
    *,
    output: bool = True,
    record: Sequence[str] = (),
    detach_every: int | None = None,
    checkpoint_every: int | None = None,
    probe: Tensor | None = None,
    backend: str = "auto",
) -> Stacked:
    """Run ``x`` [T, B, inputs] through ``layers``, each fed by the one before; every result is differentiable.

    ``x`` may be given as its events (``EventInput``): the same results to the last bit, without the dense tensor.

    ``output=False`` leaves out the last layer's output over time: a network that averages it needs ``means[-1]`` only,
    and a linear readout averaged over time is the readout of ``means[-1]``. ``record`` names states of the last layer
    to return over time; ``detach_every`` k cuts the gradient every k steps; ``checkpoint_every`` k keeps only the state
    at every k-th step for the backward pass and recomputes the rest, for memory. ``probe`` [T, B, N] of zeros that
    requires grad receives, as its gradient, the total derivative of the loss with respect to the last layer's outputs,
    later steps included.

    Sums over inputs are taken in another order than torch's, so currents equal those of the loop to float rounding;
    given equal currents, spikes are bit-equal in float32. Zero inputs are skipped: a weight of inf or NaN does not
    reach neurons through an input of 0.

    ``backend``: ``auto`` takes the fused kernels for the input's device and falls back to the loop, with one warning,
    for a step that cannot be fused; ``cpu`` and ``gpu`` refuse such a step; ``loop`` is the plain PyTorch loop. Raises
    ``ValueError`` for shapes, dtypes, devices or names that do not fit.
    """
    events = None if isinstance(x, Tensor) else x
    inputs = (x if isinstance(x, Tensor) else event_input.stand_in(x),)
    _check(layers, inputs, record, detach_every, checkpoint_every, probe, backend)
    return _run(layers, inputs, Options(output, tuple(record), detach_every, checkpoint_every), probe, backend, events)


def scan(
    neuron: Neuron,
    *currents: Tensor,
    state: tuple | None = None,
    previous: Tensor | None = None,
    recurrent: Tensor | None = None,
    recurrent_bias: Tensor | None = None,
    record: Sequence[str] = (),
    detach_every: int | None = None,
    checkpoint_every: int | None = None,
    probe: Tensor | None = None,
    reduce: str | None = None,
    backend: str = "auto",
) -> Scanned:
    """Run ``neuron`` over ``currents``, ``[T, B, N]`` each.

    ``state`` is the state before the first step and ``previous`` [B, N] the output before it, as the recurrence sees it
    (zeros); ``recurrent`` [N, N] adds ``output[t-1] @ recurrent.T + recurrent_bias`` to the first current;
    ``reduce="mean"`` gives the output's mean over time, [B, N]. See ``scan_stack`` for the rest. Raises ``ValueError``
    when shapes or dtypes do not fit the neuron.
    """
    layer = Dense(neuron, None, None, recurrent, recurrent_bias, state, previous)
    _check([layer], currents, record, detach_every, checkpoint_every, probe, backend)
    return _single(
        layer, currents, Options(_keeps(reduce), tuple(record), detach_every, checkpoint_every), probe, backend
    )


def scan_dense(
    neuron: Neuron,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    state: tuple | None = None,
    previous: Tensor | None = None,
    recurrent: Tensor | None = None,
    recurrent_bias: Tensor | None = None,
    record: Sequence[str] = (),
    detach_every: int | None = None,
    checkpoint_every: int | None = None,
    probe: Tensor | None = None,
    reduce: str | None = None,
    backend: str = "auto",
) -> Scanned:
    """Run ``neuron`` over the currents ``x @ weight.T + bias``, ``x`` [T, B, inputs], ``weight`` [N, inputs]; otherwise
    as ``scan``."""
    layer = Dense(neuron, weight, bias, recurrent, recurrent_bias, state, previous)
    _check([layer], (x,), record, detach_every, checkpoint_every, probe, backend)
    return _single(layer, (x,), Options(_keeps(reduce), tuple(record), detach_every, checkpoint_every), probe, backend)


def _keeps(reduce: str | None) -> bool:
    if reduce not in (None, "mean"):
        raise ValueError(f"reduce {reduce!r} is not None or 'mean'")
    return reduce is None


def _single(layer: Dense, inputs: tuple[Tensor, ...], options: Options, probe: Tensor | None, backend: str) -> Scanned:
    done = _run([layer], inputs, options, probe, backend)
    return Scanned(done.means[0] if done.output is None else done.output, done.states[0], done.recorded)


def _run(
    layers: Sequence[Dense], inputs: tuple[Tensor, ...], options: Options, probe: Tensor | None, backend: str,
    events: EventInput | None = None,
) -> Stacked:  # fmt: skip
    chosen = backend
    if backend == "auto":
        backend = {"cpu": "cpu", "cuda": "gpu"}.get(inputs[0].device.type, "loop")
        if backend == "gpu" and find_spec("triton") is None:
            backend = "loop"
    if events is not None and backend != "cpu":
        inputs = (events.dense(),)
    if backend != "loop":
        try:
            if backend == "gpu":
                return Stacked(*run_gpu(layers, inputs, options, probe))
            return Stacked(*run_fused(layers, inputs, options, probe, events))
        except NotFusable as error:
            if chosen != "auto":
                raise
            names = ", ".join(sorted({layer.neuron.name or type(layer.neuron).__name__ for layer in layers}))
            if names not in _warned:
                _warned.add(names)
                log.warning("%s: step cannot be fused (%s); it runs on the slower PyTorch loop", names, error)
            inputs = inputs if events is None else (events.dense(),)
    return _loop(layers, inputs, options, probe)


def _loop(layers: Sequence[Dense], inputs: tuple[Tensor, ...], options: Options, probe: Tensor | None) -> Stacked:
    means = []
    states = []
    for number, layer in enumerate(layers):
        last = number == len(layers) - 1
        if layer.weight is not None:
            inputs = (functional.linear(inputs[0], layer.weight, layer.bias),)
        done = scan_loop(
            layer.neuron, inputs, layer.state, layer.recurrent, layer.recurrent_bias, layer.previous,
            options.record if last else (), options.detach_every, probe if last else None,
        )  # fmt: skip
        inputs = (done.output,)
        means.append(done.output.mean(0))
        states.append(done.state)
    return Stacked(done.output if options.output else None, means, states, done.recorded)


def _check(
    layers: Sequence[Dense], inputs: tuple[Tensor, ...], record: Sequence[str], detach_every: int | None, checkpoint_every: int | None,
    probe: Tensor | None, backend: str,
) -> None:  # fmt: skip
    if backend not in BACKENDS:
        raise ValueError(f"backend {backend!r} is not one of {', '.join(BACKENDS)}")
    if not layers:
        raise ValueError("a stack needs at least one layer")
    first = layers[0].neuron
    shapes = {tuple(x.shape) for x in inputs}
    if len(inputs) != (first.inputs if layers[0].weight is None else 1) or len(shapes) != 1:
        raise ValueError(f"{first.name} takes {first.inputs} current(s) of one shape [T, B, N], got {sorted(shapes)}")
    (shape,) = shapes
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"an input must be [T, B, N] with at least one of each, got {list(shape)}")
    for name, every in (("detach_every", detach_every), ("checkpoint_every", checkpoint_every)):
        if every is not None and every < 1:
            raise ValueError(f"{name} must be 1 or more, got {every}")
    like = inputs[0]
    (steps, batch, width) = shape
    if like.dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"the scan runs in float32 or float64, not {like.dtype}: a threshold decision needs the precision"
        )
    for number, layer in enumerate(layers):
        size = layer.neuron.size
        if layer.neuron.inputs != 1 and (number or layer.weight is not None):
            raise ValueError(f"{layer.neuron.name} takes {layer.neuron.inputs} currents: give them to scan()")
        if layer.weight is None and width != size:
            raise ValueError(
                f"a current must be [T, B, {size}] for this layer of {layer.neuron.name}, got {[steps, batch, width]}"
            )
        wanted: dict[str, tuple[Any, tuple[int, ...]]] = {
            "weight": (layer.weight, (size, width)), "bias": (layer.bias, (size,)), "recurrent": (layer.recurrent, (size, size)),
            "recurrent_bias": (layer.recurrent_bias, (size,)), "previous": (layer.previous, (batch, size)),
        }  # fmt: skip
        wanted |= {f"state[{i}]": (s, (batch, size)) for i, s in enumerate(layer.state or ())}
        if layer.state is not None and len(layer.state) != len(layer.neuron.State._fields):  # type: ignore[attr-defined]
            raise ValueError(f"{layer.neuron.name} has the states {layer.neuron.State._fields}, got {len(layer.state)}")  # type: ignore[attr-defined]
        if (layer.weight is None and layer.bias is not None) or (
            layer.recurrent is None and layer.recurrent_bias is not None
        ):
            raise ValueError("a bias needs its weight")
        for name, (tensor, form) in wanted.items():
            if tensor is not None and tuple(tensor.shape) != form:
                raise ValueError(f"{name} of layer {number} must be {list(form)}, got {list(tensor.shape)}")
        everything = [*inputs, *(t for t, _ in wanted.values() if t is not None), *layer.neuron.parameters()]
        if any(t.dtype != like.dtype or t.device != like.device for t in everything):
            raise ValueError(
                f"every tensor and parameter of layer {number} must be {like.dtype} on {like.device}, as the input is"
            )
        width = size
    if probe is not None and (tuple(probe.shape) != (steps, batch, width) or probe.dtype != like.dtype):
        raise ValueError(
            f"the probe must be {[steps, batch, width]} {like.dtype}, got {list(probe.shape)} {probe.dtype}"
        )
    unknown = [name for name in record if name not in layers[-1].neuron.State._fields]  # type: ignore[attr-defined]
    if unknown:
        raise ValueError(
            f"{layers[-1].neuron.name} has no state {unknown}; it has {list(layers[-1].neuron.State._fields)}"
        )  # type: ignore[attr-defined]


__all__ = ["Dense", "EventInput", "Input", "Scanned", "Stacked", "compile_seconds", "scan", "scan_dense", "scan_stack"]
