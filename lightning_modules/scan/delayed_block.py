"""The forward pass of one block of the batch, ``LANES`` samples, through a layer with delays."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lightning_modules.scan import buffer_pool
from lightning_modules.scan.lanes import LANES
from lightning_modules.scan.trace import Traced

CHUNK_ELEMENTS = 1 << 17  # elements of a chunk's outputs: a few such arrays fit a core's cache
CHUNK_STEPS = (8, 64)  # fewest and most steps of a chunk


class Rows(NamedTuple):
    """Synapses by input, for the kernels: input j has those from ``starts[j]`` to ``starts[j + 1]``.

    ``places``: the row ``d * N + n`` that each reaches. The first three leave out weights of 0; ``ends`` and ``rows``
    have all synapses, for the gradient of the weights, or none where it is not needed.
    """

    starts: np.ndarray  # int64 [inputs + 1]
    places: np.ndarray  # uint32
    weights: np.ndarray
    ends: np.ndarray  # int64 [inputs + 1] or [1]
    rows: np.ndarray  # uint32


@dataclass
class DelayedLayer:
    """A layer with delays, its tensors detached, and the settings of a run."""

    traced: Traced
    module: ModuleType
    steps: int
    batch: int
    size: int
    depth: int  # steps that a current can be in flight; delays are 0 to depth - 1
    detach_every: int
    checkpoint_every: int
    record: tuple[int, ...]
    return_output: bool
    training: bool
    inputs: tuple[Tensor, ...]  # contiguous
    projected: bool  # the first input goes through ``incoming``
    incoming: Rows
    own: Rows
    bias: Tensor  # [N]
    previous: Tensor  # [B, N]
    in_flight: Tensor  # [depth, B, N]
    states: tuple[Tensor, ...]  # [B, N]
    drives: tuple[Tensor, ...]  # [1, N] or [T, N]
    arguments: list = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dtype = self.previous.dtype
        self.width = self.size * LANES
        self.blocks = [(first, min(LANES, self.batch - first)) for first in range(0, self.batch, LANES)]
        every = self.checkpoint_every or self.steps
        self.segments = [(t, min(t + every, self.steps)) for t in range(0, self.steps, every)]
        fewest, most = CHUNK_STEPS
        self.chunk_steps = min(max(fewest, min(CHUNK_ELEMENTS // self.width, most)), self.segments[0][1])
        self.bias_row = self.bias.repeat_interleave(LANES).numpy()
        for drive in self.drives:
            self.arguments += [np.repeat(drive.numpy(), LANES, axis=1), int(len(drive) > 1)]

    def chunks(self, begin: int, end: int) -> list[tuple[int, int]]:
        """(first step, steps) of each chunk of a segment."""
        return [(t, min(self.chunk_steps, end - t)) for t in range(begin, end, self.chunk_steps)]


class Segment(NamedTuple):
    """What the forward pass saves of a segment from step ``begin`` to ``end``.

    ``heads``: each state, then the output, before each chunk, [chunks, 1, N * LANES]. ``currents`` [steps + depth, 1,
    N * LANES]; where the backward pass computes them again only their first ``depth`` rows, and one chunk of ``heads``.
    """

    begin: int
    end: int
    heads: list[Tensor]
    currents: Tensor


class DelayedBlock:
    """``count`` samples from sample ``first`` on."""

    def __init__(self, layer: DelayedLayer, first: int, count: int) -> None:
        self.layer = layer
        self.first = first
        self.count = count
        self.kernels = layer.module
        self.inputs = [self.empty(layer.chunk_steps, x.shape[2] * LANES) for x in layer.inputs]
        self.outputs = self.empty(layer.chunk_steps + 1, layer.width)

    def empty(self, steps: int, width: int) -> Tensor:
        return buffer_pool.empty(steps, 1, width, dtype=self.layer.dtype)

    def zeros(self, steps: int, width: int) -> Tensor:
        return self.empty(steps, width).zero_()

    def lanes(self, x: Tensor, zeros: bool = False) -> Tensor:
        """``x`` [*, B, N] of this block as [*, 1, N * LANES]; the lanes without a sample as ``load`` fills them."""
        out = self.empty(len(x), x.shape[2] * LANES)
        self.kernels.load(x.contiguous().numpy(), 0, self.first, self.count, zeros, out.numpy())
        return out

    def samples(self, lanes: Tensor, out: Tensor) -> None:
        """Write ``lanes`` [*, 1, N * LANES] to this block's samples of ``out`` [*, B, N]."""
        self.kernels.store(lanes.numpy(), 0, self.first, self.count, out.numpy())

    def load_inputs(self, t: int, steps: int) -> list[np.ndarray]:
        """The inputs from step ``t`` on, [steps, 1, inputs * LANES] each."""
        arrays = [buffer[:steps].numpy() for buffer in self.inputs]
        for x, array in zip(self.layer.inputs, arrays, strict=True):
            self.kernels.load(x.numpy(), t, self.first, self.count, False, array)
        return arrays

    def start(self) -> tuple[list[Tensor], Tensor]:
        """States and output before the first step, and the currents in flight."""
        layer = self.layer
        return [self.lanes(part[None]) for part in (*layer.states, layer.previous)], self.lanes(layer.in_flight)

    def run_segment(
        self,
        begin: int,
        end: int,
        now: list[Tensor],
        in_flight: Tensor,
        total: Tensor,
        output: Tensor | None,
        records: list[Tensor],
        save: bool,
    ) -> Segment:
        """Run from step ``begin`` to ``end``; changes the states and the output ``now`` in place.

        Adds the outputs to ``total`` and fills this block's part of ``output`` and ``records`` [T, B, N]. With ``save``
        the segment has the heads of all chunks.
        """
        layer = self.layer
        torch.set_flush_denormal(False)
        chunks = layer.chunks(begin, end)
        currents = self.empty(end - begin + layer.depth, layer.width)
        currents[: layer.depth] = in_flight
        heads = [self.empty(len(chunks) if save else 1, layer.width) for _ in now]
        *states, previous = now
        recorded = [self.empty(layer.chunk_steps if records else 1, layer.width).numpy() for _ in states]
        self.outputs[0] = previous[0]
        for number, (t, steps) in enumerate(chunks):
            if save or number == 0:
                for head, part in zip(heads, (*states, self.outputs[:1]), strict=True):
                    head[number] = part[0]
            x, *extra = self.load_inputs(t, steps)
            self.kernels.forward_delayed(
                steps,
                t,
                layer.depth,
                bool(records),
                layer.projected,
                currents.numpy(),
                t - begin,
                x,
                *extra,
                *layer.arguments,
                *(state.numpy() for state in states),
                *recorded,
                self.outputs.numpy(),
                total[0].numpy(),
                layer.bias_row,
                *layer.incoming[:3],
                *layer.own[:3],
            )
            if output is not None:
                self.kernels.store(self.outputs[1 : steps + 1].numpy(), t, self.first, self.count, output.numpy())
            for record, number_of_state in zip(records, layer.record, strict=False):
                array = recorded[number_of_state][:steps]
                self.kernels.store(array, t, self.first, self.count, record.numpy())
            self.outputs[0] = self.outputs[steps]
        previous.copy_(self.outputs[:1])
        return Segment(begin, end, heads, currents)
