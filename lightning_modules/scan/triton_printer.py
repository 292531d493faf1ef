"""Prints a traced step as Triton source: functions forward and back through time, with the state in registers."""

from __future__ import annotations

import torch

from lightning_modules.scan.numba_printer import ARITHMETIC, INFIX
from lightning_modules.scan.trace import Graph, Op, Traced, Value

PRELUDE = '''"""{title}.step and its vector-Jacobian product, printed by lightning_modules.scan: do not edit.

A program computes ``BB`` samples of ``BN`` neurons, of all neurons if the layer is recurrent.
[T, B, N] tensors are contiguous.
"""

import triton
import triton.language as tl


@triton.jit
def divide(a, b):
    return {divide}


@triton.jit
def root(a):
    return {root}


@triton.jit
def product(rows, b, n, matrix, B, N, BB: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, real: tl.constexpr):
    """rows [B, N] @ matrix [N, N] for the samples b. The rows were stored by this very program."""
    tl.debug_barrier()
    out = tl.zeros([BB, BN], real)
    for first in range(0, N, BK):
        k = first + tl.arange(0, BK)
        left = tl.load(rows + b[:, None] * N + k[None, :], (b < B)[:, None] & (k < N)[None, :], 0.0)
        right = tl.load(matrix + k[:, None] * N + n[None, :], (k < N)[:, None] & (n < N)[None, :], 0.0)
        out += tl.dot(left, right, input_precision="ieee", out_dtype=real)
    return out


'''
SIZES = "RECURRENT: tl.constexpr, BB: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, real: tl.constexpr"
FRAME = """    b = tl.program_id(0) * BB + tl.arange(0, BB)
    n = tl.program_id(1) * BN + tl.arange(0, BN)
    inside = (b < B)[:, None] & (n < N)[None, :]
    place = b[:, None] * N + n[None, :]
    zero = tl.zeros([BB, BN], real)"""


def source(traced: Traced) -> str:
    """The text of a module with Triton kernels ``forward`` and ``backward``; see ``gpu`` for their arguments."""
    exact = {"divide": "tl.div_rn(a, b)", "root": "tl.sqrt_rn(a)"}
    if traced.dtype == torch.float64:  # the plain ones are exact there
        exact = {"divide": "a / b", "root": "tl.sqrt(a)"}
    return PRELUDE.format(title=traced.title, **exact) + _forward(traced) + "\n\n" + _backward(traced)


def _each(items: object, template: str) -> str:
    return "".join(template.replace("{}", str(i)) + ", " for i in items)  # type: ignore[attr-defined]


def _drive(name: str) -> str:
    place = f"drive_{name}s + (t_first + t) * every_{name} * N + n"
    return f"        drive_{name} = zero + tl.load({place}, n < N, 0.0)[None, :]"


def _forward(traced: Traced) -> str:
    states = traced.states
    currents = range(traced.currents)
    drives = traced.drives
    new = traced.forward.outputs
    lines = [
        "@triton.jit",
        f"def forward({_each(currents, 'current_{}s')}{_each(drives, 'drive_{}s, every_{}: tl.constexpr')}",
        f"            {_each(states, 'first_{}, last_{}, state_{}s')}",
        "            outputs, totals, wholes, previous, matrix, bias, steps, t_first, B, N, SAVE: tl.constexpr,",
        f"            {SIZES}):",
        FRAME,
        "    total = tl.load(totals + place, inside, 0.0)",
        *(f"    state_{s} = tl.load(first_{s} + place, inside, 0.0)" for s in states),
        "    for t in range(steps):",
        *(f"        current_{i} = tl.load(current_{i}s + t * B * N + place, inside, 0.0)" for i in currents),
        "        if RECURRENT:",
        "            rows = outputs + (t - 1) * B * N if t > 0 else previous",
        "            current_0 += product(rows, b, n, matrix, B, N, BB, BN, BK, real)"
        " + tl.load(bias + n, n < N, 0.0)[None, :]",
        "            tl.store(wholes + t * B * N + place, current_0, inside)",
        *(_drive(d) for d in drives),
        "        if SAVE:",
        *(f"            tl.store(state_{s}s + t * B * N + place, state_{s}, inside)" for s in states),
        "            pass",
        *_body(traced.forward),
        *(f"        new_{s} = zero + {_value(v)}" for s, v in zip(states, new, strict=False)),
        f"        output = zero + {_value(new[-1])}",
        *(f"        state_{s} = new_{s}" for s in states),
        "        tl.store(outputs + t * B * N + place, output, inside)",
        "        total += output",
        "    tl.store(totals + place, total, inside)",
        *(f"    tl.store(last_{s} + place, state_{s}, inside)" for s in states),
        "",
    ]
    return "\n".join(lines)


