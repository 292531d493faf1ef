"""The forward pass of one block of the batch through all layers, chunk of time by chunk of time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lightning_modules.scan import buffer_pool
from lightning_modules.scan.event_products import MAX_SHARE, EventProducts
from lightning_modules.scan.kernels import CACHE_LINE
from lightning_modules.scan.plan import Chunk, Layer, StackPlan, merge_rows
from lightning_modules.scan.saved_segment import SavedSegment

MAX_SHARE_BACKWARD = 0.2  # of non-zeros, up to which the gradient of the weights is faster from events
STREAMED_BYTES = 1 << 24  # of a tensor, more than a cache holds until it is read
REPROJECT_EVENTS = 64  # events a row up to which projecting them again costs little time for the memory it saves


class Window(NamedTuple):
    """Where a kernel's first array is: ``array`` [T, B / merge, merge N], whose ``step`` and ``row`` begin a chunk."""

    array: np.ndarray
    step: int
    row: int

    @property
    def streams(self) -> bool:
        """Whether the array is written past the cache: it is too large to be read from there, and its rows are whole
        lines of the cache.
        """
        large = self.array.nbytes >= STREAMED_BYTES
        return large and self.array.shape[2] % 16 == 0 and self.array.ctypes.data % CACHE_LINE == 0

    def arguments(self, extra: list[np.ndarray]) -> tuple[Any, ...]:
        """For a kernel: the first array, ``extra`` ones, and where the first begins."""
        return self.array, *extra, self.step, self.row


