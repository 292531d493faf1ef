"""The fused scan on the GPU: Triton kernels printed from the same graphs as the CPU's, one layer at a time.

The projection of a layer is one product over all steps; its recurrence happens inside the kernel, a block of the batch
per program. Without a GPU the kernels run on CPU tensors in Triton's interpreter (``TRITON_INTERPRET=1``), which is how
they are tested.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from lightning_modules.scan import kernels
from lightning_modules.scan.trace import Traced
from lightning_modules.scan.triton_printer import source


class Plan(NamedTuple):
    """What a run of one layer needs to know that is no tensor."""

    traced: Traced
    module: Any
    record: tuple[int, ...]
    detach_every: int
    checkpoint_every: int
    recurrent: bool
    training: bool

    def segments(self, steps: int) -> list[tuple[int, int]]:
        every = self.checkpoint_every or steps
        return [(t, min(t + every, steps)) for t in range(0, steps, every)]

    def tiling(self, batch: int, size: int) -> tuple[tuple[int, int], dict[str, Any]]:
        """(programs, sizes of a tile). A recurrent program needs all neurons, and 16 samples for the matrix unit."""
        power = max(16, 1 << (size - 1).bit_length())
        rows, columns = (16, power) if self.recurrent else (4, min(power, 64))
        real = kernels.triton_type(self.traced.dtype)
        tile = {"BB": rows, "BN": columns, "BK": min(power, 32), "real": real}
        if not interpreted():
            tile["enable_fp_fusion"] = False  # a fused multiply-add would decide some spikes differently from the loop
        return (-(-batch // rows), -(-size // columns)), tile


def interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


def run_layer(
    traced: Traced,
    inputs: tuple[Tensor, ...],
    recurrent: Tensor | None,
    recurrent_bias: Tensor | None,
    previous: Tensor,
    states: Sequence[Tensor],
    drives: Sequence[Tensor],
    record: tuple[int, ...],
    detach_every: int,
    checkpoint_every: int,
    probe: Tensor | None,
) -> tuple:
    """``(output, mean, states, records)`` of one layer, currents given, all differentiable."""
    if inputs[0].device.type == "cpu" and not interpreted():
        raise ValueError("the gpu backend needs CUDA tensors (or TRITON_INTERPRET=1, for tests)")
    tensors = [*inputs, recurrent, recurrent_bias, previous, probe, *states, *drives]
    training = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    module = kernels.load(source(traced), traced.title)
    plan = Plan(traced, module, record, detach_every, checkpoint_every, recurrent is not None, training)
    output, mean, *rest = _Scan.apply(plan, *tensors)
    return output, mean, tuple(rest[: len(states)]), rest[len(states) :]


def project(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    return x if weight is None else functional.linear(x, weight, bias)


class _Scan(torch.autograd.Function):
    """One layer over all steps."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, *tensors: Tensor | None) -> tuple:
        ctx.set_materialize_grads(False)
        ctx.plan = plan
        parts = _parts(plan, tensors)
        inputs = parts["inputs"]
        states = [s.contiguous() for s in parts["states"]]
        steps = inputs[0].shape[0]
        output = torch.empty_like(inputs[0])
        mean = torch.zeros_like(inputs[0][0])
        whole = torch.empty_like(inputs[0]) if plan.recurrent else inputs[0]
        keep = plan.training or bool(plan.record)
        chains = (
            [torch.empty_like(inputs[0]) for _ in states] if keep and (not plan.checkpoint_every or plan.record) else []
        )
        heads = []
        for begin, end in plan.segments(steps):
            heads.append(states)
            before = parts["previous"] if begin == 0 else output[begin - 1]
            part = slice(begin, end)
            states = _walk(
                plan, parts, begin, end, states, [c[part] for c in chains], output[part], mean, whole[part], before
            )
        mean /= steps
        # a state recorded after step t is what step t + 1 starts from
        records = [torch.cat([chains[k][1:], states[k][None]]) for k in plan.record]
        if plan.training:
            ctx.save_for_backward(*tensors, output)
            ctx.kept = (heads, [] if plan.checkpoint_every else chains, whole)
        return (output, mean, *(s.clone() for s in states), *records)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor | None, grad_mean: Tensor | None, *rest: Tensor | None) -> tuple:
        plan: Plan = ctx.plan
        *tensors, output = ctx.saved_tensors
        parts = _parts(plan, tensors)
        (heads, chains, whole) = ctx.kept
        inputs = parts["inputs"]
        count = len(plan.traced.states)
        steps, batch, size = inputs[0].shape
        joins = dict(zip(plan.record, rest[count:], strict=True))
        like = inputs[0][0]
        adjoints = [
            torch.zeros_like(like) if g is None else g.clone(memory_format=torch.contiguous_format)
            for g in rest[:count]
        ]
        grads = [torch.empty_like(x) for x in inputs]
        mean = torch.zeros_like(like) if grad_mean is None else (grad_mean / steps).contiguous()
        carry = torch.zeros_like(like)
        probe = torch.empty_like(inputs[0]) if parts["probe"] is not None else None
        grid, tile = plan.tiling(batch, size)
        sums = [d.new_zeros(grid[0], d.shape[0], size) for d in parts["drives"]]
        empty = like.new_empty(1)
        out = None if grad_output is None else grad_output.contiguous()
        for (begin, end), head in reversed(list(zip(plan.segments(steps), heads, strict=True))):
            part = slice(begin, end)
            before = parts["previous"] if begin == 0 else output[begin - 1]
            saved = [c[part] for c in chains]
            if not saved:
                saved = [torch.empty_like(inputs[0][part]) for _ in head]
                again = torch.empty_like(output[part])
                _walk(plan, parts, begin, end, head, saved, again, torch.zeros_like(like), whole[part], before)
            arguments = [a for i, x in enumerate(inputs) for a in ((whole if i == 0 else x)[part], grads[i][part])]
            arguments += [a for d, s in zip(parts["drives"], sums, strict=True) for a in (d, int(d.shape[0] > 1), s)]
            for k, (chain, adjoint) in enumerate(zip(saved, adjoints, strict=True)):
                join = joins.get(k)
                arguments += [chain, adjoint, empty if join is None else join[part].contiguous(), join is not None]
            arguments += [empty if out is None else out[part], out is not None, mean]
            arguments += [empty if probe is None else probe[part], probe is not None, carry]
            matrix = parts["recurrent"].contiguous() if plan.recurrent else empty
            arguments += [matrix, plan.detach_every, end - begin, begin, steps, batch, size]
            plan.module.backward[grid](*arguments, RECURRENT=plan.recurrent, **tile)
        recurrent = bias = None
        if plan.recurrent:
            shifted = torch.cat([parts["previous"][None], output[:-1]]).flatten(0, 1)
            recurrent = grads[0].flatten(0, 1).t() @ shifted
            bias = grads[0].sum((0, 1))
        bias = bias if parts["recurrent_bias"] is not None else None
        return (None, *grads, recurrent, bias, carry, probe, *adjoints, *(s.sum(0) for s in sums))