def _backward(traced: Traced) -> str:
    states = traced.states
    currents = range(traced.currents)
    drives = traced.drives
    of_states, of_currents, of_drives = traced.gradients()
    *new_states, output = traced.forward.outputs
    outputs = [s for s, value in zip(states, new_states, strict=True) if value == output]  # states that are the output
    probed = " + ".join(["grad_output", *(f"grad_{s}" for s in outputs)])
    lines = [
        "@triton.jit",
        f"def backward({_each(currents, 'current_{}s, grad_{}s')}"
        f"{_each(drives, 'drive_{}s, every_{}: tl.constexpr, sum_{}s')}",
        f"             {_each(states, 'state_{}s, adjoint_{}s, joins_{}, JOIN_{}: tl.constexpr')}",
        "             grad_outputs, OUTPUT: tl.constexpr, means, probes, PROBE: tl.constexpr, carries, matrix, detach,",
        "             steps, t_first, T, B, N,",
        f"             {SIZES}):",
        FRAME,
        "    mean = tl.load(means + place, inside, 0.0)",
        "    carry = tl.load(carries + place, inside, 0.0)",
        *(f"    grad_{s} = tl.load(adjoint_{s}s + place, inside, 0.0)" for s in states),
        *(f"    sum_{d} = zero" for d in drives),
        "    for back in range(steps):",
        "        t = steps - 1 - back",
        *(f"        current_{i} = tl.load(current_{i}s + t * B * N + place, inside, 0.0)" for i in currents),
        *(f"        state_{s} = tl.load(state_{s}s + t * B * N + place, inside, 0.0)" for s in states),
        *(_drive(d) for d in drives),
        "        grad_output = mean + carry",
        "        if OUTPUT:",
        "            grad_output += tl.load(grad_outputs + t * B * N + place, inside, 0.0)",
        *(line for s in states for line in _join(s)),
        "        if PROBE:",
        f"            tl.store(probes + t * B * N + place, {probed}, inside)",
        *_body(traced.backward),
        *(f"        new_{s} = zero + {_value(v)}" for s, v in zip(states, of_states, strict=True)),
        *(f"        out_{i} = zero + {_value(v)}" for i, v in zip(currents, of_currents, strict=True)),
        *(f"        tl.store(grad_{i}s + t * B * N + place, out_{i}, inside)" for i in currents),
    ]
    for d, value in zip(drives, of_drives, strict=True):
        lines += _drive_gradient(d, value)
    lines += [
        "        cut = (detach > 0) & (t_first + t > 0) & ((t_first + t) % tl.maximum(detach, 1) == 0)",
        *(f"        grad_{s} = tl.where(cut, zero, new_{s})" for s in states),
        "        if RECURRENT:",
        "            carry = tl.where(cut, zero, product(grad_0s + t * B * N, b, n, matrix, B, N, BB, BN, BK, real))",
        "    tl.store(carries + place, carry, inside)",
        *(f"    tl.store(adjoint_{s}s + place, grad_{s}, inside)" for s in states),
    ]
    for d in drives:
        lines += [f"    if every_{d} == 0:", f"        at = sum_{d}s + tl.program_id(0) * N + n"]
        lines += [f"        tl.store(at, tl.load(at, n < N, 0.0) + tl.sum(sum_{d}, 0), n < N)"]
    return "\n".join([*lines, ""])


