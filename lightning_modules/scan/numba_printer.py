"""Prints a traced step as numba source: one function that goes forward through time, and one that goes back."""

from __future__ import annotations

import torch

from lightning_modules.scan.trace import Graph, Op, Traced, Value

PRELUDE = '''"""{title}.step and its vector-Jacobian product, printed by lightning_modules.scan: do not edit."""

import math

import numpy as np

from lightning_modules.scan.kernels import contracted, keep_denormals, kernel, row_kernels, streams_done

real, integer = np.{real}, np.{integer}
rows = row_kernels()
add_rows, ask, clear, copy, flush = rows.add_rows, rows.ask, rows.clear, rows.copy, rows.flush
write_past_cache = rows.write_past_cache
AHEAD = 2  # steps: rows of the caller's tensors are far apart, so the processor does not fetch them by itself
'''
EXP = '''

@contracted
def exp(x):
    """e^x, branch-free so that it vectorises: 2^n times a polynomial in the remainder (Cephes expf); within 2 ulp.

    2^n is 0 at n = -127 and infinity at 128. NaN passes the bounds. A sum of 1.5 2^23 ends in a whole number.
    """
    y = real(-88.0) if x < real(-88.0) else x
    y = real(89.0) if y > real(89.0) else y
    shifted = y * real(1.44269504088896341) + real(12582912.0)
    n = shifted - real(12582912.0)
    r = (y - n * real(0.693359375)) - n * real(-2.12194440e-4)
    square = r * r  # not by Horner's rule: sums that do not wait for each other
    p = (real(1.9875691500e-4) * r + real(1.3981999507e-3)) * square + (
        real(8.3334519073e-3) * r + real(4.1665795894e-2)
    )
    p = p * square + (real(1.6666665459e-1) * r + real(5.0000001201e-1))
    p = p * square + (r + real(1.0))
    return p * integer((real(shifted).view(integer) + 127) << 23).view(real)
'''
EXACT_EXP = """

@kernel
def exp(x):
    return math.exp(x)
"""
FORWARD_DOC = '''\
    """``steps`` steps from time ``t_first`` of the samples in ``total`` [B, N], to which the outputs are added.

    States (and, if ``recurrent``, outputs) start from slot ``now`` of their ``head`` [slots, B, N]; the last ones are
    written to the next slot. Slot t of ``records``, if ``record``, is the state after step t. Slot ``out_t`` + t of
    ``outputs`` is the output of step t; its samples begin at ``out_b``. The first current begins at ``in_t``,
    ``in_b``. A recurrent current becomes current + (bias + output[t-1] @ matrix), in place. ``every`` is 1 for a
    drive with a row per step, else 0. ``forward_streamed`` is the same, and writes ``outputs`` past the cache.
    """'''
BACKWARD_DOC = '''\
    """The same steps in reverse, or those from ``first`` to ``last`` of them, after a ``replay`` of all.

    A replay starts from slot ``now`` of ``head``. It gives the ``outputs`` of the forward pass and fills ``past``
    [*, steps, N], the states before each step; where no gradient joins between steps, one row serves all samples. The
    currents include the recurrence. The first one begins at ``in_t``, ``in_b``. ``grad_0s``, which begins at
    ``back_t``, ``back_b``, is the gradient of the output at first and of the first current in the end; the former
    comes from ``incoming``, which begins at ``from_t``, ``from_b``, unless that is empty. ``adjoint``
    [B, N] is the gradient of the state between two steps. ``sum`` adds up, in double precision, the gradient of a
    drive, or [N] that of the first current, from sums of a few steps in ``part``, which is zero before and after.
    ``mean`` [B, N] is added to the gradient of every output. The gradient is cut before each step whose time is a
    multiple of ``detach``. ``backward_streamed`` always has ``incoming``, and writes ``grad_0s`` past the cache.
    """'''
INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", 
    "gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!=", "and": "&", "or": "|",
}  # fmt: skip
ARITHMETIC = {"add", "sub", "mul", "div", "gt", "ge", "lt", "le", "eq", "ne"}


