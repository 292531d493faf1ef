"""The fused walk on the CPU: a stack of layers, all of them in one pass over time.

The batch is cut into blocks that run in parallel; each block walks through time in chunks small enough to stay in a core's cache between
the matrix product and the neurons of every layer. For the backward pass only the currents of each layer and the state at the head of
each chunk are kept: a chunk is replayed from there, then walked in reverse. With ``checkpoint_every`` not even the currents are.
Blocks and chunks depend on shapes alone and are summed in order, so results do not depend on the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from lightning_modules.scan import memory, workers
from lightning_modules.scan.trace import Traced

BLOCK = 64  # samples: enough rows for the recurrent products, few enough that two cores share a batch
CHUNK = 1 << 17  # elements of the widest layer in one chunk: with its states it stays within 2 MB of cache


@dataclass
class Layer:
    """One layer of a run, its tensors detached. Its first current is ``x @ weight.T + bias``, or the input itself without ``weight``."""

    traced: Traced
    module: ModuleType
    weight: Tensor | None
    bias: Tensor | None
    recurrent: Tensor | None
    recurrent_bias: Tensor | None
    previous: Tensor  # [B, N], output before the first step
    states: tuple[Tensor, ...]  # [B, N], before the first step
    drives: tuple[Tensor, ...]  # [1, N] or [T, N]

    def __post_init__(self) -> None:
        self.size = self.previous.shape[1]
        if self.recurrent is None:
            self.recurrence = (False, self.previous.new_empty(0, 0).numpy(), self.previous.new_empty(0).numpy())
        else:
            bias = self.previous.new_zeros(self.size) if self.recurrent_bias is None else self.recurrent_bias.contiguous()
            self.recurrence = (True, self.recurrent.t().contiguous().numpy(), bias.numpy())
        self.driven = [a for d in self.drives for a in (d.contiguous().numpy(), int(d.shape[0] > 1))]


@dataclass
class Run:
    """What a walk needs to know that is no tensor."""

    steps: int
    batch: int
    detach_every: int
    checkpoint_every: int  # 0: keep all currents
    keep_output: bool
    record: tuple[int, ...]  # numbers of the last layer's states to return over time
    training: bool
    traced: list[Traced]
    modules: list[ModuleType]
    widest: int

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """(first sample, samples) of each block, as equal as can be."""
        count = -(-self.batch // BLOCK)
        edges = [self.batch * i // count for i in range(count + 1)]
        return [(a, b - a) for a, b in zip(edges[:-1], edges[1:], strict=True)]

    @property
    def segments(self) -> list[tuple[int, int]]:
        """(first step, last step + 1) of each stretch of time whose currents are kept at once."""
        every = min(self.checkpoint_every or self.steps, self.steps)
        return [(t, min(t + every, self.steps)) for t in range(0, self.steps, every)]

    def chunk(self, rows: int) -> int:
        return max(1, min(CHUNK // (rows * self.widest), self.segments[0][1]))


@dataclass
class Kept:
    """The first currents of a segment of time, and the state (and output) at the head of each of its chunks, of one block."""

    begin: int
    currents: list[Tensor | None]
    heads: list[list[Tensor]]


@dataclass
class Gradients:
    """What one block adds to the gradients of one layer."""

    weight: Tensor | None = None
    bias: Tensor | None = None
    recurrent: Tensor | None = None
    recurrent_bias: Tensor | None = None
    previous: Tensor | None = None
    states: list[Tensor] = field(default_factory=list)
    drives: list[Tensor] = field(default_factory=list)


class Block:
    """The walk of one block of the batch through all layers."""

    def __init__(self, run: Run, layers: list[Layer], inputs: tuple[Tensor, ...], first: int, rows: int) -> None:
        self.run, self.layers, self.rows = run, layers, rows
        self.own = slice(first, first + rows)
        self.kind = inputs[0].dtype
        self.inputs = [x[:, self.own] for x in inputs]
        self.chunk = run.chunk(rows)
        self.sheet = self._empty(self.chunk, inputs[0].shape[2])
        self.sides = [self._empty(self.chunk, x.shape[2]) for x in inputs[1:]]
        self.currents = [self._empty(self.chunk, layer.size) for layer in layers]
        self.outputs = [self._empty(self.chunk + 1, layer.size) for layer in layers]
        self.states = [[self._empty(self.chunk + 1, layer.size) for _ in layer.states] for layer in layers]
        self.totals = [memory.zeros(rows, layer.size, dtype=self.kind) for layer in layers]

    def _empty(self, steps: int, size: int) -> Tensor:
        return memory.empty(steps, self.rows, size, dtype=self.kind)

    def _chunks(self, begin: int, end: int) -> list[tuple[int, int, int]]:
        """(number, first step, steps) of each chunk of a segment."""
        return [(c, t, min(self.chunk, end - t)) for c, t in enumerate(range(begin, end, self.chunk))]

    def _input(self, t: int, steps: int) -> Tensor:
        """The first input of a chunk, contiguous; the other inputs go to ``sides``."""
        for side, x in zip(self.sides, self.inputs[1:], strict=True):
            side[:steps] = x[t : t + steps]
        x = self.inputs[0][t : t + steps]
        return x if x.is_contiguous() else self.sheet[:steps].copy_(x)

    def _project(self, layer: Layer, x: Tensor, out: Tensor) -> None:
        if layer.weight is None:
            out.copy_(x)
        elif layer.bias is None:
            torch.mm(x.flatten(0, 1), layer.weight.t(), out=out.flatten(0, 1))
        else:
            torch.addmm(layer.bias, x.flatten(0, 1), layer.weight.t(), out=out.flatten(0, 1))

    def _neurons(self, i: int, t: int, steps: int, current: Tensor, whole: bool) -> None:
        """Run layer i's kernel; ``whole``: the current holds its recurrent part already."""
        layer = self.layers[i]
        recurrent, matrix, bias = layer.recurrence
        layer.module.forward(
            steps, t, current.numpy(), *(s.numpy() for s in self.sides), *layer.driven, *(s.numpy() for s in self.states[i]),
            self.outputs[i].numpy(), self.totals[i].numpy(), recurrent and not whole, matrix, bias,
        )  # fmt: skip

    def start(self) -> None:
        for i, layer in enumerate(self.layers):
            self.outputs[i][0] = layer.previous[self.own]
            for mine, state in zip(self.states[i], layer.states, strict=True):
                mine[0] = state[self.own]

    def keep(self, begin: int, end: int) -> Kept:
        """Room for a segment."""
        chunks = len(self._chunks(begin, end))
        in_place = [layer.weight is None and layer.recurrent is None for layer in self.layers]
        return Kept(
            begin,
            [None if skip else self._empty(end - begin, layer.size) for layer, skip in zip(self.layers, in_place, strict=True)],
            [[self._empty(chunks, layer.size) for _ in (*layer.states, layer.previous)] for layer in self.layers],
        )

    def forward(self, begin: int, end: int, kept: Kept | None, output: Tensor | None, records: list[Tensor]) -> None:
        """Walk from ``begin`` to ``end``, from and to the state in slot 0."""
        for c, t, steps in self._chunks(begin, end):
            x = self._input(t, steps)
            for i, layer in enumerate(self.layers):
                store = None if kept is None else kept.currents[i]
                if layer.weight is None and layer.recurrent is None:
                    current = x
                else:
                    current = self.currents[i][:steps] if store is None else store[t - begin : t - begin + steps]
                    self._project(layer, x, current)
                chains = [*self.states[i], self.outputs[i]]
                if kept is not None:
                    for head, chain in zip(kept.heads[i], chains, strict=True):
                        head[c] = chain[0]
                self._neurons(i, t, steps, current, False)
                for chain in chains:
                    chain[0] = chain[steps]
                x = self.outputs[i][1 : steps + 1]
            if output is not None:
                output[t : t + steps, self.own] = x
            for record, number in zip(records, self.run.record, strict=False):
                record[t : t + steps, self.own] = self.states[-1][number][1 : steps + 1]

    def _replay(self, c: int, t: int, steps: int, kept: Kept) -> tuple[list[Tensor], list[Tensor]]:
        """Run a chunk again from what was kept: its states and outputs are then in place. Gives each layer's inputs and currents."""
        x = self._input(t, steps)
        xs, currents = [], []
        for i in range(len(self.layers)):
            store = kept.currents[i]
            current = x if store is None else store[t - kept.begin : t - kept.begin + steps]
            for head, chain in zip(kept.heads[i], [*self.states[i], self.outputs[i]], strict=True):
                chain[0] = head[c]
            self._neurons(i, t, steps, current, True)
            xs.append(x)
            currents.append(current)
            x = self.outputs[i][1 : steps + 1]
        return xs, currents

    def prepare(self, sums: list[Gradients], means: list[Tensor | None]) -> None:
        """Room for the backward pass. ``means`` [B, N] is the gradient of each layer's mean output, divided by T."""
        self.sums = sums
        self.means = [self.totals[i].zero_() if m is None else m[self.own].contiguous() for i, m in enumerate(means)]
        self.totals = [torch.zeros_like(total) for total in self.totals]  # what a replay adds up is of no use
        self.grads = [self._empty(self.chunk, layer.size) for layer in self.layers]
        self.carry = [memory.zeros(self.rows, layer.size, dtype=self.kind) for layer in self.layers]

    def backward(self, begin: int, end: int, kept: Kept, output: Tensor | None, records: list, probe: Tensor | None, inputs: list) -> None:
        """Walk back from ``end`` to ``begin``. ``output``, ``records``: gradients coming in [T, B, N]; ``probe``, ``inputs``: going out."""
        for c, t, steps in reversed(self._chunks(begin, end)):
            xs, currents = self._replay(c, t, steps, kept)
            top = self.grads[-1][:steps]
            top.zero_() if output is None else top.copy_(output[t : t + steps, self.own])
            sides = [g[t : t + steps, self.own] if g is not None else None for g in inputs]
            side_grads = [self._empty(steps, self.layers[0].size) for _ in self.sides]
            for i in range(len(self.layers) - 1, -1, -1):
                layer, grad = self.layers[i], self.grads[i][:steps]
                last = i == len(self.layers) - 1
                self._reverse(i, t, steps, currents[i], grad, side_grads, records if last else [], probe if last else None)
                self._products(i, steps, xs[i], grad)
                below = self.grads[i - 1][:steps] if i else sides[0]
                if below is None:
                    continue
                if layer.weight is None:
                    below.copy_(grad)
                elif below.is_contiguous():
                    torch.mm(grad.flatten(0, 1), layer.weight, out=below.flatten(0, 1))
                else:
                    below.copy_(torch.mm(grad.flatten(0, 1), layer.weight, out=self.sheet[:steps].flatten(0, 1)).view_as(below))
            for side, grad in zip(sides[1:], side_grads, strict=True):
                if side is not None:
                    side.copy_(grad)

    def _reverse(self, i: int, t: int, steps: int, current: Tensor, grad: Tensor, sides: list, records: list, probe: Tensor | None) -> None:
        """The neurons of layer i in reverse: ``grad`` turns from the gradient of the output into that of the current."""
        layer, sums, states = self.layers[i], self.sums[i], self.states[i]
        detach = self.run.detach_every
        fixed = [*layer.driven]
        ends = [*(s.numpy() for s in sums.states), *(s.numpy() for s in sums.drives)]
        mean = self.means[i].numpy()
        if layer.recurrent is None and probe is None and not records:
            layer.module.backward(
                steps, t, detach, current.numpy(), *(s.numpy() for s in self.sides), *fixed, *(s.numpy() for s in states), *ends,
                grad.numpy(), *(s.numpy() for s in sides), mean,
            )  # fmt: skip
            return
        for k in range(steps - 1, -1, -1):  # one step at a time: something joins the gradient between steps
            one = slice(k, k + 1)
            if layer.recurrent is not None:
                grad[k] += self.carry[i]
            for record, number in zip(records, self.run.record, strict=False):
                if record is not None:
                    sums.states[number] += record[t + k, self.own]
            if probe is not None:
                torch.add(grad[k], self.means[i], out=probe[t + k, self.own])
                for number, new in enumerate(layer.traced.forward.outputs[:-1]):
                    if new == layer.traced.forward.outputs[-1]:  # this state is the output
                        probe[t + k, self.own] += sums.states[number]
            layer.module.backward(
                1, t + k, detach, current[one].numpy(), *(s[one].numpy() for s in self.sides), *fixed, *(s[one].numpy() for s in states),
                *ends, grad[one].numpy(), *(s[one].numpy() for s in sides), mean,
            )  # fmt: skip
            if layer.recurrent is not None:
                if detach and t + k and (t + k) % detach == 0:
                    self.carry[i].zero_()
                else:
                    torch.mm(grad[k], layer.recurrent, out=self.carry[i])

    def _products(self, i: int, steps: int, x: Tensor, grad: Tensor) -> None:
        """Add a chunk to the gradients of weights and biases."""
        sums, flat = self.sums[i], grad.flatten(0, 1)
        if sums.weight is not None:
            torch.addmm(sums.weight, flat.t(), x.flatten(0, 1), out=sums.weight)
        if sums.recurrent is not None:
            torch.addmm(sums.recurrent, flat.t(), self.outputs[i][:steps].flatten(0, 1), out=sums.recurrent)
        for bias in (sums.bias, sums.recurrent_bias):
            if bias is not None:
                bias += flat.sum(0)


