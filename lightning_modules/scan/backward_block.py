"""The backward pass of one block of the batch through all layers, chunk of time by chunk of time, last chunk first."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lightning_modules.scan import buffer_pool
from lightning_modules.scan.block import Block, Window
from lightning_modules.scan.plan import Chunk, Gradients, Layer, StackPlan, merge_rows, sum_merged_rows
from lightning_modules.scan.saved_segment import SavedSegment


class BackwardBlock(Block):
    """A block that adds its part to the gradients in ``sums``, one per layer.

    ``means`` [B, N] is the gradient of each layer's mean output, divided by T. ``joined``: gradients of recorded states
    or of single outputs join those of the last layer between steps, so its kernel runs step by step.
    """

    def __init__(
        self,
        plan: StackPlan,
        layers: list[Layer],
        inputs: tuple[Tensor, ...],
        first: int,
        rows: int,
        sums: list[Gradients],
        means: list[Tensor | None],
        joined: bool,
    ) -> None:
        super().__init__(plan, layers, inputs, first, rows)
        self.sums = sums
        self.stepwise = [layer.is_recurrent or (joined and layer is layers[-1]) for layer in layers]
        self.means = [
            torch.zeros_like(total) if mean is None else mean[self.samples].contiguous()
            for mean, total in zip(means, self.output_sums, strict=True)
        ]
        self.grads = [self._empty(self.chunk_steps, layer.size) for layer in layers]
        self.extra_grads = [self._empty(self.chunk_steps, layers[0].size) for _ in self.extra_currents]
        # of the output before a step, from the mean and the recurrence
        self.carry = [buffer_pool.empty(*mean.shape, dtype=self.dtype).copy_(mean) for mean in self.means]
        self.bias_sums = [np.zeros(layer.size * merge) for layer, merge in zip(layers, self.merges, strict=True)]
        # Sums over many steps are in double precision, so that their rounding is that of one addition.
        self.drive_sums = [
            [np.zeros((drive.shape[0], drive.shape[1] * merge)) for drive in layer.drives]
            for layer, merge in zip(layers, self.merges, strict=True)
        ]
        self.scratch = [self._kernel_scratch(i) for i in range(len(layers))]
        self.replayed = list(self.output_arrays)
        if not self.stepwise[-1]:  # nobody reads what the last layer's replay gives: one row serves all samples
            self.replayed[-1] = layers[-1].empty(self.chunk_steps + 1, 1, layers[-1].size * self.merges[-1])
        self.no_incoming = Window(layers[-1].empty(0, 0, 0), 0, 0)

    def _kernel_scratch(self, i: int) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """For layer i's kernel: a row per state, states before each step, sums over a few steps and over all, bias."""
        layer = self.layers[i]
        merge = self.merges[i]
        size = layer.size * merge
        state_rows = [layer.empty(size) for _ in layer.states]
        rows = self.rows // merge if self.stepwise[i] else 1
        past = [layer.empty(rows, self.chunk_steps, size) for _ in layer.states]
        drives: list[np.ndarray] = []
        for drive, total in zip(layer.drives, self.drive_sums[i], strict=True):
            drives += [layer.zeros(self.chunk_steps if len(drive) > 1 else 1, size), total]
        return state_rows, past, drives, [layer.zeros(size), self.bias_sums[i]]

    def backward(
        self,
        begin: int,
        end: int,
        saved: SavedSegment,
        output: Tensor | None,
        records: list[Tensor | None],
        probe: Tensor | None,
        inputs: list[Tensor | None],
    ) -> None:
        """Run back from step ``end`` to ``begin``.

        ``output`` and ``records`` [T, B, N] are the gradients that come in; ``probe`` and ``inputs`` are written.
        """
        last = len(self.layers) - 1
        # With a single layer on the input itself, its kernel turns the output's gradient into the input's in place.
        in_place = last == 0 and self.layers[0].in_place and not self.stepwise[0]
        for chunk in reversed(self.plan.chunks(self.rows, begin, end)):
            self._load_extra_currents(chunk)
            torch.set_flush_denormal(True)  # gradients that decay below 1e-38 would slow every product a hundredfold
            window = self._window(0, inputs[0], chunk) if in_place else None
            grad = self.grads[-1][: chunk.steps]
            if window is not None and inputs[0] is not None:
                grad = inputs[0][chunk.time, self.samples]
            incoming = None if self.stepwise[last] else self._window(last, output, chunk)
            if output is None:
                grad.zero_()
            elif incoming is None:
                grad.copy_(output[chunk.time, self.samples])
            for i in range(last, -1, -1):
                if i == last:
                    self._reverse_kernel(i, chunk, saved, records, probe, window, incoming)
                else:
                    self._reverse_kernel(i, chunk, saved, [], None, window, None)
                if i != last:
                    self._add_weight_grads(i + 1, chunk, saved)
                if i:
                    self._project_back(i, chunk, self._rows(self.grads[i - 1], chunk))
            self._add_weight_grads(0, chunk, saved)
            self._write_input_grads(chunk, inputs, window is None)
        torch.set_flush_denormal(False)

    def _rows(self, x: Tensor, chunk: Chunk) -> Tensor:
        """Scratch memory of a chunk as a matrix [steps * rows, N]."""
        return x[: chunk.steps].view(chunk.steps * self.rows, -1)

    def _project_back(self, i: int, chunk: Chunk, out: Tensor) -> None:
        """``out`` = gradient of layer i's input, from that of its current."""
        layer = self.layers[i]
        assert layer.weight is not None
        if layer.narrow is not None:
            grad = self._rows(self.grads[i], chunk).numpy()
            layer.narrow.project_back(grad, layer.weight.numpy(), layer.no_bias, out.numpy())
        else:
            torch.mm(self._rows(self.grads[i], chunk), layer.weight, out=out)

    def _write_input_grads(self, chunk: Chunk, inputs: list[Tensor | None], first: bool) -> None:
        """Write the gradients of the inputs; that of the ``first`` one only if it is not there already."""
        if first and inputs[0] is not None:
            grad = self.grads[0]
            if self.layers[0].weight is not None:
                grad = self.input_scratch
                self._project_back(0, chunk, self._rows(grad, chunk))
            inputs[0][chunk.time, self.samples] = grad[: chunk.steps]
        for input_grad, grad in zip(inputs[1:], self.extra_grads, strict=True):
            if input_grad is not None:
                input_grad[chunk.time, self.samples] = grad[: chunk.steps]

    def _reverse_kernel(
        self,
        i: int,
        chunk: Chunk,
        saved: SavedSegment,
        records: list[Tensor | None],
        probe: Tensor | None,
        window: Window | None,
        incoming: Window | None,
    ) -> None:
        """Run layer i's kernel in reverse: it turns the gradient of the output into that of the current, in place.

        The gradient is in ``window`` or scratch memory, or at first in ``incoming``.
        """
        layer = self.layers[i]
        merge = self.merges[i]
        detach = self.plan.detach_every
        slot = chunk.number % saved.slots
        steps = chunk.steps
        mean = merge_rows(self.means[i], merge)
        arguments = self._reverse_arguments(i, chunk, saved, window, incoming)
        if not self.stepwise[i]:
            streams = window is not None and window.streams and incoming is not None
            backward = layer.module.backward_streamed if streams else layer.module.backward
            backward(steps, chunk.start, slot, True, 0, steps, detach, *arguments, mean)
            return
        # Something joins the gradient between steps, so the kernel first only replays and then goes one step at a time.
        layer.module.backward(steps, chunk.start, slot, True, 0, 0, detach, *arguments, mean)
        rows = self.grads[i][:steps].unbind(0)
        carry = self.carry[i]
        for k in range(steps - 1, -1, -1):
            t = chunk.start + k
            self._join_gradients(i, t, rows[k], records, probe)
            layer.module.backward(
                steps, chunk.start, slot, False, k, k + 1, detach, *arguments, merge_rows(carry, merge)
            )
            if layer.recurrent is not None:
                if not detach or t == 0 or t % detach:
                    torch.addmm(self.means[i], rows[k], layer.recurrent, out=carry)
                else:
                    carry.copy_(self.means[i])

    def _reverse_arguments(
        self, i: int, chunk: Chunk, saved: SavedSegment, window: Window | None, incoming: Window | None
    ) -> tuple:
        merge = self.merges[i]
        *states, outputs = self._state_slots(i, saved)
        state_rows, past, drives, bias = self.scratch[i]
        extra_grads = [] if i else [merge_rows(grad, merge) for grad in self.extra_grads]
        grads = window or Window(merge_rows(self.grads[i], merge), 0, 0)
        return (
            *self._current_window(i, chunk, saved, replay=True).arguments(self.extra_arrays[i]),
            *self.drive_arguments[i],
            *states,
            *state_rows,
            *past,
            outputs,
            self.replayed[i],
            self.layers[i].is_recurrent,
            *(merge_rows(adjoint, merge) for adjoint in self.sums[i].states),
            *drives,
            *grads.arguments(extra_grads),
            *(incoming or self.no_incoming),
            *bias,
        )

    def _join_gradients(self, i: int, t: int, grad: Tensor, records: list[Tensor | None], probe: Tensor | None) -> None:
        """Add the gradients of states recorded at step ``t``, and write the total derivative of the output."""
        states = self.sums[i].states
        *new_states, output = self.layers[i].traced.forward.outputs
        for record, number in zip(records, self.plan.record, strict=False):
            if record is not None:
                states[number] += record[t, self.samples]
        if probe is not None:
            torch.add(grad, self.carry[i], out=probe[t, self.samples])
            for state, new in zip(states, new_states, strict=True):
                if new == output:  # this state is the output
                    probe[t, self.samples] += state

    def _add_weight_grads(self, i: int, chunk: Chunk, saved: SavedSegment) -> None:
        sums = self.sums[i]
        grad = self._rows(self.grads[i], chunk)
        if sums.weight is not None:
            if self._find_events(i, chunk, saved):
                self.products[i].outer(grad.numpy(), sums.weight.numpy())
            elif (narrow := self.layers[i].narrow) is not None:
                window = self._input_window(i, chunk)
                narrow.outer(*window, self.rows, grad.numpy(), sums.weight.numpy())
            else:
                torch.addmm(sums.weight, self._matrix(i, chunk).t(), grad, out=sums.weight)
        if sums.recurrent is not None:
            torch.addmm(sums.recurrent, grad.t(), self._rows(self.outputs[i], chunk), out=sums.recurrent)

    def finish(self) -> list[Gradients]:
        """The sums, once all segments are done."""
        for sums, bias, drives, merge in zip(self.sums, self.bias_sums, self.drive_sums, self.merges, strict=True):
            sums.bias = sum_merged_rows(bias, merge)  # of both biases
            sums.drives = [sum_merged_rows(drive, merge) for drive in drives]
        return self.sums
