"""The projection of an input given as its events, for networks that go over time by themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_modules.scan import buffer_pool, event_input, workers
from lightning_modules.scan.event_input import EventInput
from lightning_modules.scan.event_products import MAX_SHARE, event_kernels

BLOCKS = 4  # of rows, for threads to take; not the number of threads, so that sums do not depend on it


def pays(x: EventInput) -> bool:
    """Whether ``project_events`` can take ``x``, and is faster than a product with the dense input."""
    steps, batch, width = x.shape
    return x.values.device.type == "cpu" and len(x.values) <= MAX_SHARE * steps * batch * width


def project_events(x: EventInput, weight: Tensor, bias: Tensor) -> Tensor:
    """``x @ weight.T + bias``, [T, B, N], on the CPU, with the gradients of ``weight`` [N, inputs] and ``bias`` [N].

    Raises ``ValueError`` for events that do not fit ``x.shape``, or weights for another number of inputs.
    """
    event_input.placeholder(x)  # checks the events
    if x.shape[2] != weight.shape[1]:
        raise ValueError(f"a weight for {weight.shape[1]} inputs has an input of {x.shape[2]}")
    projected: Tensor = _Projection.apply(x, weight, bias)
    return projected.view(*x.shape[:2], -1)


class _Projection(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: EventInput, weight: Tensor, bias: Tensor) -> Tensor:
        """``x`` as [T * B, inputs]."""
        ctx.input = x
        compiled = event_kernels()
        starts, channels, values = _arrays(x, weight.dtype)
        out = buffer_pool.empty(len(starts) - 1, len(weight), dtype=weight.dtype)
        transposed = buffer_pool.contiguous(weight.detach().t()).numpy()
        row = bias.detach().contiguous().numpy()
        edges = _edges(len(out))

        def run(block: int) -> None:
            first, last = edges[block : block + 2]
            compiled.project(starts[first : last + 1], channels, values, transposed, row, out.numpy()[first:last])

        workers.run_each(run, BLOCKS)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor]:
        compiled = event_kernels()
        grad = grad.contiguous()
        starts, channels, values = _arrays(ctx.input, grad.dtype)
        sums = buffer_pool.zeros(BLOCKS, ctx.input.shape[2], grad.shape[1], dtype=grad.dtype)
        edges = _edges(len(grad))

        def run(block: int) -> None:
            first, last = edges[block : block + 2]
            begin, end = starts[first], starts[last]
            rows = starts[first : last + 1] - begin
            out = sums[block].numpy()
            compiled.outer(rows, channels[begin:end], values[begin:end], grad.numpy()[first:last], out)

        workers.run_each(run, BLOCKS)
        return None, sums.sum(0).t().contiguous(), grad.sum(0)


def _arrays(x: EventInput, dtype: torch.dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts, channels and values."""
    return x.starts.numpy(), x.channels.numpy(), x.values.to(dtype).numpy()


def _edges(rows: int) -> list[int]:
    """The first row of each block, and the end."""
    return [rows * block // BLOCKS for block in range(BLOCKS + 1)]