def forward(run: Run, layers: list[Layer], inputs: tuple[Tensor, ...]) -> tuple[Any, ...]:
    """Run all layers. Gives ``(output or None, mean outputs, last states, records, kept)``; ``kept`` is for ``backward``."""
    kind, steps, batch = inputs[0].dtype, run.steps, run.batch
    size = layers[-1].size
    output = memory.empty(steps, batch, size, dtype=kind) if run.keep_output else None
    records = [memory.empty(steps, batch, size, dtype=kind) for _ in run.record]
    means = [torch.empty(batch, layer.size, dtype=kind) for layer in layers]
    finals = [[torch.empty_like(state) for state in layer.states] for layer in layers]
    keep_all = run.training and not run.checkpoint_every

    def walk(number: int) -> list[Any]:
        block = Block(run, layers, inputs, *run.blocks[number])
        block.start()
        kept: list[Any] = []
        for begin, end in run.segments:
            if run.training and run.checkpoint_every:  # only the state at the head of the segment
                kept.append([[c[0].clone() for c in (*s, o)] for s, o in zip(block.states, block.outputs, strict=True)])
            elif keep_all:
                kept.append(block.keep(begin, end))
            block.forward(begin, end, kept[-1] if keep_all else None, output, records)
        for i in range(len(layers)):
            torch.div(block.totals[i], steps, out=means[i][block.own])
            for final, chain in zip(finals[i], block.states[i], strict=True):
                final[block.own] = chain[0]
        return kept

    kept = workers.each(walk, len(run.blocks))
    return output, means, finals, records, kept


