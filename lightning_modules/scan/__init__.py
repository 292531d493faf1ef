"""Runs any neuron over time: fused kernels printed from its ``step``, or the plain PyTorch loop.

``scan`` takes currents, ``scan_dense`` takes the input of a linear projection, ``scan_stack`` takes a whole stack of
layers in one pass over time, which is the fastest: nothing of size [T, B, N] passes between layers. ``scan_seeds``
takes several such stacks that differ in their weights only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.neurons.base import Neuron
from lightning_modules.scan import delayed_layer, event_input, outcomes
from lightning_modules.scan.checks import check, check_alike
from lightning_modules.scan.event_input import EventInput, Input
from lightning_modules.scan.fused import Dense, Options, run_fused
from lightning_modules.scan.gpu_stack import run_gpu
from lightning_modules.scan.kernels import compile_seconds
from lightning_modules.scan.loop import Scanned, scan_loop
from lightning_modules.scan.trace import NotFusable

log = logging.getLogger(__name__)
_warned: set[str] = set()
_chosen: list[str] = []  # what "auto" means now, the innermost ``using`` last
_cards: dict[torch.device, str] = {}  # the backend of each card


class Stacked(NamedTuple):
    """The results of a stack: ``output`` and ``recorded`` of the last layer, the others of every layer in order."""

    output: Tensor | None  # [T, B, N] of the last layer; None with ``output=False``
    means: list[Tensor]  # mean over time of every layer's output, [B, N]; for spikes the rate per step
    states: list[tuple]  # after the last step
    recorded: dict[str, Tensor]  # named states of the last layer, [T, B, N]
    in_flight: Sequence[Tensor | None] = ()  # of every layer, if one of them has delays; see ``Scanned``


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

    A layer may have a delay per synapse (``Dense.delays``, ``recurrent_delays``). Such a stack runs layer by layer, on
    the CPU or the loop. A missing connection is a weight of 0, which costs no time but for its gradient.
    ``detach_every`` also cuts the gradient of currents in flight.

    Sums over inputs are taken in another order than torch's, so currents equal those of the loop to float rounding;
    given equal currents, spikes are bit-equal in float32. Zero inputs are skipped: a weight of inf or NaN does not
    reach neurons through an input of 0 (with delays: of 0 in 16 samples).

    ``backend``: ``auto`` takes the fused kernels for the input's device and falls back to the loop, with one warning,
    for a step that cannot be fused, and on a card that has not passed the check of its kernels; ``cpu`` and ``gpu``
    refuse such a step; ``loop`` is the plain PyTorch loop. Raises ``ValueError`` for shapes, dtypes, devices or names
    that do not fit.
    """
    events = None if isinstance(x, Tensor) else x
    inputs = (x if isinstance(x, Tensor) else event_input.placeholder(x),)
    options = Options(output, tuple(record), detach_every, checkpoint_every)
    check(layers, inputs, options, probe, backend)
    return _run(layers, inputs, options, probe, backend, events)


def scan_seeds(
    stacks: Sequence[Sequence[Dense]],
    xs: Sequence[Input],
    *,
    output: bool = True,
    record: Sequence[str] = (),
    detach_every: int | None = None,
    checkpoint_every: int | None = None,
    probes: Sequence[Tensor | None] | None = None,
    backend: str = "auto",
) -> list[Stacked]:
    """``scan_stack`` of several stacks, each with its own ``x`` of one shape. They differ in their weights, and in
    numbers among their neurons' settings, such as a leak or a threshold.

    On the GPU all stacks go through the same launches, which pays while a launch waits for memory more than it
    computes. Elsewhere they run one after another. Every stack has the results that it has alone. Raises
    ``ValueError`` for stacks or inputs that are not alike, and as ``scan_stack`` does.
    """
    probes = [None] * len(stacks) if probes is None else probes
    if not stacks or not len(stacks) == len(xs) == len(probes):
        raise ValueError(f"each seed needs a stack, an input and a probe: {len(stacks)}, {len(xs)}, {len(probes)}")
    inputs = [(x if isinstance(x, Tensor) else event_input.placeholder(x),) for x in xs]
    options = Options(output, tuple(record), detach_every, checkpoint_every)
    for stack, given, probe in zip(stacks, inputs, probes, strict=True):
        check(stack, given, options, probe, backend)
    check_alike(stacks, inputs, probes)
    chosen = _meant(backend)
    chosen = _available(inputs[0][0].device) if chosen == "auto" else chosen
    if chosen == "gpu" and not any(layer.delayed for stack in stacks for layer in stack):
        try:
            dense = [(x if isinstance(x, Tensor) else x.dense(),) for x in xs]
            return [Stacked(*result) for result in run_gpu(stacks, dense, options, probes)]
        except NotFusable:
            if backend != "auto":
                raise
    # a step that cannot be fused gives its warning there
    return [
        _run(stack, given, options, probe, backend, None if isinstance(x, Tensor) else x)
        for stack, given, probe, x in zip(stacks, inputs, probes, xs, strict=True)
    ]


