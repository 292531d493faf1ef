"""The PyTorch loop over time for synapses with delays, with a buffer of the currents to come, as in public LSNN code.

Only the states at the head of every ~sqrt(T) steps are kept for the backward pass, which recomputes the rest: all of
them would be gigabytes.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from lightning_modules.scan.fused import Dense, Options
from lightning_modules.scan.loop import Scanned

TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None


def delayed_loop(
    layer: Dense,
    inputs: tuple[Tensor, ...],
    state: tuple,
    previous: Tensor,
    in_flight: Tensor,
    options: Options,
    probe: Tensor | None,
) -> Scanned:
    """Run ``layer`` from ``state`` with I[t] = sum over d of W_d x[t-d] + V_d S[t-1-d]; inputs [T, B, N] each.

    A cut of the gradient (``detach_every``) also cuts that of the currents in flight.
    """
    neuron = layer.neuron
    size = neuron.size
    steps, batch = inputs[0].shape[:2]
    depth = len(in_flight)
    run_segment = _segment(layer, depth, steps, options, probe)
    coming = in_flight.transpose(0, 1).flatten(1)
    output = previous
    segments: list[Tensor] = []
    records: list[list[Tensor]] = []
    every = options.checkpoint_every or math.isqrt(steps - 1) + 1
    for first in range(0, steps, every):
        parts = [x[first : first + every] for x in inputs]
        segment, coming, *rest = checkpoint(
            run_segment,
            first,
            coming,
            output,
            len(state),
            *state,
            *parts,
            use_reentrant=False,
            preserve_rng_state=False,
        )
        output = segment[-1]
        state = tuple(rest[: len(state)])
        segments.append(segment)
        records.append(rest[len(state) :])
        return_free_memory()
        if segment.requires_grad:
            segment.register_hook(return_free_memory)
    recorded = dict(zip(options.record, (torch.cat(parts) for parts in zip(*records, strict=True)), strict=True))
    last = coming.view(batch, depth, size).transpose(0, 1)
    return Scanned(torch.cat(segments), neuron.State(*state), recorded, last)


def _segment(
    layer: Dense, depth: int, steps: int, options: Options, probe: Tensor | None
) -> Callable[..., tuple[Tensor, ...]]:
    """A function that runs some steps of ``layer``; its first result is the outputs, the last ones are the records."""
    neuron = layer.neuron
    size = neuron.size
    pairs = ((layer.weight, layer.delays), (layer.recurrent, layer.recurrent_delays))
    matrices = [_by_delay(weight, delays, depth) for weight, delays in pairs if weight is not None]
    weight = torch.cat(matrices, 2).flatten(0, 1)  # [depth N, inputs + N]
    biases = [bias for bias in (layer.bias, layer.recurrent_bias) if bias is not None]
    drive = {
        name: value.unbind(0) if value.dim() == 2 else [value] * steps for name, value in neuron.drive(steps).items()
    }
    probes = None if probe is None else probe.unbind(0)

    def run_segment(start: int, coming: Tensor, output: Tensor, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        now: Any = neuron.State(*tensors[:count])
        outputs: list[Tensor] = []
        recorded: list[list[Tensor]] = [[] for _ in options.record]
        for t, at_t in enumerate(zip(*(x.unbind(0) for x in tensors[count:]), strict=True), start):
            if options.detach_every and t and t % options.detach_every == 0:
                now = neuron.State(*(part.detach() for part in now))
                output = output.detach()
                coming = coming.detach()
            sources = [at_t[0]] if layer.weight is not None else []
            sources += [output] if layer.recurrent is not None else []
            coming = coming + functional.linear(torch.cat(sources, 1), weight)
            current = sum(biases, coming[:, :size])
            current = current if layer.weight is not None else current + at_t[0]
            now, output = neuron.step(now, current, *at_t[1:], **{name: value[t] for name, value in drive.items()})
            if probes is not None:
                probed = output + probes[t]
                now = neuron.State(*(probed if part is output else part for part in now))
                output = probed
            coming = functional.pad(coming[:, size:], (0, size))
            outputs.append(output)
            for series, name in zip(recorded, options.record, strict=True):
                series.append(getattr(now, name))
        return torch.stack(outputs), coming, *now, *(torch.stack(series) for series in recorded)

    return run_segment


def return_free_memory(_: Tensor | None = None) -> None:
    """Return free memory to the system, where the C library is glibc: the aligned blocks that PyTorch asks for leave
    gaps in its heap that it does not use again, several times what is needed after a few steps."""
    if TRIM is not None:
        TRIM(0)


def _by_delay(weight: Tensor, delays: Tensor | None, depth: int) -> Tensor:
    """[depth, N, inputs]: item d has the weights that act d steps late."""
    steps = torch.arange(depth, device=weight.device)[:, None, None]
    return weight * ((torch.zeros_like(weight, dtype=torch.long) if delays is None else delays) == steps)
