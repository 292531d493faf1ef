"""Runs a stack of layers on a backend: fused kernels for the input's device, or the PyTorch loop."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional

from lightning_modules.scan import delayed_layer
from lightning_modules.scan.event_input import EventInput
from lightning_modules.scan.fused import Dense, Options, run_fused, run_gpu
from lightning_modules.scan.loop import scan_loop
from lightning_modules.scan.trace import NotFusable

log = logging.getLogger(__name__)
_warned: set[str] = set()


class Stacked(NamedTuple):
    """The results of a stack: ``output`` and ``recorded`` of the last layer, the others of every layer in order."""

    output: Tensor | None  # [T, B, N] of the last layer; None with ``output=False``
    means: list[Tensor]  # mean over time of every layer's output, [B, N]; for spikes the rate per step
    states: list[tuple]  # after the last step
    recorded: dict[str, Tensor]  # named states of the last layer, [T, B, N]
    in_flight: Sequence[Tensor | None] = ()  # of every layer, if one of them has delays; see ``Scanned``


def run(
    layers: Sequence[Dense],
    inputs: tuple[Tensor, ...],
    options: Options,
    probe: Tensor | None,
    requested: str,
    events: EventInput | None = None,
) -> Stacked:
    """Run on the ``requested`` backend. With ``events`` the only input is a placeholder of their shape."""
    backend = _available(inputs[0].device.type) if requested == "auto" else requested
    if events is not None and (backend != "cpu" or any(layer.delayed for layer in layers)):
        inputs = (events.dense(),)
        events = None
    if any(layer.delayed for layer in layers):
        return _layer_by_layer(layers, inputs, options, probe, requested)
    if backend != "loop":
        try:
            if backend == "gpu":
                return Stacked(*run_gpu(layers, inputs, options, probe))
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
            result = run([layer], inputs, of_layer, of_probe, requested)
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
    if requested != "loop":
        try:
            return Stacked(*delayed_layer.run_fused(layer, inputs, options, probe, requested))
        except NotFusable as error:
            if requested != "auto":
                raise
            _warn_once([layer], error)
    return Stacked(*delayed_layer.run_loop(layer, inputs, options, probe))


def _available(device: str) -> str:
    """The fastest backend for tensors on ``device``."""
    backend = {"cpu": "cpu", "cuda": "gpu"}.get(device, "loop")
    return "loop" if backend == "gpu" and find_spec("triton") is None else backend


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
