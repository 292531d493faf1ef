"""Checks of what is given to a scan, with messages that name the argument and the shape it must have."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_modules.neurons.base import Neuron
from lightning_modules.scan.fused import Dense, Options

BACKENDS = ("auto", "loop", "cpu", "gpu")


def check(
    layers: Sequence[Dense], inputs: tuple[Tensor, ...], options: Options, probe: Tensor | None, backend: str
) -> None:
    """Raise ``ValueError`` unless the arguments of a scan fit together."""
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
    for name, every in (("detach_every", options.detach_every), ("checkpoint_every", options.checkpoint_every)):
        if every is not None and every < 1:
            raise ValueError(f"{name} must be 1 or more, got {every}")
    dtype = inputs[0].dtype
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"the scan runs in float32 or float64, not {dtype}: a threshold decision needs the precision")
    steps, batch, width = shape
    for number, layer in enumerate(layers):
        _check_layer(layer, number, inputs, (steps, batch, width))
        width = layer.neuron.size
    if probe is not None and (tuple(probe.shape) != (steps, batch, width) or probe.dtype != dtype):
        raise ValueError(f"the probe must be {[steps, batch, width]} {dtype}, got {list(probe.shape)} {probe.dtype}")
    last = layers[-1].neuron
    unknown = [name for name in options.record if name not in _state_names(last)]
    if unknown:
        raise ValueError(f"{last.name} has no state {unknown}; it has {list(_state_names(last))}")


def check_alike(
    stacks: Sequence[Sequence[Dense]], inputs: Sequence[tuple[Tensor, ...]], probes: Sequence[Tensor | None]
) -> None:
    """Raise ``ValueError`` unless all stacks are the same but for the values of tensors and of neurons' settings."""
    shapes = {tuple(x.shape for x in given) for given in inputs}
    if len(shapes) > 1:
        raise ValueError(f"the inputs of all seeds must have one shape, got {sorted(shapes)}")
    if len({probe is None for probe in probes}) > 1:
        raise ValueError("either every seed has a probe or none has")
    if len({len(stack) for stack in stacks}) > 1:
        raise ValueError(f"the stacks of all seeds must have as many layers, got {[len(stack) for stack in stacks]}")
    for number, layers in enumerate(zip(*stacks, strict=True)):
        if len({_form(layer) for layer in layers}) > 1:
            raise ValueError(f"layer {number} is not the same neuron with the same weights' shapes in every seed")


def _form(layer: Dense) -> tuple:
    """What layers must have in common to run together."""
    neuron = layer.neuron
    weights = (layer.weight, layer.bias, layer.recurrent, layer.recurrent_bias)
    shapes = tuple(None if weight is None else tuple(weight.shape) for weight in weights)
    settings = getattr(neuron.config, "__dict__", {})
    fixed = tuple((name, "" if isinstance(value, float) else repr(value)) for name, value in settings.items())
    return type(neuron), fixed, neuron.training, neuron.size, shapes


def _check_layer(layer: Dense, number: int, inputs: tuple[Tensor, ...], shape: tuple[int, int, int]) -> None:
    """Check layer ``number``, whose input has ``shape``."""
    neuron = layer.neuron
    size = neuron.size
    _, batch, width = shape
    if neuron.inputs != 1 and (number or layer.weight is not None):
        raise ValueError(f"{neuron.name} takes {neuron.inputs} currents: give them to scan()")
    if layer.weight is None and width != size:
        raise ValueError(f"a current must be [T, B, {size}] for this layer of {neuron.name}, got {list(shape)}")
    expected: dict[str, tuple[Tensor | None, tuple[int, ...]]] = {
        "weight": (layer.weight, (size, width)),
        "bias": (layer.bias, (size,)),
        "recurrent": (layer.recurrent, (size, size)),
        "recurrent_bias": (layer.recurrent_bias, (size,)),
        "previous": (layer.previous, (batch, size)),
    }
    expected |= {f"state[{i}]": (state, (batch, size)) for i, state in enumerate(layer.state or ())}
    if layer.state is not None and len(layer.state) != len(_state_names(neuron)):
        raise ValueError(f"{neuron.name} has the states {_state_names(neuron)}, got {len(layer.state)}")
    missing_weight = layer.weight is None and layer.bias is not None
    missing_recurrent = layer.recurrent is None and layer.recurrent_bias is not None
    if missing_weight or missing_recurrent:
        raise ValueError("a bias needs its weight")
    for name, (tensor, form) in expected.items():
        if tensor is not None and tuple(tensor.shape) != form:
            raise ValueError(f"{name} of layer {number} must be {list(form)}, got {list(tensor.shape)}")
    if layer.delayed or layer.in_flight is not None or layer.depth is not None:
        _check_delays(layer, number, shape)
    like = inputs[0]
    given = [layer.in_flight] if layer.in_flight is not None else []
    given += [tensor for tensor, _ in expected.values() if tensor is not None]
    for tensor in (*inputs, *given, *neuron.parameters()):
        if tensor.dtype != like.dtype or tensor.device != like.device:
            raise ValueError(
                f"every tensor and parameter of layer {number} must be {like.dtype} on {like.device}, as the input is"
            )


def _check_delays(layer: Dense, number: int, shape: tuple[int, int, int]) -> None:
    size = layer.neuron.size
    steps, batch, width = shape
    pairs = (
        ("delays", layer.delays, "weight", layer.weight, (size, width)),
        ("recurrent_delays", layer.recurrent_delays, "recurrent", layer.recurrent, (size, size)),
    )
    if not layer.delayed:
        raise ValueError(f"depth and in_flight of layer {number} need delays or recurrent_delays")
    if layer.depth is not None and layer.depth < 1:
        raise ValueError(f"depth of layer {number} must be 1 or more, got {layer.depth}")
    depth = layer.flight_steps
    for name, delays, weight_name, weight, form in pairs:
        if delays is None:
            continue
        if weight is None:
            raise ValueError(f"{name} of layer {number} need {weight_name}")
        if tuple(delays.shape) != form or delays.is_floating_point() or delays.is_complex():
            raise ValueError(
                f"{name} of layer {number} must be integers {list(form)}, got {delays.dtype} {list(delays.shape)}"
            )
        if delays.device.type != "cpu":
            continue  # reading values would make the host wait for a card
        least = int(delays.min())
        largest = int(delays.max())
        if least < 0 or largest >= depth:
            raise ValueError(
                f"{name} of layer {number} must be from 0 to depth - 1 = {depth - 1}, got {least} to {largest}"
            )
    if layer.in_flight is None and depth > steps:
        raise ValueError(
            f"delays of layer {number} have depth {depth} and the input {steps} steps, after which some never act: "
            "give in_flight (zeros at first) to go on in another call"
        )
    if layer.in_flight is not None and tuple(layer.in_flight.shape) != (depth, batch, size):
        raise ValueError(
            f"in_flight of layer {number} must be {[depth, batch, size]}, got {list(layer.in_flight.shape)}"
        )


def _state_names(neuron: Neuron) -> tuple[str, ...]:
    return neuron.State._fields  # type: ignore[attr-defined]
