"""Counts the operations of a neuron's update in its traced step, as the energy of celif Table 4 needs them.

Every product with a state or a current is a MAC of each step. What a spike switches, as a reset does, is an AC of each
spike. Products of constants and parameters are folded. Divisions, powers and functions such as exp count as one MAC
[U].
"""

from __future__ import annotations

from collections.abc import Mapping

from lightning_modules.scan.trace import Graph, Traced, Value

FIXED = 0  # constants and parameters
GATE = 1  # depends on spikes alone: one of two values
REAL = 2  # depends on a state or a current
BOOLEAN = {"gt", "ge", "lt", "le", "eq", "ne", "and", "or", "not"}
COSTLY = {"exp", "log", "sqrt", "rsqrt", "sigmoid", "tanh", "pow", "div", "reciprocal"}
SUMS = {"add", "sub", "rsub"}


def count(traced: Traced) -> tuple[int, int]:
    """ACs of each spike and MACs of each step."""
    outputs = traced.forward.outputs
    spikes: set[str] = set()  # states that hold nothing but the last spike
    while True:
        kinds: dict[Value, int] = {f"drive_{name}": FIXED for name in traced.drives}
        kinds |= {f"state_{name}": GATE if name in spikes else REAL for name in traced.states}
        kinds |= {f"current_{number}": REAL for number in range(traced.currents)}
        acs, macs = _counted(traced.forward, kinds)
        last = {name for name, new in zip(traced.states, outputs, strict=False) if kinds.get(new) == GATE}
        if last <= spikes:
            return acs, macs
        spikes |= last


def _counted(graph: Graph, kinds: dict[Value, int]) -> tuple[int, int]:
    """ACs and MACs of ``graph``; adds the kinds of its results to ``kinds``."""
    acs = 0
    macs = 0
    for op in graph.ops:
        of = [_kind(value, kinds) for value in op.args if value is not None]
        reals = of.count(REAL)
        kinds[op.name] = max(of, default=FIXED)
        if op.kind in BOOLEAN or (op.kind == "where" and of[1:] == [FIXED, FIXED]):
            kinds[op.name] = min(kinds[op.name], GATE)  # a spike, or a part of one
        elif op.kind in ("mul", "where", *SUMS) and reals and GATE in of:
            acs += 1
        elif (op.kind in COSTLY or (op.kind == "mul" and not {1.0, -1.0, 0.0} & set(op.args))) and reals:
            macs += 1
    return acs, macs


def _kind(value: Value, kinds: Mapping[Value, int]) -> int:
    return kinds[value] if isinstance(value, str) else FIXED
