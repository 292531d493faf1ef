"""The plain PyTorch loop over time: slow, simple, and what the fused kernels are tested against."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.neurons.base import Neuron


class Scanned(NamedTuple):
    """The results of a scan.

    ``output`` [T, B, N] ([B, N] if averaged), ``state`` after the last step, ``recorded`` states [T, B, N]. With delays
    ``in_flight`` [depth, B, N] has the currents that arrive after the last step, without those of the last output.
    """

    output: Tensor
    state: tuple
    recorded: dict[str, Tensor]
    in_flight: Tensor | None = None


def scan_loop(
    neuron: Neuron,
    currents: tuple[Tensor, ...],
    state: tuple | None = None,
    recurrent: Tensor | None = None,
    recurrent_bias: Tensor | None = None,
    previous: Tensor | None = None,
    record: tuple[str, ...] = (),
    detach_every: int | None = None,
    probe: Tensor | None = None,
) -> Scanned:
    """Run ``neuron`` over ``currents`` ([T, B, N] each).

    ``recurrent`` [N, N] adds ``output[t-1] @ recurrent.T + recurrent_bias`` to the first current; ``previous`` [B, N]
    is the output before the first step (zeros). ``detach_every`` k cuts the gradient every k steps (truncated
    backpropagation through time). ``probe`` [T, B, N], zeros, is added to every output: its gradient is the total
    derivative with respect to that output.
    """
    steps, batch = currents[0].shape[:2]
    drive = {
        name: (value.unbind(0) if value.dim() == 2 else [value] * steps) for name, value in neuron.drive(steps).items()
    }
    now: Any = neuron.initial_state(batch, currents[0]) if state is None else neuron.State(*state)
    output = torch.zeros_like(currents[0][0]) if previous is None else previous
    outputs: list[Tensor] = []
    recorded: dict[str, list[Tensor]] = {name: [] for name in record}
    probes = () if probe is None else probe.unbind(0)
    # x[t] here would make the backward pass O(T^2)
    for t, at_t in enumerate(zip(*(c.unbind(0) for c in currents), strict=True)):
        if detach_every and t and t % detach_every == 0:
            now = neuron.State(*(s.detach() for s in now))
            output = output.detach()
        if recurrent is not None:
            at_t = (at_t[0] + functional.linear(output, recurrent, recurrent_bias), *at_t[1:])
        now, output = neuron.step(now, *at_t, **{name: value[t] for name, value in drive.items()})
        if probe is not None:
            probed = output + probes[t]
            now = neuron.State(*(probed if s is output else s for s in now))
            output = probed
        outputs.append(output)
        for name in record:
            recorded[name].append(getattr(now, name))
    return Scanned(torch.stack(outputs), now, {name: torch.stack(values) for name, values in recorded.items()})