def source(traced: Traced) -> str:
    """The text of a module with ``forward`` and ``backward`` kernels; see there for their arguments."""
    double = traced.dtype == torch.float64
    prelude = PRELUDE.format(
        title=traced.title, real="float64" if double else "float32", integer="int64" if double else "int32"
    )
    functions = [write(traced, streamed) for streamed in (False, True) for write in (_forward, _backward)]
    return "\n\n".join([prelude + (EXACT_EXP if double else EXP), *functions])


def _forward(traced: Traced, streamed: bool) -> str:
    states = traced.states
    currents = range(traced.currents)
    drives = traced.drives
    lines = [
        "@kernel",
        f"def forward{'_streamed' if streamed else ''}(steps, t_first, now, record,",
        f"            {names(currents, 'current_{0}s')}in_t, in_b,",
        f"            {names(drives, 'drive_{0}s, every_{0}')}{names(states, 'head_{0}s')}"
        f"{names(states, 'record_{0}s')}",
        "            head, outputs, out_t, out_b, total, recurrent, matrix, bias):",
        FORWARD_DOC,
        "    row, places = np.empty(total.shape[1], real), np.empty(total.shape[1], np.int64)",
        *(["    o = np.empty(total.shape[1], real)"] if streamed else []),
        "    for b in range(total.shape[0]):",
        "        sum_b = total[b]",
        *_start(states, "head_{0}s[(now + 1) % len(head_{0}s), b]"),
        "        if recurrent:",
        "            copy(outputs[out_t - 1, out_b + b], head[now, b])",
        "        for t in range(steps):",
        *_rows(traced),
        *([] if streamed else ["            o = outputs[out_t + t, out_b + b]"]),
        "            if recurrent:",
        "                copy(row, bias)",
        "                add_rows(row, outputs[out_t + t - 1, out_b + b], matrix, places)",
        "                for n in range(len(row)):",
        "                    c_0[n] += row[n]",
        "            if t + AHEAD < steps:",
        "                ask(current_0s[in_t + t + AHEAD, in_b + b])",
        *([] if streamed else ["                ask(outputs[out_t + t + AHEAD, out_b + b])"]),
        "            for n in range(len(sum_b)):",
        *_loads(traced, traced.forward.used()),
        *_body(traced.forward),
        *(f"                s_{s}[n] = {_value(v)}" for s, v in zip(states, traced.forward.outputs, strict=False)),
        f"                o[n] = {_value(traced.forward.outputs[-1])}",
        f"                sum_b[n] += {_value(traced.forward.outputs[-1])}",
        *(["            write_past_cache(outputs[out_t + t, out_b + b], o)"] if streamed else []),
        "            if record:",
        *(f"                copy(record_{s}s[t, b], s_{s})" for s in states),
        *([] if states else ["                pass"]),
        "        if recurrent:",
        "            copy(head[(now + 1) % len(head), b], outputs[out_t + steps - 1, out_b + b])",
        *(["    streams_done()"] if streamed else []),
        "",
    ]
    return "\n".join(lines)


def _backward(traced: Traced, streamed: bool) -> str:
    states = traced.states
    currents = range(traced.currents)
    drives = traced.drives
    lines = [
        "@kernel",
        f"def backward{'_streamed' if streamed else ''}(steps, t_first, now, replay, first, last, detach,",
        f"             {names(currents, 'current_{0}s')}in_t, in_b,",
        f"             {names(drives, 'drive_{0}s, every_{0}')}{names(states, 'head_{0}s')}{names(states, 'row_{0}')}",
        f"             {names(states, 'past_{0}s')}head, outputs, recurrent, {names(states, 'adjoint_{0}s')}",
        f"             {names(drives, 'part_{0}s, sum_{0}s')}{names(currents, 'grad_{0}s')}back_t, back_b,",
        "             incoming, from_t, from_b, part, sum, mean):",
        BACKWARD_DOC,
        *(["    g_0 = np.empty(mean.shape[1], real)"] if streamed else []),
        "    for b in range(len(mean)):",
        "        mean_b = mean[b]",
        *_replay(traced),
        *_reverse(traced, streamed),
        "        flush(sum, part)",
    ]
    for d in drives:
        lines += [f"        if every_{d} == 0:", f"            flush(sum_{d}s[0], part_{d}s[0])"]
    for d in drives:
        lines += [
            f"    if every_{d} == 1:",
            "        for t in range(first, last):",
            f"            flush(sum_{d}s[t_first + t], part_{d}s[t])",
        ]
    lines += ["    streams_done()"] if streamed else []
    return "\n".join([*lines, ""])


