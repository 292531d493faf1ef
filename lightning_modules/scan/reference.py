"""The plain PyTorch loop over time: slow, simple, and what the fused kernels are tested against."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.neurons.base import Neuron


class Scanned(NamedTuple):
    """What a scan gives: ``output`` [T, B, N], the ``state`` after the last step, and ``recorded`` named states [T, B, N]."""

    output: Tensor
    state: tuple
    recorded: dict[str, Tensor]


def scan_loop(
    neuron: Neuron,
    currents: tuple[Tensor, ...],
    state: tuple | None = None,
    recurrent: Tensor | None = None,
    record: tuple[str, ...] = (),
    detach_every: int | None = None,
) -> Scanned:
    """Run ``neuron`` over ``currents`` ([T, B, N] each).

    ``recurrent`` [N, N] adds ``output[t-1] @ recurrent.T`` to the first current. ``detach_every`` k cuts the gradient every k steps
    (truncated backpropagation through time).
    """
    steps, batch = currents[0].shape[:2]
    drive = {name: (value.unbind(0) if value.dim() == 2 else [value] * steps) for name, value in neuron.drive(steps).items()}
    now = neuron.initial_state(batch, currents[0]) if state is None else neuron.State(*state)  # type: ignore[arg-type]
    output = torch.zeros_like(currents[0][0])
    outputs, recorded = [], {name: [] for name in record}  # type: ignore[var-annotated]
    for t, at_t in enumerate(zip(*(c.unbind(0) for c in currents), strict=True)):  # x[t] here would make the backward pass O(T^2)
        if detach_every and t and t % detach_every == 0:
            now, output = neuron.State(*(s.detach() for s in now)), output.detach()
        if recurrent is not None:
            at_t = (at_t[0] + output @ recurrent.T, *at_t[1:])
        now, output = neuron.step(now, *at_t, **{name: value[t] for name, value in drive.items()})
        outputs.append(output)
        for name in record:
            recorded[name].append(getattr(now, name))
    return Scanned(torch.stack(outputs), now, {name: torch.stack(values) for name, values in recorded.items()})
