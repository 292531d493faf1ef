"""The backward pass of one block of the batch through a layer with delays, last chunk of time first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from lightning_modules.scan.delayed_block import DelayedBlock, DelayedLayer, Segment
from lightning_modules.scan.lanes import LANES


@dataclass
class Incoming:
    """Gradients that come in: of the output [T, B, N], its mean over T [B, N], records, last states and currents in
    flight after the last step."""

    output: Tensor | None
    mean: Tensor
    records: list[Tensor | None]
    states: list[Tensor]
    in_flight: Tensor


@dataclass
class Outgoing:
    """Gradients that the blocks write, each for its samples; ``None`` where not needed."""

    inputs: list[Tensor | None]
    probe: Tensor | None
    previous: Tensor
    states: list[Tensor]
    in_flight: Tensor


class BlockSums:
    """A block's part of the gradients that are summed over samples, in double precision."""

    def __init__(self, layer: DelayedLayer) -> None:
        self.weight = np.zeros(len(layer.incoming.rows))  # by input, then by neuron
        self.recurrent = np.zeros(len(layer.own.rows))
        self.bias = np.zeros(layer.width)
        self.drives = [np.zeros((len(drive), layer.width)) for drive in layer.drives]

    def arrays(self) -> list[np.ndarray]:
        return [self.weight, self.recurrent, self.bias, *self.drives]


class BackwardDelayedBlock(DelayedBlock):
    """A block that runs back in time and adds to its sums."""

    def __init__(self, layer: DelayedLayer, first: int, count: int, incoming: Incoming, outgoing: Outgoing) -> None:
        super().__init__(layer, first, count)
        self.incoming = incoming
        self.outgoing = outgoing
        self.sums = BlockSums(layer)
        self.mean = self.lanes(incoming.mean[None], zeros=True)
        self.carry = self.mean.clone()
        self.adjoints = [self.lanes(state[None], zeros=True) for state in incoming.states]
        self.later = self.lanes(incoming.in_flight, zeros=True)  # gradients of the currents after this chunk
        steps = layer.chunk_steps
        self.grads = self.empty(steps + layer.depth, layer.width)
        self.turned = self.empty(LANES, (steps + layer.depth) * layer.size)[:, 0].numpy()
        self.extra_grads = [self.empty(steps, layer.width) for _ in layer.inputs[1:]]
        self.state_rows = [layer.previous.new_empty(layer.width).numpy() for _ in layer.states]
        self.past = [self.empty(steps, layer.width)[:, 0][None].numpy() for _ in layer.states]
        self.parts = [
            np.zeros((steps if len(drive) > 1 else 1, layer.width), self.bias_dtype) for drive in layer.drives
        ]
        self.bias_part = np.zeros(layer.width, self.bias_dtype)
        self.joined = any(record is not None for record in incoming.records)
        self.join = [self.zeros(steps if self.joined else 1, layer.width) for _ in layer.states]
        self.probe = self.empty(1 if outgoing.probe is None else steps, layer.width)
        needs_x = outgoing.inputs[0] is not None
        self.x_grads = self.empty(steps if needs_x else 0, layer.inputs[0].shape[2] * LANES)
        self.weight_part = np.zeros(len(layer.incoming.rows), self.bias_dtype)
        self.recurrent_part = np.zeros(len(layer.own.rows), self.bias_dtype)

    @property
    def bias_dtype(self) -> np.dtype:
        return self.layer.bias_row.dtype

    def reverse(self, segment: Segment) -> None:
        """Run back through a ``segment`` that has the heads of all its chunks."""
        chunks = self.layer.chunks(segment.begin, segment.end)
        for number, (t, steps) in reversed(list(enumerate(chunks))):
            self._reverse_chunk(segment, number, t, steps)

    def _reverse_chunk(self, segment: Segment, number: int, t: int, steps: int) -> None:
        layer = self.layer
        kernels = self.kernels
        x, *extra = self.load_inputs(t, steps)
        grads = self.grads[: steps + layer.depth]
        grads[steps:] = self.later
        self._load(self.incoming.output, t, grads[:steps])
        for record, state in zip(self.incoming.records, layer.record, strict=False):
            self._load(record, t, self.join[state][:steps])
        *heads, output_heads = (head.numpy() for head in segment.heads)
        drives = [argument for pair in zip(self.parts, self.sums.drives, strict=True) for argument in pair]
        kernels.backward_delayed(
            steps,
            t,
            number,
            layer.detach_every,
            layer.depth,
            self.joined,
            self.outgoing.probe is not None,
            layer.projected,
            segment.currents.numpy(),
            *extra,
            t - segment.begin,
            *layer.arguments,
            *heads,
            *self.state_rows,
            *self.past,
            output_heads,
            self.outputs.numpy(),
            *(adjoint[0].numpy() for adjoint in self.adjoints),
            *drives,
            grads.numpy(),
            *(grad.numpy() for grad in self.extra_grads),
            self.bias_part,
            self.sums.bias,
            self.mean[0].numpy(),
            self.carry[0].numpy(),
            *(join.numpy() for join in self.join),
            self.probe.numpy(),
            self.turned,
            x,
            self.x_grads.numpy(),
            *layer.incoming,
            self.weight_part,
            *layer.own,
            self.recurrent_part,
        )
        kernels.flush(self.sums.weight, self.weight_part)
        kernels.flush(self.sums.recurrent, self.recurrent_part)
        self.later.copy_(grads[: layer.depth])
        for out, part in zip(self.outgoing.inputs, (self.x_grads, *self.extra_grads), strict=True):
            self._store(part, steps, t, out)
        self._store(self.probe, steps, t, self.outgoing.probe)

    def _load(self, gradient: Tensor | None, t: int, out: Tensor) -> None:
        """``out`` [steps, 1, N * LANES] = ``gradient`` [T, B, N] from step ``t`` on, 0 where there is none."""
        if gradient is None:
            out.zero_()
        else:
            self.kernels.load(gradient.numpy(), t, self.first, self.count, True, out.numpy())

    def _store(self, part: Tensor, steps: int, t: int, out: Tensor | None) -> None:
        if out is not None:
            self.kernels.store(part[:steps].numpy(), t, self.first, self.count, out.numpy())

    def finish(self) -> BlockSums:
        """Write the gradients of what was given before the first step; the sums."""
        self.samples(self.carry, self.outgoing.previous[None])
        for adjoint, state in zip(self.adjoints, self.outgoing.states, strict=True):
            self.samples(adjoint, state[None])
        self.samples(self.later, self.outgoing.in_flight)
        return self.sums