def _replay(traced: Traced) -> list[str]:
    """The forward pass once more, which fills the states before each step."""
    states = traced.states
    return [
        "        if replay:",
        "            keep_denormals(True)  # decide as the forward pass did",
        "            if recurrent:",
        "                copy(outputs[0, b], head[now, b])",
        *("    " + line for line in _start(states, "row_{0}")),
        "            for t in range(steps):",
        *("    " + line for line in _rows(traced)),
        "                o = outputs[t + 1, b % outputs.shape[1]]",
        *(f"                p_{s} = past_{s}s[b % len(past_{s}s), t]" for s in states),
        "                if t + AHEAD < steps:",
        "                    ask(current_0s[in_t + t + AHEAD, in_b + b])",
        "                for n in range(len(mean_b)):",
        *("    " + line for line in _loads(traced, traced.forward.used() | {f"state_{s}" for s in states})),
        *(f"                    p_{s}[n] = state_{s}" for s in states),
        *("    " + line for line in _body(traced.forward)),
        *(f"                    s_{s}[n] = {_value(v)}" for s, v in zip(states, traced.forward.outputs, strict=False)),
        f"                    o[n] = {_value(traced.forward.outputs[-1])}",
        "            keep_denormals(False)",
    ]


def _reverse(traced: Traced, streamed: bool) -> list[str]:
    """The vector-Jacobian products of the steps, last step first."""
    states = traced.states
    currents = range(traced.currents)
    drives = traced.drives
    used = traced.backward.used()
    of_states, of_currents, of_drives = traced.gradients()
    return [
        *(f"        a_{s} = adjoint_{s}s[b]" for s in states),
        "        for t in range(last - 1, first - 1, -1):",
        *_rows(traced),
        *(f"            g_{i} = grad_{i}s[{_place(i, 'back')}]" for i in currents if i or not streamed),
        *(f"            q_{d} = part_{d}s[t * every_{d}]" for d in drives),
        *(f"            s_{s} = past_{s}s[b % len(past_{s}s), t]" for s in states),
        *_incoming(streamed),
        "            for n in range(len(mean_b)):",
        *_loads(traced, used),
        *(f"                grad_{s} = a_{s}[n]" for s in states if f"grad_{s}" in used),
        f"                grad_output = {'i_0' if streamed else 'g_0'}[n] + mean_b[n]",
        *_body(traced.backward),
        *(f"                a_{s}[n] = {_value(v)}" for s, v in zip(states, of_states, strict=True)),
        *(f"                g_{i}[n] = {_value(v)}" for i, v in zip(currents, of_currents, strict=True)),
        f"                part[n] += {_value(of_currents[0])}",
        *(f"                q_{d}[n] += {_value(v)}" for d, v in zip(drives, of_drives, strict=True)),
        *(["            write_past_cache(grad_0s[back_t + t, back_b + b], g_0)"] if streamed else []),
        "            if detach > 0 and t_first + t > 0 and (t_first + t) % detach == 0:",
        *(f"                clear(a_{s})" for s in states),
        *([] if states else ["                pass"]),
    ]


def _incoming(streamed: bool) -> list[str]:
    """The gradient of the output at one step, and the fetch of an earlier one."""
    if streamed:
        return [
            "            i_0 = incoming[from_t + t, from_b + b]",
            "            if t - AHEAD >= first:",
            "                ask(incoming[from_t + t - AHEAD, from_b + b])",
        ]
    return [
        "            if t - AHEAD >= first:",
        "                ask(grad_0s[back_t + t - AHEAD, back_b + b])",
        "            if len(incoming) > 0:",
        "                if t - AHEAD >= first:",
        "                    ask(incoming[from_t + t - AHEAD, from_b + b])",
        "                copy(g_0, incoming[from_t + t, from_b + b])",
    ]