def _join(state: str) -> list[str]:
    """Add the gradient of a recorded state."""
    return [
        f"        if JOIN_{state}:",
        f"            grad_{state} += tl.load(joins_{state} + t * B * N + place, inside, 0.0)",
    ]


def _drive_gradient(drive: str, value: Value) -> list[str]:
    """Store the gradient of a drive that has a row per step, or add it up."""
    return [
        f"        of_{drive} = tl.where(inside, zero + {_value(value)}, zero)",
        f"        if every_{drive} == 1:",
        f"            tl.store(sum_{drive}s + (tl.program_id(0) * T + t_first + t) * N + n, "
        f"tl.sum(of_{drive}, 0), n < N)",
        "        else:",
        f"            sum_{drive} += of_{drive}",
    ]


def _body(graph: Graph) -> list[str]:
    booleans = {op.name for op in graph.ops if op.boolean}
    return [f"        {op.name} = {expression(op, booleans)}" for op in graph.ops]


def _value(value: Value | None) -> str:
    if isinstance(value, float):
        return (
            f"tl.full([], {value!r}, real)"
            if torch.isfinite(torch.tensor(value))
            else f"tl.full([], float('{value}'), real)"
        )
    return str(value)


def expression(op: Op, booleans: set[str]) -> str:
    """One operation as a Triton expression: exact division and square root, torch's treatment of NaN."""
    kind = op.kind
    a = [_value(v) for v in op.args]
    if kind in ARITHMETIC:
        a = [
            f"tl.where({x}, {_value(1.0)}, {_value(0.0)})" if v in booleans else x
            for x, v in zip(a, op.args, strict=True)
        ]
    if kind == "div":
        return f"divide(zero + {a[0]}, zero + {a[1]})"
    if kind in INFIX:
        return f"{a[0]} {INFIX[kind]} {a[1]}"
    if kind == "pow":
        exponent = float(op.args[1])  # type: ignore[arg-type]
        return f"root({a[0]})" if exponent == 0.5 else " * ".join([a[0]] * int(exponent)) or _value(1.0)
    if kind == "clamp":
        low = op.args[1]
        high = op.args[2]
        text = a[0] if low is None else f"tl.where({a[0]} < {a[1]}, {a[1]}, {a[0]})"
        return text if high is None else f"tl.where({text} > {a[2]}, {a[2]}, {text})"
    one = _value(1.0)
    zero = _value(0.0)
    return {
        "rsub": "{1} - {0}",
        "neg": "-{0}",
        "not": "~{0}",
        "abs": "tl.abs({0})",
        "sgn": f"tl.where({{0}} > {zero}, {one}, tl.where({{0}} < {zero}, -{one}, {{0}}))",
        "exp": "tl.exp({0})",
        "log": "tl.log({0})",
        "sqrt": "root({0})",
        "rsqrt": f"divide(zero + {one}, zero + root({{0}}))",
        "reciprocal": f"divide(zero + {one}, zero + {{0}})",
        "sigmoid": f"divide(zero + {one}, zero + {one} + tl.exp(-{{0}}))",
        "tanh": f"{one} - divide(zero + {_value(2.0)}, zero + {one} + tl.exp({_value(2.0)} * {{0}}))",
        "floor": "tl.floor({0})",
        "relu": f"tl.where({{0}} < {zero}, {zero}, {{0}})",
        "maximum": "tl.where(({0} > {1}) | ({0} != {0}), {0}, {1})",
        "minimum": "tl.where(({0} < {1}) | ({0} != {0}), {0}, {1})",
        "clamp_max": "tl.where({0} > {1}, {1}, {0})",
        "where": "tl.where({0}, {1}, {2})",
        "masked_fill": "tl.where({1}, {2}, {0})",
    }[kind].format(*a)