def scan(
    neuron: Neuron,
    *currents: Tensor,
    state: tuple | None = None,
    previous: Tensor | None = None,
    recurrent: Tensor | None = None,
    recurrent_bias: Tensor | None = None,
    recurrent_delays: Tensor | None = None,
    depth: int | None = None,
    in_flight: Tensor | None = None,
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
    ``reduce="mean"`` gives the output's mean over time, [B, N].

    ``recurrent_delays`` [N, N] are integers from 0 to ``depth`` - 1: output[t-1-d] comes through the synapses of delay
    d. The default depth is the largest delay and one. ``in_flight`` [depth, B, N] are currents of earlier steps that
    arrive at the first ``depth`` steps, as a call before gave them. See ``scan_stack`` for the rest. Raises
    ``ValueError`` when shapes or dtypes do not fit the neuron.
    """
    delays = (None, recurrent_delays, depth, in_flight)
    layer = Dense(neuron, None, None, recurrent, recurrent_bias, state, previous, *delays)
    options = Options(_returns_output(reduce), tuple(record), detach_every, checkpoint_every)
    return _scan_layer(layer, currents, options, probe, backend)


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
    delays: Tensor | None = None,
    recurrent_delays: Tensor | None = None,
    depth: int | None = None,
    in_flight: Tensor | None = None,
    record: Sequence[str] = (),
    detach_every: int | None = None,
    checkpoint_every: int | None = None,
    probe: Tensor | None = None,
    reduce: str | None = None,
    backend: str = "auto",
) -> Scanned:
    """Run ``neuron`` over the currents ``x @ weight.T + bias``; otherwise as ``scan``.

    ``x`` is [T, B, inputs], ``weight`` [N, inputs]. With ``delays`` [N, inputs] x[t-d] comes through the synapses of
    delay d.
    """
    layer = Dense(
        neuron, weight, bias, recurrent, recurrent_bias, state, previous, delays, recurrent_delays, depth, in_flight
    )
    options = Options(_returns_output(reduce), tuple(record), detach_every, checkpoint_every)
    return _scan_layer(layer, (x,), options, probe, backend)


def _returns_output(reduce: str | None) -> bool:
    if reduce not in (None, "mean"):
        raise ValueError(f"reduce {reduce!r} is not None or 'mean'")
    return reduce is None


def _scan_layer(
    layer: Dense, inputs: tuple[Tensor, ...], options: Options, probe: Tensor | None, backend: str
) -> Scanned:
    check([layer], inputs, options, probe, backend)
    stacked = _run([layer], inputs, options, probe, backend)
    output = stacked.means[0] if stacked.output is None else stacked.output
    in_flight = stacked.in_flight[0] if stacked.in_flight else None
    return Scanned(output, stacked.states[0], stacked.recorded, in_flight)


def _run(
    layers: Sequence[Dense],
    inputs: tuple[Tensor, ...],
    options: Options,
    probe: Tensor | None,
    requested: str,
    events: EventInput | None = None,
) -> Stacked:
    """Run on the ``requested`` backend. With ``events`` the only input is a placeholder of their shape."""
    if any(layer.delayed for layer in layers):
        return _layer_by_layer(layers, inputs if events is None else (events.dense(),), options, probe, requested)
    requested = _meant(requested)
    backend = _available(inputs[0].device) if requested == "auto" else requested
    if events is not None and backend != "cpu":
        inputs = (events.dense(),)
        events = None
    if backend != "loop":
        try:
            if backend == "gpu":
                return Stacked(*run_gpu([layers], [inputs], options, [probe])[0])
            return Stacked(*run_fused(layers, inputs, options, probe, events))
        except NotFusable as error:
            if requested != "auto":
                raise
            _warn_once(layers, error)
            inputs = inputs if events is None else (events.dense(),)
    return _loop(layers, inputs, options, probe)


def _layer_by_layer(
    layers: Sequence[Dense],
    inputs: tuple[Tensor, ...],
    options: Options,
    probe: Tensor | None,
    requested: str,
) -> Stacked:
    """Run a stack in which a layer has delays."""
    results: list[Stacked] = []
    for number, layer in enumerate(layers):
        last = number == len(layers) - 1
        of_layer = options if last else options._replace(output=True, record=())
        of_probe = probe if last else None
        if layer.delayed:
            result = _delayed(layer, inputs, of_layer, of_probe, requested)
        else:
            result = _run([layer], inputs, of_layer, of_probe, requested)
        results.append(result)
        inputs = (result.output,) if result.output is not None else ()
    return Stacked(
        results[-1].output,
        [result.means[0] for result in results],
        [result.states[0] for result in results],
        results[-1].recorded,
        [result.in_flight[0] if result.in_flight else None for result in results],
    )


def _delayed(
    layer: Dense, inputs: tuple[Tensor, ...], options: Options, probe: Tensor | None, requested: str
) -> Stacked:
    """Run one layer with delays: on the CPU fused, elsewhere on the loop with a warning."""
    if _meant(requested) != "loop":
        try:
            return Stacked(*delayed_layer.run_fused(layer, inputs, options, probe, requested))
        except NotFusable as error:
            if requested != "auto":
                raise
            _warn_once([layer], error)
    return Stacked(*delayed_layer.run_loop(layer, inputs, options, probe))


@contextmanager
def using(backend: str) -> Iterator[None]:
    """Within the ``with`` block ``auto`` means ``backend``, for networks that leave the choice to the scan.

    Delays keep ``auto`` where ``backend`` is ``gpu``, which has none.
    """
    _chosen.append(backend)
    try:
        yield
    finally:
        _chosen.pop()


def _meant(requested: str) -> str:
    return _chosen[-1] if requested == "auto" and _chosen else requested


def _available(device: torch.device) -> str:
    """The fastest backend for tensors on ``device`` that can be trusted there."""
    if device.type != "cuda":
        return "cpu" if device.type == "cpu" else "loop"
    if device not in _cards:
        problem = outcomes.problem(device)
        _cards[device] = "loop" if problem else "gpu"
        if problem:
            log.warning("the kernels for the GPU are not used (%s): neurons run on the slower PyTorch loop", problem)
    return _cards[device]


def _warn_once(layers: Sequence[Dense], error: NotFusable) -> None:
    names = ", ".join(sorted({layer.neuron.name or type(layer.neuron).__name__ for layer in layers}))
    if names not in _warned:
        _warned.add(names)
        log.warning("%s: step cannot be fused (%s); it runs on the slower PyTorch loop", names, error)


def _loop(layers: Sequence[Dense], inputs: tuple[Tensor, ...], options: Options, probe: Tensor | None) -> Stacked:
    means = []
    states = []
    for number, layer in enumerate(layers):
        last = number == len(layers) - 1
        if layer.weight is not None:
            inputs = (functional.linear(inputs[0], layer.weight, layer.bias),)
        scanned = scan_loop(
            layer.neuron,
            inputs,
            layer.state,
            layer.recurrent,
            layer.recurrent_bias,
            layer.previous,
            options.record if last else (),
            options.detach_every,
            probe if last else None,
        )
        inputs = (scanned.output,)
        means.append(scanned.output.mean(0))
        states.append(scanned.state)
    return Stacked(scanned.output if options.output else None, means, states, scanned.recorded)


__all__ = [
    "Dense", "EventInput", "Input", "Scanned", "Stacked", "compile_seconds", "scan", "scan_dense", "scan_seeds",
    "scan_stack", "using",
]  # fmt: skip