def _parts(plan: Plan, tensors: Sequence[Tensor | None]) -> dict[str, Any]:
    bare = [None if t is None else t.detach() for t in tensors]
    inputs = bare[: plan.traced.currents]
    rest = bare[plan.traced.currents :]
    count = len(plan.traced.states)
    named = dict(zip(("recurrent", "recurrent_bias", "previous", "probe"), rest, strict=False))
    return (
        named
        | {
            "inputs": [x.contiguous() for x in inputs],  # type: ignore[union-attr]
            "previous": rest[2].contiguous(),  # type: ignore[union-attr]
            "states": rest[4 : 4 + count],
            "drives": [d.contiguous() for d in rest[4 + count :]],  # type: ignore[union-attr]
        }
    )


def _walk(
    plan: Plan,
    parts: dict[str, Any],
    begin: int,
    end: int,
    states: list[Tensor],
    chains: list[Tensor],
    output: Tensor,
    total: Tensor,
    whole: Tensor,
    before: Tensor,
) -> list[Tensor]:
    """Steps ``begin`` to ``end`` from ``states``: fills ``chains``, ``output``, ``whole``, adds to ``total``, gives the
    states after."""
    _, batch, size = output.shape
    last = [torch.empty_like(s) for s in states]
    empty = total.new_zeros(size)
    arguments: list[Any] = [x[begin:end] for x in parts["inputs"]]
    arguments += [a for d in parts["drives"] for a in (d, int(d.shape[0] > 1))]
    for k, state in enumerate(states):
        arguments += [state, last[k], chains[k] if chains else empty]
    matrix = parts["recurrent"]
    bias = parts["recurrent_bias"]
    arguments += [output, total, whole, before, empty if matrix is None else matrix.t().contiguous()]
    arguments += [empty if bias is None else bias.contiguous()]
    grid, tile = plan.tiling(batch, size)
    plan.module.forward[grid](
        *arguments, end - begin, begin, batch, size, SAVE=bool(chains), RECURRENT=plan.recurrent, **tile
    )
    return last
