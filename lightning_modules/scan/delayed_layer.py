"""Runs layers whose synapses have delays, one after the other: fused on the CPU, else on the loop."""

from __future__ import annotations

from torch import Tensor

from lightning_modules.scan import delayed
from lightning_modules.scan.delayed_loop import delayed_loop
from lightning_modules.scan.fused import Dense, Options, drive_rows, start, traced_step
from lightning_modules.scan.trace import NotFusable


def flight(layer: Dense, batch: int, like: Tensor) -> Tensor:
    """The currents in flight before the first step, [depth, B, N]."""
    if layer.in_flight is not None:
        return layer.in_flight
    return like.new_zeros(layer.flight_steps, batch, layer.neuron.size)


def run_fused(
    layer: Dense, inputs: tuple[Tensor, ...], options: Options, probe: Tensor | None, requested: str
) -> tuple:
    """``(output or None, means, states, recorded, in flight)`` of one layer, as of a stack of one.

    Raises ``NotFusable`` before anything has run.
    """
    steps, batch = inputs[0].shape[:2]
    if requested == "gpu" or inputs[0].device.type != "cpu":
        raise NotFusable("delays are fused on the CPU only")
    drives = drive_rows(layer.neuron, steps)
    traced = traced_step(layer.neuron, tuple(drives), inputs[0].dtype)
    state, previous = start(layer, batch, inputs[0])
    plan = delayed.DelayedPlan(
        traced,
        layer.flight_steps,
        layer.delays,
        layer.recurrent_delays,
        options.detach_every or 0,
        options.checkpoint_every or 0,
        tuple(traced.states.index(name) for name in options.record),
        options.output,
    )
    output, mean, in_flight, states, records = delayed.run_layer(
        plan,
        *inputs,
        layer.weight,
        layer.bias,
        layer.recurrent,
        layer.recurrent_bias,
        previous,
        probe,
        flight(layer, batch, inputs[0]),
        *state,
        *drives.values(),
    )
    recorded = dict(zip(options.record, records, strict=True))
    return output, [mean], [layer.neuron.State(*states)], recorded, [in_flight]


def run_loop(layer: Dense, inputs: tuple[Tensor, ...], options: Options, probe: Tensor | None) -> tuple:
    """The same on the PyTorch loop."""
    batch = inputs[0].shape[1]
    state, previous = start(layer, batch, inputs[0])
    scanned = delayed_loop(layer, inputs, state, previous, flight(layer, batch, inputs[0]), options, probe)
    output = scanned.output if options.output else None
    return output, [scanned.output.mean(0)], [scanned.state], scanned.recorded, [scanned.in_flight]
