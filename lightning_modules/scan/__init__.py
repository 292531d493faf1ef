"""Runs any neuron over time."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.neurons.base import Neuron
from lightning_modules.scan.reference import Scanned, scan_loop


def scan(
    neuron: Neuron,
    *currents: Tensor,
    state: tuple | None = None,
    recurrent: Tensor | None = None,
    record: tuple[str, ...] = (),
    detach_every: int | None = None,
) -> Scanned:
    """Run ``neuron`` over ``currents``, ``[T, B, N]`` each; see ``scan_loop`` for the arguments.

    Raises ``ValueError`` when the shapes do not fit the neuron.
    """
    shapes = {tuple(c.shape) for c in currents}
    if len(currents) != neuron.inputs or len(shapes) != 1:
        raise ValueError(f"{neuron.name} takes {neuron.inputs} current(s) of one shape [T, B, N], got {sorted(shapes)}")
    (shape,) = shapes
    if len(shape) != 3 or shape[2] != neuron.size or shape[0] < 1:
        raise ValueError(f"a current must be [T, B, {neuron.size}] with T >= 1 for this layer, got {list(shape)}")
    return scan_loop(neuron, currents, state, recurrent, record, detach_every)


__all__ = ["Scanned", "scan"]


def scan_dense(neuron, x, weight, bias, recurrent=None, **options) -> Scanned:
    """Linear projection of ``x`` [T, B, M] and the scan over it."""
    return scan(neuron, torch.nn.functional.linear(x, weight, bias), recurrent=recurrent, **options)