def backward(
    run: Run, layers: list[Layer], inputs: tuple[Tensor, ...], kept: list, grads: tuple, needs: list[dict[str, bool]], wants: tuple[bool, ...]
) -> tuple[list[Gradients], list[Tensor | None], Tensor | None]:
    """Gradients of every layer, of the inputs that ``wants`` asks for, and of the probe (the last of ``wants``)."""
    output, means, finals, records = grads
    kind, blocks = inputs[0].dtype, run.blocks
    below = [memory.empty(*x.shape, dtype=kind) if want else None for x, want in zip(inputs, wants, strict=False)]
    probe = memory.empty(run.steps, run.batch, layers[-1].size, dtype=kind) if wants[-1] else None
    means = [None if m is None else m / run.steps for m in means]
    adjoints = [
        [torch.zeros_like(s) if g is None else g.clone(memory_format=torch.contiguous_format) for s, g in zip(layer.states, final, strict=True)]
        for layer, final in zip(layers, finals, strict=True)
    ]
    before = [torch.empty_like(layer.previous) for layer in layers]

    def room(i: int, own: slice) -> Gradients:
        layer, need = layers[i], needs[i]
        weights = {name: torch.zeros_like(getattr(layer, name)) for name in ("weight", "bias", "recurrent", "recurrent_bias") if need[name]}
        # Sums over many steps: double, so that rounding stays that of one addition.
        drives = [torch.zeros(d.shape, dtype=torch.float64) for d in layer.drives]
        return Gradients(**weights, previous=before[i][own], states=[a[own] for a in adjoints[i]], drives=drives)

    def walk(number: int) -> list[Gradients]:
        block = Block(run, layers, inputs, *blocks[number])
        sums = [room(i, block.own) for i in range(len(layers))]
        block.prepare(sums, means)
        for k in range(len(run.segments) - 1, -1, -1):
            begin, end = run.segments[k]
            segment = kept[number][k]
            if run.checkpoint_every:
                for chains, outputs, heads in zip(block.states, block.outputs, segment, strict=True):
                    for chain, head in zip((*chains, outputs), heads, strict=True):
                        chain[0] = head
                segment = block.keep(begin, end)
                block.forward(begin, end, segment, None, [])
            block.backward(begin, end, segment, output, records, probe, below)
        for i in range(len(layers)):
            before[i][block.own] = block.carry[i]
        return sums

    return _gather(workers.each(walk, len(blocks)), layers, adjoints, before), below, probe


def _gather(parts: list[list[Gradients]], layers: list[Layer], adjoints: list[list[Tensor]], before: list[Tensor]) -> list[Gradients]:
    """Add the blocks up, in their order."""
    whole = []
    for i, layer in enumerate(layers):
        mine = [part[i] for part in parts]
        names = ("weight", "bias", "recurrent", "recurrent_bias")
        added = {n: sum((getattr(m, n) for m in mine[1:]), getattr(mine[0], n)) for n in names if getattr(mine[0], n) is not None}
        drives = [sum(ds[1:], ds[0]).to(layer.previous.dtype) for ds in zip(*(m.drives for m in mine), strict=True)]
        whole.append(Gradients(**added, previous=before[i], states=adjoints[i], drives=drives))
    return whole