class Block:
    """``rows`` samples of the batch from sample ``first`` on: the steps over time, and scratch memory for a chunk.

    Lists have an item per layer. Tensors [steps, rows, N] have the block's own rows.
    """

    def __init__(self, plan: StackPlan, layers: list[Layer], inputs: tuple[Tensor, ...], first: int, rows: int) -> None:
        self.plan = plan
        self.layers = layers
        self.rows = rows
        self.first = first
        self.samples = slice(first, first + rows)
        self.dtype = inputs[0].dtype
        self.input = inputs[0]  # of the whole batch
        self.inputs = [x[:, self.samples] for x in inputs]
        self.chunk_steps = plan.chunk_steps(rows)
        self.input_scratch = self._empty(self.chunk_steps, inputs[0].shape[2])
        self.extra_currents = [self._empty(self.chunk_steps, x.shape[2]) for x in inputs[1:]]  # of the first layer
        self.currents = [self._empty(self.chunk_steps, layer.size) for layer in layers]
        self.outputs = [self._empty(self.chunk_steps + 1, layer.size) for layer in layers]
        self.records: list[Tensor] = []  # every state of the last layer in one chunk, if any is recorded
        self.output_sums = [buffer_pool.zeros(rows, layer.size, dtype=self.dtype) for layer in layers]
        self.merges = [layer.samples_per_row(rows) for layer in layers]
        self.drive_arguments = [
            [
                argument
                for drive, row_drive in zip(layer.drives, layer.row_drives(merge), strict=True)
                for argument in (row_drive, int(len(drive) > 1))
            ]
            for layer, merge in zip(layers, self.merges, strict=True)
        ]
        self.output_arrays = [merge_rows(x, merge) for x, merge in zip(self.outputs, self.merges, strict=True)]
        self.extra_arrays: list[list[np.ndarray]] = [[] for _ in layers]
        self.extra_arrays[0] = [merge_rows(current, self.merges[0]) for current in self.extra_currents]
        widths = [inputs[0].shape[2], *(layer.size for layer in layers[:-1])]
        self.products = [
            EventProducts(layer.weight, self.chunk_steps * rows, width, self.dtype)
            for layer, width in zip(layers, widths, strict=True)
        ]

    def _empty(self, steps: int, size: int) -> Tensor:
        return buffer_pool.empty(steps, self.rows, size, dtype=self.dtype)

    def initial_states(self) -> list[list[Tensor]]:
        """The states (and, of a recurrent layer, the output) before the first step."""
        return [
            [state[self.samples] for state in (*layer.states, *([layer.previous] * layer.is_recurrent))]
            for layer in self.layers
        ]

    def forward(self, begin: int, end: int, saved: SavedSegment, output: Tensor | None, records: list[Tensor]) -> None:
        """Run from step ``begin`` to ``end``, starting from slot 0 of the saved states.

        Fills ``saved``, and this block's part of ``output`` and ``records`` [T, B, N].
        """
        torch.set_flush_denormal(False)
        last = len(self.layers) - 1
        if records and not self.records:
            self.records = [self._empty(self.chunk_steps, self.layers[-1].size) for _ in self.layers[-1].states]
        for chunk in self.plan.chunks(self.rows, begin, end):
            self._load_extra_currents(chunk)
            window = None if self.layers[-1].is_recurrent else self._window(last, output, chunk)
            for i in range(len(self.layers)):
                self._run_kernel(i, chunk, saved, window if i == last else None)
            if output is not None and window is None:
                output[chunk.time, self.samples] = self.outputs[-1][1 : chunk.steps + 1]
            for record, number in zip(records, self.plan.record, strict=False):
                record[chunk.time, self.samples] = self.records[number][: chunk.steps]

    def _load_extra_currents(self, chunk: Chunk) -> None:
        for current, x in zip(self.extra_currents, self.inputs[1:], strict=True):
            current[: chunk.steps] = x[chunk.time]

    def _run_kernel(self, i: int, chunk: Chunk, saved: SavedSegment, output: Window | None) -> None:
        """Run layer i's kernel on its current, into ``output`` or scratch memory."""
        layer = self.layers[i]
        merge = self.merges[i]
        recording = bool(self.records) and i == len(self.layers) - 1
        records = [self.output_arrays[i]] * len(layer.states)
        if recording:
            records = [merge_rows(record, merge) for record in self.records]
        *states, outputs = self._state_slots(i, saved)
        forward = layer.module.forward_streamed if output is not None and output.streams else layer.module.forward
        forward(
            chunk.steps,
            chunk.start,
            chunk.number % saved.slots,
            recording,
            *self._current_window(i, chunk, saved).arguments(self.extra_arrays[i]),
            *self.drive_arguments[i],
            *states,
            *records,
            outputs,
            *(output or (self.output_arrays[i], 1, 0)),
            merge_rows(self.output_sums[i], merge),
            layer.is_recurrent,
            layer.matrix,
            layer.matrix_bias,
        )

    def _state_slots(self, i: int, saved: SavedSegment) -> list[np.ndarray]:
        """Layer i's saved states, and its saved output or, where it has none, an array of the same shape."""
        slots = [merge_rows(state, self.merges[i]) for state in saved.states[i]]
        return slots if self.layers[i].is_recurrent else [*slots, self.output_arrays[i]]

    def _window(self, i: int, x: Tensor | None, chunk: Chunk) -> Window | None:
        """This block's part of ``x`` [T, B, N] in a chunk, as layer i's kernel takes it.

        None if the kernel cannot: ``x`` is none or not contiguous, or the merged samples do not divide the batch.
        """
        merge = self.merges[i]
        if x is None or not x.is_contiguous() or x.shape[1] % merge or self.first % merge:
            return None
        return Window(merge_rows(x, merge), chunk.start, self.first // merge)

    def _current_window(self, i: int, chunk: Chunk, saved: SavedSegment, replay: bool = False) -> Window:
        """Layer i's current, as its kernel takes it: the input itself, or projected.

        A ``replay`` takes a saved current where there is one.
        """
        layer = self.layers[i]
        if layer.in_place:
            window = None if self.plan.events is not None else self._window(i, self.input, chunk)
            return window or Window(merge_rows(self._dense_input(chunk), self.merges[i]), 0, 0)
        current = self._current_buffer(i, chunk, saved)
        if not replay:
            self._project(i, chunk, saved, current)
        elif self._reprojects(i, chunk, saved):
            torch.set_flush_denormal(False)
            self._project(i, chunk, saved, current)
            torch.set_flush_denormal(True)
        return Window(merge_rows(current.view(chunk.steps, self.rows, layer.size), self.merges[i]), 0, 0)

    def _current_buffer(self, i: int, chunk: Chunk, saved: SavedSegment) -> Tensor:
        """The memory of layer i's current: saved for the backward pass, or scratch."""
        buffer = saved.currents[i]
        size = chunk.steps * self.rows
        if buffer is None or self._reprojects(i, chunk, saved):
            return self.currents[i].view(-1, self.layers[i].size)[:size]
        start = (chunk.start - saved.begin) * self.rows
        return buffer[start : start + size]

    def _reprojects(self, i: int, chunk: Chunk, saved: SavedSegment) -> bool:
        """Whether the current is projected again from events, which are saved in any case, rather than saved, too."""
        layer = self.layers[0]
        if i or layer.is_recurrent or layer.weight is None or not self._find_events(0, chunk, saved):
            return False
        return saved.events[chunk.start][0][-1] <= REPROJECT_EVENTS * chunk.steps * self.rows

    def _project(self, i: int, chunk: Chunk, saved: SavedSegment, out: Tensor) -> None:
        layer = self.layers[i]
        if layer.weight is None:  # the kernel adds the recurrence to this copy
            out.copy_(self._matrix(i, chunk))
        elif self._find_events(i, chunk, saved, MAX_SHARE):
            self.products[i].project(layer.transposed.numpy(), layer.bias_row, out.numpy())
        elif (narrow := layer.narrow) is not None:
            weight = layer.transposed.numpy()
            narrow.project(*self._input_window(i, chunk), self.rows, weight, layer.bias_row, out.numpy())
        elif layer.bias is None:
            torch.mm(self._matrix(i, chunk), layer.transposed, out=out)
        else:
            torch.addmm(layer.bias, self._matrix(i, chunk), layer.transposed, out=out)

    def _matrix(self, i: int, chunk: Chunk) -> Tensor:
        """The input of layer i as a dense matrix."""
        x = self._dense_input(chunk) if i == 0 else self.outputs[i - 1][1 : chunk.steps + 1]
        return x.view(chunk.steps * self.rows, -1)

    def _input_window(self, i: int, chunk: Chunk) -> Window:
        """The input of layer i, not copied; a placeholder for one that is given by its events."""
        return Window(self.outputs[i - 1].numpy(), 1, 0) if i else Window(self.input.numpy(), chunk.start, self.first)

    def _dense_input(self, chunk: Chunk) -> Tensor:
        """The first input in a chunk, contiguous."""
        scratch = self.input_scratch[: chunk.steps]
        if self.plan.events is not None:
            self.products[0].spread(self.plan.events, chunk.start, self.first, scratch.numpy())
            return scratch
        if self.rows == self.plan.batch:
            return self.inputs[0][chunk.time]
        return scratch.copy_(self.inputs[0][chunk.time])

    def _find_events(self, i: int, chunk: Chunk, saved: SavedSegment, share: float = MAX_SHARE_BACKWARD) -> bool:
        """Find the events in the input of layer i; False if it is better taken as dense.

        Those of the first layer are saved.
        """
        products = self.products[i]
        if i:
            return products.find(*self._input_window(i, chunk), chunk.steps, self.rows, share)
        if chunk.start not in saved.events:
            window = self._input_window(0, chunk)
            few = products.find(*window, chunk.steps, self.rows, MAX_SHARE_BACKWARD, self.plan.events)
            saved.events[chunk.start] = products.copy(chunk.steps * self.rows) if few else ()
        if saved.events[chunk.start]:
            products.events = saved.events[chunk.start]
        return bool(saved.events[chunk.start])