def _start(states: tuple[str, ...], place: str) -> list[str]:
    """Each state's row, which holds the state from step to step, filled with the state before the first step."""
    return [f"        s_{s} = {place.format(s)}" for s in states] + [
        f"        copy(s_{s}, head_{s}s[now, b])" for s in states
    ]


def _rows(traced: Traced) -> list[str]:
    """The rows of currents and drives at one step."""
    rows = [f"            c_{i} = current_{i}s[{_place(i, 'in')}]" for i in range(traced.currents)]
    return rows + [f"            d_{d} = drive_{d}s[(t_first + t) * every_{d}]" for d in traced.drives]


def _place(current: int, origin: str) -> str:
    """The place of the row of a current, or of its gradient. The first current may be the array of the whole batch."""
    return "t, b" if current else f"{origin}_t + t, {origin}_b + b"


def names(items: object, template: str) -> str:
    return "".join(template.format(i) + ", " for i in items)  # type: ignore[attr-defined]


def _loads(traced: Traced, used: set[Value]) -> list[str]:
    rows = {f"state_{s}": f"s_{s}" for s in traced.states} | {f"current_{i}": f"c_{i}" for i in range(traced.currents)}
    rows |= {f"drive_{d}": f"d_{d}" for d in traced.drives}
    return [f"                {name} = {row}[n]" for name, row in rows.items() if name in used]


def _body(graph: Graph) -> list[str]:
    booleans = {op.name for op in graph.ops if op.boolean}
    return [f"                {op.name} = {expression(op, booleans)}" for op in graph.ops]


def _value(value: Value | None) -> str:
    if isinstance(value, bool):
        return repr(value)
    if isinstance(value, float):
        return f"real({value!r})" if abs(value) != float("inf") and value == value else f"real(float('{value}'))"
    return str(value)


def expression(op: Op, booleans: set[str]) -> str:
    """One operation as a numba expression with torch's treatment of NaN."""
    kind = op.kind
    a = [_value(v) for v in op.args]
    if kind in ARITHMETIC:  # a bool enters arithmetic as 0 or 1
        a = [f"(real(1.0) if {x} else real(0.0))" if v in booleans else x for x, v in zip(a, op.args, strict=True)]
    if kind in INFIX:
        return f"{a[0]} {INFIX[kind]} {a[1]}"
    if kind == "pow":
        exponent = float(op.args[1])  # type: ignore[arg-type]
        return f"math.sqrt({a[0]})" if exponent == 0.5 else " * ".join([a[0]] * int(exponent)) or "real(1.0)"
    if kind == "clamp":
        low = op.args[1]
        high = op.args[2]
        text = a[0] if low is None else f"({a[1]} if {a[0]} < {a[1]} else {a[0]})"
        return text if high is None else f"{a[2]} if {text} > {a[2]} else {text}"
    return {
        "rsub": "{1} - {0}",
        "neg": "-{0}",
        "not": "not {0}",
        "abs": "abs({0})",
        "sgn": "(real(1.0) if {0} > real(0.0) else (real(-1.0) if {0} < real(0.0) else {0}))",
        "exp": "exp({0})",
        "log": "real(math.log({0}))",
        "sqrt": "math.sqrt({0})",
        "rsqrt": "real(1.0) / math.sqrt({0})",
        "reciprocal": "real(1.0) / {0}",
        "sigmoid": "real(1.0) / (real(1.0) + exp(-{0}))",
        "tanh": "real(math.tanh({0}))",
        "floor": "np.floor({0})",
        "relu": "real(0.0) if {0} < real(0.0) else {0}",
        "maximum": "{0} if ({0} > {1}) | ({0} != {0}) else {1}",
        "minimum": "{0} if ({0} < {1}) | ({0} != {0}) else {1}",
        "clamp_max": "{1} if {0} > {1} else {0}",
        "where": "{1} if {0} else {2}",
        "masked_fill": "{2} if {1} else {0}",
    }[kind].format(*a)
