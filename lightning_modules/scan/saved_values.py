"""Finds the values that a step saves for its backward pass: as few bytes as possible, by a minimum cut.

The backward graph starts from the same states and currents as the forward graph. Whatever separates these inputs from
the operations that take a gradient can be saved in their place: CE-LIF needs one number and two bits of each step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from lightning_modules.scan.trace import Graph, Op, Traced, Value, prune

# Memory traffic of one value, in sixteenths of a number that is read
READ = 16
WRITTEN_AND_READ = 32
BIT = 1
UNLIMITED = 1 << 20


class SavedValues(NamedTuple):
    """What the forward pass saves, and the graphs on both sides.

    A binary state is 0 or 1 after every step. Its bit tells the state before a step, except for the first step.
    """

    numbers: tuple[str, ...]
    bits: tuple[str, ...]  # truth values and binary states
    binary_states: tuple[str, ...]  # those of ``bits`` that are states
    currents: tuple[int, ...]  # currents that the backward pass reads again
    extra: Graph  # operations of the forward pass for the saved values only
    backward: Graph  # the backward pass from the saved values


def is_binary(graph: Graph, value: Value | None) -> bool:
    """Whether ``value`` can only be 0 or 1."""
    if not isinstance(value, str):
        return value in (0.0, 1.0)
    op = next((op for op in graph.ops if op.name == value), None)
    if op is None:
        return False
    if op.kind == "mul":
        return all(is_binary(graph, a) for a in op.args)
    return op.kind == "where" and all(is_binary(graph, a) for a in op.args[1:])


def saved_values(traced: Traced, recurrent: bool) -> SavedValues:
    """The values that the backward pass of ``traced`` needs; ``recurrent``: the current itself is not in memory."""
    forward = traced.forward
    ops, outputs = _named_alike(forward, traced.backward)
    binary = {
        f"state_{name}"
        for name, value in zip(traced.states, forward.outputs, strict=False)
        if is_binary(forward, value)
    }
    costs: dict[str, int] = {f"state_{name}": WRITTEN_AND_READ for name in traced.states}
    costs |= dict.fromkeys(binary, BIT)
    costs |= {f"current_{i}": READ for i in range(traced.currents)}
    if recurrent:
        costs["current_0"] = WRITTEN_AND_READ
    cut = _cut(ops, outputs, costs)
    truths = {op.name for op in ops if op.boolean}
    in_memory = {f"current_{i}": i for i in range(traced.currents) if not (recurrent and i == 0)}
    saved = [value for value in cut if value not in in_memory]
    own = {op.name for op in forward.ops}
    extra = prune([op for op in ops if not _takes_gradient(op.name)], tuple(saved))
    return SavedValues(
        numbers=tuple(value for value in saved if value not in truths | binary),
        bits=tuple(value for value in saved if value in truths | binary),
        binary_states=tuple(value for value in saved if value in binary),
        currents=tuple(in_memory[value] for value in cut if value in in_memory),
        extra=Graph(tuple(op for op in extra.ops if op.name not in own), tuple(saved)),
        backward=prune([op for op in ops if op.name not in cut], outputs),
    )


def _named_alike(forward: Graph, backward: Graph) -> tuple[list[Op], tuple[Value, ...]]:
    """All operations of both graphs, equal ones once, and the outputs of ``backward``.

    An operation that depends on a gradient has a name that starts with ``pull``.
    """
    ops = list(forward.ops)
    known = {(op.kind, op.args): op.name for op in ops}
    names: dict[Value | None, Value] = {}
    for op in backward.ops:
        args = tuple(names.get(a, a) for a in op.args)
        key = (op.kind, args)
        if key not in known:
            pulled = any(isinstance(a, str) and _takes_gradient(a) for a in args)
            known[key] = f"{'pull' if pulled else 'again'}_{op.name}"
            ops.append(Op(known[key], op.kind, args, op.boolean))
        names[op.name] = known[key]
    return ops, tuple(names.get(value, value) for value in backward.outputs)


def _takes_gradient(value: str) -> bool:
    return value.startswith(("grad_", "pull_"))


def _cut(ops: Sequence[Op], outputs: Sequence[Value], costs: Mapping[str, int]) -> list[str]:
    """The cheapest values from which everything that takes a gradient follows, in order of their computation.

    ``costs`` are those of the inputs; what depends on none of them is free.
    """
    varying = dict(costs)
    used: set[str] = {value for value in outputs if isinstance(value, str)}
    pairs: list[tuple[str, str]] = []
    for op in ops:
        args = [a for a in op.args if isinstance(a, str)]
        if _takes_gradient(op.name):
            used.update(args)
        elif any(a in varying for a in args):
            varying[op.name] = BIT if op.boolean else WRITTEN_AND_READ
            pairs += [(a, op.name) for a in args if a in varying]
    numbers = {value: 2 + 2 * i for i, value in enumerate(varying)}
    source = 0
    sink = 1
    edges = {(numbers[a] + 1, numbers[b]): UNLIMITED for a, b in pairs}
    edges |= {(number, number + 1): varying[value] for value, number in numbers.items()}
    edges |= {(source, numbers[value]): UNLIMITED for value in costs}
    edges |= {(numbers[value] + 1, sink): UNLIMITED for value in used if value in numbers}
    places = np.array(list(edges), dtype=np.int32).T
    size = 2 + 2 * len(numbers)
    capacity = csr_array((np.array(list(edges.values()), dtype=np.int32), (places[0], places[1])), shape=(size, size))
    flow = maximum_flow(capacity, source, sink).flow
    rest = capacity - flow
    rest.eliminate_zeros()
    reached = set(breadth_first_order(rest, source, return_predecessors=False).tolist())
    return [value for value, number in numbers.items() if number in reached and number + 1 not in reached]
