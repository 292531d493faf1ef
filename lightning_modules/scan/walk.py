"""One block of the batch on its walk through all layers, chunk of time by chunk of time, forward and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_modules.scan import kernels, memory
from lightning_modules.scan.event_input import EventInput
from lightning_modules.scan.run import Gradients, Kept, Layer, Run, folded, unfolded

SPARSE = 0.3  # below this share of non-zeros a product from events is the faster one
SPARSE_BACK = 0.2  # the same for the gradient of the weights
WIDE = 32  # outputs below which finding the events costs more than the dense product
WAIT = 8  # chunks to go dense before looking again
FEW = 64  # events a row up to which projecting them again costs little time for the memory it saves

# [T, B / fold, fold N], and the step and the row in it where a block's chunk begins
Window = tuple[np.ndarray, int, int]


class Block:
    """Scratch memory of one block, and the steps over it. Everything has the block's own rows."""

    def __init__(self, run: Run, layers: list[Layer], inputs: tuple[Tensor, ...], first: int, rows: int) -> None:
        self.run = run
        self.layers = layers
        self.rows = rows
        self.first = first
        self.own = slice(first, first + rows)
        self.kind = inputs[0].dtype
        self.given = inputs[0]
        self.raw = inputs[0].numpy()
        self.inputs = [x[:, self.own] for x in inputs]
        self.chunk = run.chunk(rows)
        self.whole = rows == run.batch  # a chunk of the input is contiguous as it is
        self.sheet = self._empty(self.chunk, inputs[0].shape[2])
        self.sides = [self._empty(self.chunk, x.shape[2]) for x in inputs[1:]]
        self.currents = [self._empty(self.chunk, layer.size) for layer in layers]
        self.outputs = [self._empty(self.chunk + 1, layer.size) for layer in layers]
        self.records: list[Tensor] = []  # every state of the last layer in one chunk, if any is asked for
        self.totals = [memory.zeros(rows, layer.size, dtype=self.kind) for layer in layers]
        self.folds = [layer.fold(rows) for layer in layers]
        self.driven = [
            [a for d, long in zip(layer.drives, layer.repeated(fold), strict=True) for a in (long, int(len(d) > 1))]
            for layer, fold in zip(layers, self.folds, strict=True)
        ]
        self.rows_of = [
            [layer.empty(layer.size * fold) for _ in layer.states]
            for layer, fold in zip(layers, self.folds, strict=True)
        ]
        self.outs = [folded(o, fold) for o, fold in zip(self.outputs, self.folds, strict=True)]
        self.side_arrays = [[folded(s, fold) for s in (() if i else self.sides)] for i, fold in enumerate(self.folds)]
        self.events = [
            Events(layer, self.chunk * rows, x, self.kind) for layer, x in zip(layers, self._widths(), strict=True)
        ]

    def _empty(self, steps: int, size: int) -> Tensor:
        return memory.empty(steps, self.rows, size, dtype=self.kind)

    def _widths(self) -> list[int]:
        return [self.inputs[0].shape[2], *(layer.size for layer in self.layers[:-1])]

    def heads(self) -> list[list[Tensor]]:
        """The states (and output) before the first step."""
        return [[s[self.own] for s in (*layer.states, *([layer.previous] * layer.linked))] for layer in self.layers]

    def _input(self, t: int, steps: int) -> Tensor:
        """The first input of a chunk, contiguous."""
        if self.run.events is not None:
            self.events[0].spread(self.run.events, t, self.first, self.sheet[:steps].numpy())
            return self.sheet[:steps]
        return self.inputs[0][t : t + steps] if self.whole else self.sheet[:steps].copy_(self.inputs[0][t : t + steps])

    def _find(self, i: int, t: int, steps: int, kept: Kept, share: float = SPARSE_BACK) -> bool:
        """Look for events in the input of layer i; False if it is better taken as dense. Those of the first layer are
        kept."""
        if i:
            return self.events[i].find(self.outputs[i - 1].numpy(), 1, steps, 0, self.rows, share)
        if t not in kept.events:
            found = self.events[0].find(self.raw, t, steps, self.first, self.rows, SPARSE_BACK, self.run.events)
            kept.events[t] = self.events[0].copy(steps * self.rows) if found else ()
        if kept.events[t]:
            self.events[0].arrays = kept.events[t]
        return bool(kept.events[t])

    def _dense(self, i: int, t: int, steps: int) -> Tensor:
        """The input of layer i as a matrix."""
        x = self._input(t, steps) if i == 0 else self.outputs[i - 1][1 : steps + 1]
        return x.view(steps * self.rows, -1)

    def _project(self, i: int, t: int, steps: int, kept: Kept, out: Tensor) -> None:
        layer = self.layers[i]
        if layer.weight is None:  # the recurrence is added to it
            out.copy_(self._dense(i, t, steps))
        elif self._find(i, t, steps, kept, SPARSE):
            self.events[i].project(layer.transposed.numpy(), layer.bias_row, out.numpy())
        elif layer.bias is None:
            torch.mm(self._dense(i, t, steps), layer.transposed, out=out)
        else:
            torch.addmm(layer.bias, self._dense(i, t, steps), layer.transposed, out=out)

    def _from_events(self, i: int, t: int, steps: int, kept: Kept) -> bool:
        """Whether to project a current again from the events that are kept anyway, rather than keep it."""
        if i or self.layers[0].linked or self.layers[0].weight is None or not self._find(0, t, steps, kept):
            return False
        return kept.events[t][0][-1] <= FEW * steps * self.rows

    def _current(self, i: int, t: int, steps: int, kept: Kept) -> Tensor:
        """Where the current of layer i is, or goes: what is kept for the backward pass, or scratch memory."""
        store = kept.currents[i]
        flat = steps * self.rows
        if store is None or self._from_events(i, t, steps, kept):
            return self.currents[i].view(-1, self.layers[i].size)[:flat]
        start = (t - kept.begin) * self.rows
        return store[start : start + flat]

    def _ready(self, i: int, t: int, steps: int, kept: Kept, again: bool = False) -> Window:
        """Layer i's current as its kernel takes it: the input itself, or projected, unless ``again`` and it was
        kept."""
        layer = self.layers[i]
        if layer.in_place:
            given = None if self.run.events is not None else self.given
            return self._window(i, given, t) or (folded(self._input(t, steps), self.folds[i]), 0, 0)
        current = self._current(i, t, steps, kept)
        if not again:
            self._project(i, t, steps, kept, current)
        elif self._from_events(i, t, steps, kept):
            torch.set_flush_denormal(False)
            self._project(i, t, steps, kept, current)
            torch.set_flush_denormal(True)
        return folded(current.view(steps, self.rows, layer.size), self.folds[i]), 0, 0

    def _neurons(self, i: int, c: int, t: int, steps: int, kept: Kept, output: Window | None) -> None:
        """Run layer i's kernel on its current, into ``output`` or scratch memory."""
        layer = self.layers[i]
        fold = self.folds[i]
        last = i == len(self.layers) - 1
        records = (
            [folded(r, fold) for r in self.records] if last and self.records else [self.outs[i]] * len(layer.states)
        )
        *heads, head = self._heads(i, kept)
        layer.module.forward(
            steps, t, c % kept.slots, bool(last and self.records), *_split(self._ready(i, t, steps, kept), self.side_arrays[i]),
            *self.driven[i], *heads, *records, head, *(output or (self.outs[i], 1, 0)), folded(self.totals[i], fold),
            layer.linked, layer.matrix, layer.matrix_bias,
        )  # fmt: skip

    def _heads(self, i: int, kept: Kept) -> list[np.ndarray]:
        """Layer i's kept states, and its kept output or, if nobody looks at that, something of its shape."""
        heads = [folded(head, self.folds[i]) for head in kept.heads[i]]
        return heads if self.layers[i].linked else [*heads, self.outs[i]]

    def _window(self, i: int, whole: Tensor | None, t: int) -> Window | None:
        """``whole`` [T, B, N] as layer i's kernel takes it, and where step ``t`` of this block's first sample is in it.

        None if the kernel cannot: there is nothing, it is not contiguous, or the inner loop's samples do not divide the
        batch.
        """
        fold = self.folds[i]
        if whole is None or not whole.is_contiguous() or whole.shape[1] % fold or self.first % fold:
            return None
        return folded(whole, fold), t, self.first // fold

    def _load_sides(self, t: int, steps: int) -> None:
        for side, x in zip(self.sides, self.inputs[1:], strict=True):
            side[:steps] = x[t : t + steps]

    def forward(self, begin: int, end: int, kept: Kept, output: Tensor | None, records: list[Tensor]) -> None:
        """Walk from ``begin`` to ``end``, starting from slot 0 of what is kept."""
        torch.set_flush_denormal(False)
        if records and not self.records:
            self.records = [self._empty(self.chunk, self.layers[-1].size) for _ in self.layers[-1].states]
        for c, t, steps in self.run.chunks(self.rows, begin, end):
            self._load_sides(t, steps)
            window = None if self.layers[-1].linked else self._window(-1, output, t)
            for i in range(len(self.layers)):
                self._neurons(i, c, t, steps, kept, window if i == len(self.layers) - 1 else None)
            if output is not None and window is None:
                output[t : t + steps, self.own] = self.outputs[-1][1 : steps + 1]
            for record, number in zip(records, self.run.record, strict=False):
                record[t : t + steps, self.own] = self.records[number][:steps]

    def prepare(self, sums: list[Gradients], means: list[Tensor | None], joined: bool) -> None:
        """Room for the backward pass. ``means`` [B, N] is the gradient of each layer's mean output, divided by T.

        ``joined``: gradients join the last layer's states or outputs between steps.
        """
        self.stepwise = [layer.linked or (joined and layer is self.layers[-1]) for layer in self.layers]
        self.sums = sums
        zero = [torch.zeros_like(total) for total in self.totals]
        self.means = [zero[i] if m is None else m[self.own].contiguous() for i, m in enumerate(means)]
        self.grads = [self._empty(self.chunk, layer.size) for layer in self.layers]
        self.side_grads = [self._empty(self.chunk, self.layers[0].size) for _ in self.sides]
        self.carry = [memory.empty(*mean.shape, dtype=self.kind).copy_(mean) for mean in self.means]
        self.bias_sums = [np.zeros(layer.size * fold) for layer, fold in zip(self.layers, self.folds, strict=True)]
        # Sums over many steps: double, so that their rounding is that of one addition.
        self.drive_sums = [
            [np.zeros((d.shape[0], d.shape[1] * fold)) for d in layer.drives]
            for layer, fold in zip(self.layers, self.folds, strict=True)
        ]
        self.ends = []
        for i, (layer, fold) in enumerate(zip(self.layers, self.folds, strict=True)):
            row = layer.size * fold
            adjoints = [folded(s, fold) for s in sums[i].states]
            drives = [
                a for d, total in zip(layer.drives, self.drive_sums[i], strict=True)
                for a in (layer.zeros(self.chunk if len(d) > 1 else 1, row), total)
            ]  # fmt: skip
            past = [layer.empty(self.rows // fold if self.stepwise[i] else 1, self.chunk, row) for _ in layer.states]
            self.ends.append((past, adjoints, drives, layer.zeros(row)))

    def backward(
        self,
        begin: int,
        end: int,
        kept: Kept,
        output: Tensor | None,
        records: list,
        probe: Tensor | None,
        inputs: list[Tensor | None],
    ) -> None:
        """Walk back from ``end`` to ``begin``. ``output``, ``records``: gradients coming in [T, B, N]; ``probe``,
        ``inputs``: going out."""
        lone = (
            len(self.layers) == 1 and self.layers[0].in_place and not self.stepwise[0]
        )  # what comes in is all that the kernel turns around
        for c, t, steps in reversed(self.run.chunks(self.rows, begin, end)):
            self._load_sides(t, steps)
            torch.set_flush_denormal(True)  # gradients that decay below 1e-38 would slow every product a hundredfold
            window = self._window(0, inputs[0], t) if lone else None
            top = self.grads[-1][:steps] if window is None else inputs[0][t : t + steps, self.own]  # type: ignore[index]
            top.zero_() if output is None else top.copy_(output[t : t + steps, self.own])
            for i in range(len(self.layers) - 1, -1, -1):
                last = i == len(self.layers) - 1
                self._reverse(i, c, t, steps, kept, records if last else [], probe if last else None, window)
                if not last:
                    self._products(i + 1, t, steps, kept)
                if i:
                    flat = self.grads[i - 1][:steps].view(steps * self.rows, -1)
                    torch.mm(self.grads[i][:steps].view(steps * self.rows, -1), self.layers[i].weight, out=flat)  # type: ignore[arg-type]
            self._products(0, t, steps, kept)
            self._leave(t, steps, inputs, window is None)
        torch.set_flush_denormal(False)

    def _leave(self, t: int, steps: int, inputs: list[Tensor | None], first: bool) -> None:
        """Write the gradients of the inputs, the ``first`` one's if it is not there already."""
        grad = self.grads[0][:steps]
        if first and inputs[0] is not None:
            if self.layers[0].weight is not None:
                torch.mm(
                    grad.view(steps * self.rows, -1),
                    self.layers[0].weight,
                    out=self.sheet[:steps].view(steps * self.rows, -1),
                )
                grad = self.sheet[:steps]
            inputs[0][t : t + steps, self.own] = grad
        for below, side in zip(inputs[1:], self.side_grads, strict=True):
            if below is not None:
                below[t : t + steps, self.own] = side[:steps]

    def _reverse(
        self, i: int, c: int, t: int, steps: int, kept: Kept, records: list, probe: Tensor | None, window: Window | None
    ) -> None:
        """The neurons of layer i in reverse: their gradient turns from that of the output into that of the current.

        It is in ``window`` or scratch memory.
        """
        layer = self.layers[i]
        fold = self.folds[i]
        detach = self.run.detach_every
        *heads, head = self._heads(i, kept)
        past, adjoints, parts, part = self.ends[i]
        grads = _split(
            window or (folded(self.grads[i], fold), 0, 0), [folded(g, fold) for g in (() if i else self.side_grads)]
        )
        before = (
            *_split(self._ready(i, t, steps, kept, again=True), self.side_arrays[i]), *self.driven[i], *heads, *self.rows_of[i],
            *past, head, self.outs[i], layer.linked, *adjoints, *parts, *grads, part, self.bias_sums[i],
        )  # fmt: skip
        if not self.stepwise[i]:
            layer.module.backward(
                steps, t, c % kept.slots, True, 0, steps, detach, *before, folded(self.means[i], fold)
            )
            return
        # One step at a time, since something joins the gradient between steps. ``carry`` is the mean's gradient and the
        # recurrence's.
        layer.module.backward(steps, t, c % kept.slots, True, 0, 0, detach, *before, folded(self.means[i], fold))
        rows = self.grads[i][:steps].unbind(0)
        carry = self.carry[i]
        for k in range(steps - 1, -1, -1):
            self._join(i, t + k, rows[k], records, probe)
            layer.module.backward(steps, t, c % kept.slots, False, k, k + 1, detach, *before, folded(carry, fold))
            if layer.linked and (not detach or t + k == 0 or (t + k) % detach):
                torch.addmm(self.means[i], rows[k], layer.recurrent, out=carry)  # type: ignore[arg-type]
            elif layer.linked:
                carry.copy_(self.means[i])

    def _join(self, i: int, t: int, grad: Tensor, records: list, probe: Tensor | None) -> None:
        """Add the gradients of recorded states, and write the total derivative of the output."""
        states = self.sums[i].states
        traced = self.layers[i].traced
        for record, number in zip(records, self.run.record, strict=False):
            if record is not None:
                states[number] += record[t, self.own]
        if probe is not None:
            torch.add(grad, self.carry[i], out=probe[t, self.own])
            for state, new in zip(states, traced.forward.outputs[:-1], strict=True):
                if new == traced.forward.outputs[-1]:  # this state is the output
                    probe[t, self.own] += state

    def _products(self, i: int, t: int, steps: int, kept: Kept) -> None:
        """Add a chunk to the gradients of the weights."""
        sums = self.sums[i]
        grad = self.grads[i][:steps].view(steps * self.rows, -1)
        if sums.weight is not None:
            if self._find(i, t, steps, kept):
                self.events[i].outer(grad.numpy(), sums.weight.numpy())
            else:
                torch.addmm(sums.weight, self._dense(i, t, steps).t(), grad, out=sums.weight)
        if sums.recurrent is not None:
            torch.addmm(
                sums.recurrent, grad.t(), self.outputs[i][:steps].view(steps * self.rows, -1), out=sums.recurrent
            )

    def finish(self) -> list[Gradients]:
        """Hand over what was summed."""
        for sums, bias, drives, fold in zip(self.sums, self.bias_sums, self.drive_sums, self.folds, strict=True):
            sums.bias = unfolded(bias, fold)  # of both biases
            sums.drives = [unfolded(d, fold) for d in drives]
        return self.sums


def _split(window: Window, sides: list[np.ndarray]) -> tuple[Any, ...]:
    """The first array of a kernel, those beside it, and where the first begins."""
    array, t, b = window
    return array, *sides, t, b


def pays(weight: Tensor | None, width: int) -> bool:
    """Whether a layer with ``weight`` [N, inputs] can take its input as events."""
    return weight is not None and weight.shape[0] >= WIDE and width >= WIDE


class Events:
    """The non-zeros of one layer's input, found chunk by chunk, if they are few."""

    def __init__(self, layer: Layer, rows: int, width: int, kind: torch.dtype) -> None:
        self.rows = rows
        self.width = width
        self.kind = kind
        self.wait = 0 if pays(layer.weight, width) else -1
        self.room: tuple[np.ndarray, ...] = ()
        self.arrays: tuple[np.ndarray, ...] = ()  # where each row starts, the places of its events, their values
        if not self.wait:
            self.kernels = kernels.load(Path(__file__).with_name("event_kernels.py").read_text(), "event products")

    def find(
        self, x: np.ndarray, t: int, steps: int, first: int, rows: int, share: float, given: EventInput | None = None
    ) -> bool:
        """Find the events of ``x[t : t + steps, first : first + rows]``, or take them from the ``given`` ones of all of
        ``x``.

        False if there are more than a ``share``, or were in a chunk not long ago.
        """
        if self.wait:
            self.wait -= self.wait > 0
            return False
        if not self.room:
            size = int(SPARSE * self.rows * self.width) + self.width + 8
            places = memory.empty(size, dtype=torch.float32).numpy().view(np.int32)
            self.room = (np.empty(self.rows + 1, np.int64), places, memory.empty(size, dtype=self.kind).numpy())
        self.arrays = self.room
        limit = int(share * steps * rows * self.width)
        if given is None:
            count = self.kernels.find(x, t, steps, first, rows, limit, *self.arrays)
        else:
            count = self.kernels.take(*_arrays(given), t, steps, first, rows, limit, *self.arrays)
        if count > limit:
            self.wait = WAIT
        return count <= limit

    def spread(self, given: EventInput, t: int, first: int, out: np.ndarray) -> None:
        """``out`` [steps, rows, inputs] = the dense input from step ``t`` and row ``first`` on."""
        self.kernels.spread(*_arrays(given), t, first, out)

    def copy(self, rows: int) -> tuple[np.ndarray, ...]:
        starts, places, values = self.room
        return starts[: rows + 1].copy(), places[: starts[rows]].copy(), values[: starts[rows]].copy()

    def project(self, weight: np.ndarray, bias: np.ndarray, out: np.ndarray) -> None:
        self.kernels.project(*self.arrays, weight, bias, out)

    def outer(self, grad: np.ndarray, out: np.ndarray) -> None:
        self.kernels.outer(*self.arrays, grad, out)


def _arrays(x: EventInput) -> tuple:
    """Starts, channels, values and the batch size, for a kernel."""
    return x.starts.numpy(), x.channels.numpy(), x.values.numpy(), x.shape[1]
