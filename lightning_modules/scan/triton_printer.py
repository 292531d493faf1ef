"""Prints a traced step as Triton source: functions forward and back through time, with the state in registers."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from lightning_modules.scan.saved_values import SavedValues, is_binary, saved_values
from lightning_modules.scan.trace import Graph, Traced, Value
from lightning_modules.scan.triton_expressions import constant, expression
from lightning_modules.scan.triton_products import PARTS, product_source

PRELUDE = '''"""{title}.step and its vector-Jacobian product, printed by lightning_modules.scan: do not edit.

A program computes ``BB`` samples of ``BN`` neurons of one seed. Tensors over time are [S, T, B, N], drives [S, 1 or T,
N], saved values [S, T_saved, B, N] and their bits [S, T_saved / 32, B, N]. ``begin`` is the number of saved steps
before.
"""

import triton
import triton.language as tl


@triton.jit
def divide(a, b):
    return {divide}


@triton.jit
def root(a):
    return {root}
'''
SIZES = (
    "BB: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, PADDED: tl.constexpr, STAGES: tl.constexpr, "
    "real: tl.constexpr, half: tl.constexpr"
)
FRAME = """    b = tl.program_id(0) * BB + tl.arange(0, BB)
    n = tl.program_id(1) * BN + tl.arange(0, BN)
    seed = tl.program_id(2).to(tl.int64)
    area = tl.full([], 1, tl.int64) * B * N
    of_time = seed * T * area
    of_saved = seed * T_saved * area
    of_bits = seed * ((T_saved + 31) // 32) * area
    inside = (b < B)[:, None] & (n < N)[None, :]
    place = b[:, None] * N + n[None, :]
    start = seed * area
    zero = tl.zeros([BB, BN], real)"""


def source(traced: Traced, recurrent: bool) -> str:
    """The text of a module with Triton kernels ``forward`` and ``backward``; see ``gpu`` for their arguments."""
    exact = {"divide": "tl.div_rn(a, b)", "root": "tl.sqrt_rn(a)"}
    if traced.dtype == torch.float64:  # the plain ones are exact there
        exact = {"divide": "a / b", "root": "tl.sqrt(a)"}
    saved = saved_values(traced, recurrent)
    text = PRELUDE.format(title=traced.title, **exact)
    if recurrent:
        text += product_source(traced.dtype)
    return "\n\n".join([text, _forward(traced, saved, recurrent), _backward(traced, saved, recurrent)])


def _each(items: Iterable[object], template: str) -> str:
    return "".join(template.replace("{}", str(i)) + ", " for i in items)


def _drive_row(name: str, indent: int, time: str = "") -> str:
    """A line that loads the row of a drive, the only one or that of ``time``."""
    rows = "T" if time else "1"
    place = f"drive_{name}s + (seed * {rows}{f' + {time}' if time else ''}) * N + n"
    return f"{' ' * indent}row_{name} = tl.load({place}, n < N, 0.0)"


def _fixed_drives(drives: Iterable[str]) -> list[str]:
    """The rows of drives that do not change in time, before the loop."""
    return [line for d in drives for line in (f"    if every_{d} == 0:", _drive_row(d, 8))]


def _drives(drives: Iterable[str]) -> list[str]:
    """The drives of step ``t``."""
    lines = []
    for d in drives:
        lines += [f"        if every_{d} == 1:", _drive_row(d, 12, "t_first + t")]
        lines += [f"        drive_{d} = tl.broadcast_to(row_{d}[None, :], [BB, BN])"]
    return lines


def _loop(recurrent: bool, counter: str) -> str:
    """The loop over time; loads of a feedforward layer do not depend on its state and are issued ahead of time."""
    return f"    for {counter} in {'range(steps)' if recurrent else 'tl.range(0, steps, num_stages=STAGES)'}:"


def _forward(traced: Traced, saved: SavedValues, recurrent: bool) -> str:
    states = traced.states
    currents = range(traced.currents)
    new = traced.forward.outputs
    bits = range(len(saved.bits))
    lines = [
        "@triton.jit",
        f"def forward({_each(currents, 'current_{}s')}{_each(traced.drives, 'drive_{}s, every_{}: tl.constexpr')}",
        f"            {_each(states, 'first_{}, last_{}, record_{}s, RECORD_{}: tl.constexpr')}",
        f"            {_each(range(len(saved.numbers)), 'number_{}s')}{_each(bits, 'bits_{}s')}outputs, totals,",
        f"            {'bias, matrix, known, parts, ' if recurrent else ''}steps, t_first, begin,",
        f"            T, T_saved, B, N, SAVE: tl.constexpr, AGAIN: tl.constexpr, {SIZES}):",
        FRAME,
        "    total = zero",
        *(f"    state_{s} = tl.load(first_{s} + start + place, inside, 0.0)" for s in states),
        *(_matrix(traced) + ["    row_bias = tl.load(bias + seed * N + n, n < N, 0.0)"] if recurrent else []),
        *_fixed_drives(traced.drives),
        *(_first_words(bits) if bits else []),
        _loop(recurrent, "t"),
        "        row = of_time + t * area",
        *(f"        current_{i} = tl.load(current_{i}s + row + place, inside, 0.0)" for i in currents),
        *(_add_recurrent_part(is_binary(traced.forward, new[-1])) if recurrent else []),
        *_drives(traced.drives),
        *_body(traced.forward, 8),
        *_save(traced, saved),
        *(f"        new_{s} = zero + {constant(v)}" for s, v in zip(states, new, strict=False)),
        f"        output = zero + {constant(new[-1])}",
        *(f"        state_{s} = new_{s}" for s in states),
        *(line for s in states for line in _record(s)),
        "        if not AGAIN:",
        "            tl.store(outputs + row + place, output, inside)",
        "            total += output",
        "    if not AGAIN:",
        "        tl.store(totals + start + place, tl.load(totals + start + place, inside, 0.0) + total, inside)",
        *(f"    tl.store(last_{s} + start + place, state_{s}, inside)" for s in states),
        "",
    ]
    return "\n".join(lines)


def _matrix(traced: Traced) -> list[str]:
    count = 1 if traced.dtype == torch.float64 else PARTS
    return [f"    matrix += seed * {count} * PADDED * PADDED"]


def _add_recurrent_part(binary: bool) -> list[str]:
    """Add the product with the output before, which the caller computed for the first step where ``known``."""
    return [
        *_recurrent_part("(known > 0) & (t == 0)", "outputs + row - area", binary),
        "        current_0 += part + row_bias[None, :]",
    ]


def _recurrent_part(known: str, rows: str, binary: bool) -> list[str]:
    """Lines that give ``part``: the product with ``rows``, or what stands in ``parts`` where it is ``known``.

    A product goes through memory. It would otherwise keep the state in registers twice, laid out for the matrix unit
    and for loads and stores.
    """
    return [
        f"        if ({known}) == 0:",
        f"            part = product({rows}, b, n, matrix, B, N, BB, BN, BK, PADDED, real, half, {binary})",
        "            tl.store(parts + start + place, part, inside)",
        "        tl.debug_barrier()",
        "        part = tl.load(parts + start + place, inside, 0.0)",
    ]


def _first_words(bits: Iterable[int]) -> list[str]:
    """The words of 32 bits at the first step, which an earlier launch may have begun."""
    lines = ["    if SAVE:", "        at = of_bits + (begin // 32) * area"]
    return lines + [f"        word_{k} = tl.load(bits_{k}s + at + place, inside & (begin % 32 != 0), 0)" for k in bits]


def _save(traced: Traced, saved: SavedValues) -> list[str]:
    """Store the saved values of step ``t``; a word of bits after its last step."""
    lines = ["        if SAVE:", "            u = begin + t", "            at = of_saved + u * area"]
    lines += _body(saved.extra, 12, {op.name for op in traced.forward.ops if op.boolean})
    for k, value in enumerate(saved.numbers):
        lines += [f"            tl.store(number_{k}s + at + place, zero + {value}, inside)"]
    if saved.bits:
        lines += ["            at = of_bits + (u // 32) * area"]
        lines += ["            full = (u % 32 == 31) | (t == steps - 1)"]
    for k, value in enumerate(saved.bits):
        truth = f"({value} != 0)" if value in saved.binary_states else value
        lines += [
            f"            word_{k} |= tl.where({truth}, 1, 0) << (u % 32)",
            f"            tl.store(bits_{k}s + at + place, word_{k}, inside & full)",
            f"            word_{k} = tl.where(u % 32 == 31, 0, word_{k})",
        ]
    return lines


def _record(state: str) -> list[str]:
    return [
        f"        if RECORD_{state}:",
        f"            tl.store(record_{state}s + row + place, state_{state}, inside)",
    ]


def _backward(traced: Traced, saved: SavedValues, recurrent: bool) -> str:
    states = traced.states
    currents = range(traced.currents)
    drives = traced.drives
    count = len(states)
    of_states = saved.backward.outputs[:count]
    of_currents = saved.backward.outputs[count : count + traced.currents]
    of_drives = saved.backward.outputs[count + traced.currents :]
    *new_states, output = traced.forward.outputs
    outputs = [s for s, value in zip(states, new_states, strict=True) if value == output]  # states that are the output
    probed = " + ".join(["grad_output", *(f"grad_{s}" for s in outputs)])
    lines = [
        "@triton.jit",
        f"def backward({_each(currents, 'current_{}s, grad_{}s')}"
        f"{_each(drives, 'drive_{}s, every_{}: tl.constexpr, sum_{}s')}",
        f"             {_each(states, 'first_{}, adjoint_{}s, joins_{}, JOIN_{}: tl.constexpr')}",
        f"             {_each(range(len(saved.numbers)), 'number_{}s')}{_each(range(len(saved.bits)), 'bits_{}s')}",
        "             grad_outputs, OUTPUT: tl.constexpr, means, probes, PROBE: tl.constexpr,",
        f"             {'matrix, known, parts, ' if recurrent else ''}detach, steps, t_first, begin,",
        f"             T, T_saved, B, N, {SIZES}):",
        FRAME,
        "    mean = tl.load(means + start + place, inside, 0.0)",
        *(f"    grad_{s} = tl.load(adjoint_{s}s + start + place, inside, 0.0)" for s in states),
        *(f"    first_{v[6:]} = tl.load(first_{v[6:]} + start + place, inside, 0.0)" for v in saved.binary_states),
        *(f"    sum_{d} = zero" for d in drives),
        *(_matrix(traced) if recurrent else []),
        *_fixed_drives(drives),
        _loop(recurrent, "back"),
        "        t = steps - 1 - back",
        "        row = of_time + t * area",
        *_load_saved(saved),
        *_drives(drives),
        "        grad_output = mean",
        "        if OUTPUT:",
        "            grad_output += tl.load(grad_outputs + row + place, inside, 0.0)",
        *(line for s in states for line in _join(s)),
        *(_carry() if recurrent else []),
        "        if PROBE:",
        f"            tl.store(probes + row + place, {probed}, inside)",
        *_body(saved.backward, 8, {v for v in saved.bits if v not in saved.binary_states}),
        *(f"        new_{s} = zero + {constant(v)}" for s, v in zip(states, of_states, strict=True)),
        *(
            f"        tl.store(grad_{i}s + row + place, zero + {constant(v)}, inside)"
            for i, v in zip(currents, of_currents, strict=True)
        ),
        *(line for d, value in zip(drives, of_drives, strict=True) for line in _drive_gradient(d, value)),
        f"        cut = {_cut_at('t')}",
        *(f"        grad_{s} = tl.where(cut, zero, new_{s})" for s in states),
        *(f"    tl.store(adjoint_{s}s + start + place, grad_{s}, inside)" for s in states),
        *(line for d in drives for line in _store_drive_sum(d)),
        "",
    ]
    return "\n".join(lines)


def _cut_at(t: str) -> str:
    """Whether no gradient goes from step ``t`` to the step before."""
    return f"(detach > 0) & (t_first + {t} > 0) & ((t_first + {t}) % tl.maximum(detach, 1) == 0)"


def _load_saved(saved: SavedValues) -> list[str]:
    """Load the values of step ``t`` under the names that the backward graph has for them."""
    lines = [f"        current_{i} = tl.load(current_{i}s + row + place, inside, 0.0)" for i in saved.currents]
    if saved.numbers or saved.bits:
        lines += ["        u = begin + t"]
    if saved.numbers:
        lines += ["        at = of_saved + u * area"]
    for k, value in enumerate(saved.numbers):
        lines += [f"        {value} = tl.load(number_{k}s + at + place, inside, 0.0)"]
    if saved.bits:
        lines += ["        at_word = of_bits + (u // 32) * area"]
    for k, value in enumerate(saved.bits):
        lines += [f"        word_{k} = tl.load(bits_{k}s + at_word + place, inside, 0)"]
        bit = f"((word_{k} >> (u % 32)) & 1) != 0"
        if value in saved.binary_states:
            one = f"tl.where({bit}, {constant(1.0)}, {constant(0.0)})"
            bit = f"tl.where(u == 0, first_{value.removeprefix('state_')}, {one})"
        lines += [f"        {value} = {bit}"]
    return lines


def _carry() -> list[str]:
    """What the output receives through the recurrence, from the gradient of the current one step later."""
    return [
        *_recurrent_part("(known > 0) & (back == 0)", "grad_0s + row + area", False),
        f"        grad_output += tl.where({_cut_at('(t + 1)')}, zero, part)",
    ]


def _join(state: str) -> list[str]:
    """Add the gradient of a recorded state."""
    return [
        f"        if JOIN_{state}:",
        f"            grad_{state} += tl.load(joins_{state} + row + place, inside, 0.0)",
    ]


def _drive_gradient(drive: str, value: Value) -> list[str]:
    """Store the gradient of a drive that has a row per step, or add it up."""
    return [
        f"        of_{drive} = tl.where(inside, zero + {constant(value)}, zero)",
        f"        if every_{drive} == 1:",
        "            at = ((seed * tl.num_programs(0) + tl.program_id(0)) * T + t_first + t) * N + n",
        f"            tl.store(sum_{drive}s + at, tl.sum(of_{drive}, 0), n < N)",
        "        else:",
        f"            sum_{drive} += of_{drive}",
    ]


def _store_drive_sum(drive: str) -> list[str]:
    return [
        f"    if every_{drive} == 0:",
        f"        at = sum_{drive}s + (seed * tl.num_programs(0) + tl.program_id(0)) * N + n",
        f"        tl.store(at, tl.load(at, n < N, 0.0) + tl.sum(sum_{drive}, 0), n < N)",
    ]


def _body(graph: Graph, indent: int, booleans: Iterable[str] = ()) -> list[str]:
    """The operations of ``graph``; ``booleans`` names truth values that it takes."""
    known = {op.name for op in graph.ops if op.boolean} | set(booleans)
    return [f"{' ' * indent}{op.name} = {expression(op, known)}" for op in graph.ops]
