"""Traces a neuron's ``step`` into two lists of pointwise operations: the step, and its vector-Jacobian product."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._decomp import get_decompositions
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx

from lightning_modules.neurons.base import Neuron

aten = torch.ops.aten
Value = str | float | bool  # the name of an input or of an earlier operation, or a constant

# aten operation -> the name printers know it by. Overloads (Tensor, Scalar, ...) differ only in what is a constant.
POINTWISE = {
    "add": "add", "sub": "sub", "mul": "mul", "div": "div", "rsub": "rsub", "neg": "neg", "abs": "abs", "sgn": "sgn",
    "exp": "exp", "log": "log", "sqrt": "sqrt", "sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu", "pow": "pow",
    "where": "where", "maximum": "maximum", "minimum": "minimum", "gt": "gt", "ge": "ge", "lt": "lt", "le": "le",
    "eq": "eq", "ne": "ne", "sign": "sgn", "clamp": "clamp", "clamp_min": "clamp", "clamp_max": "clamp_max",
    "reciprocal": "reciprocal", "rsqrt": "rsqrt", "logical_and": "and", "bitwise_and": "and", "logical_or": "or",
    "bitwise_or": "or", "logical_not": "not", "bitwise_not": "not", "masked_fill": "masked_fill", "floor": "floor",
}  # fmt: skip
IDENTITIES = {"detach", "alias", "clone", "expand", "view", "lift_fresh", "lift_fresh_copy", "positive"}
CONSTANTS = {"zeros_like": 0.0, "ones_like": 1.0, "new_zeros": 0.0, "new_ones": 1.0, "zeros": 0.0, "ones": 1.0}
DECOMPOSITIONS: Any = get_decompositions(
    [
        aten.sigmoid_backward, aten.tanh_backward, aten.threshold_backward, aten.softplus_backward, aten.softplus,
        aten.leaky_relu, aten.leaky_relu_backward, aten.addcmul, aten.square, aten.hardtanh_backward,
    ]
)  # fmt: skip


class NotFusable(ValueError):
    """A step has an operation that cannot be printed; the message names it."""


@dataclass(frozen=True)
class Op:
    """``name = kind(*args)``; ``boolean``: the result is a truth value."""

    name: str
    kind: str
    args: tuple[Value | None, ...]
    boolean: bool


@dataclass(frozen=True)
class Graph:
    """Operations in order of execution, and the values that are returned."""

    ops: tuple[Op, ...]
    outputs: tuple[Value, ...]

    def used(self) -> set[Value]:
        return {a for op in self.ops for a in op.args if isinstance(a, str)} | set(self.outputs)


@dataclass(frozen=True)
class Traced:
    """A step as graphs. Inputs are named ``state_u``, ``current_0``, ``drive_k``; in ``backward`` also ``grad_u`` and
    ``grad_output``.

    ``forward`` gives the new states, then the output; ``backward`` the gradients of states, currents and drives.
    """

    title: str
    states: tuple[str, ...]
    currents: int
    drives: tuple[str, ...]
    dtype: torch.dtype
    forward: Graph
    backward: Graph

    def gradients(self) -> tuple[tuple[Value, ...], tuple[Value, ...], tuple[Value, ...]]:
        """The outputs of ``backward``: gradients of states, of currents, of drives."""
        outputs = self.backward.outputs
        states = len(self.states)
        return outputs[:states], outputs[states : states + self.currents], outputs[states + self.currents :]


def trace(neuron: Neuron, drives: Iterable[str], dtype: torch.dtype) -> Traced:
    """Trace ``neuron.step`` and its VJP; surrogate gradients come along, as autograd sees them.

    Raises ``NotFusable`` naming the operation that is not pointwise or not known.
    """
    drives = tuple(drives)
    state: Any = neuron.State
    states = tuple(state._fields)
    state_count = len(states)
    inputs_end = len(states) + neuron.inputs
    # One shape for all arguments: nothing is broadcast, so the VJP holds no sums. 0.5 and not 0: no operation is at a
    # special point.
    example = [torch.full((2, 3), 0.5, dtype=dtype) for _ in range(inputs_end + len(drives))]

    def step(*args: Tensor) -> tuple[Tensor, ...]:
        new, output = neuron.step(
            state(*args[:state_count]),
            *args[state_count:inputs_end],
            **dict(zip(drives, args[inputs_end:], strict=True)),
        )
        return (*new, output)

    def vjp(*args: Tensor) -> tuple[Tensor, ...]:
        pull = torch.func.vjp(step, *args[: len(example)])[1]
        return pull(tuple(args[len(example) :]))

    inputs = (
        [f"state_{s}" for s in states] + [f"current_{i}" for i in range(neuron.inputs)] + [f"drive_{d}" for d in drives]
    )
    gradients = [f"grad_{s}" for s in states] + ["grad_output"]
    forward = _graph(step, example, inputs, dtype)
    backward = _graph(vjp, example + [torch.full_like(example[0], 0.5) for _ in gradients], inputs + gradients, dtype)
    return Traced(
        f"{type(neuron).__module__}.{type(neuron).__qualname__}",
        states,
        neuron.inputs,
        drives,
        dtype,
        forward,
        backward,
    )


def _graph(function: Callable[..., Any], example: list[Tensor], names: list[str], dtype: torch.dtype) -> Graph:
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        try:
            module = make_fx(function, decomposition_table=DECOMPOSITIONS)(*example)
        except NotFusable:
            raise
        except Exception as error:  # data-dependent control flow, random numbers, ...: whatever tracing cannot follow
            message = str(error).strip().splitlines()
            raise NotFusable(f"tracing failed: {message[0] if message else type(error).__name__}") from error
    return prune(*_read(module, names, tuple(example[0].shape), dtype))


def _read(
    module: GraphModule, names: list[str], shape: tuple[int, ...], dtype: torch.dtype
) -> tuple[list[Op], tuple[Value, ...]]:
    """The graph's nodes as ``Op``s, equal ones merged."""
    values: dict[Node, Value] = {}
    booleans: dict[Value, bool] = {}
    merged: dict[tuple, str] = {}
    ops: list[Op] = []
    inputs = iter(names)
    for node in module.graph.nodes:
        if node.op == "placeholder":
            values[node] = next(inputs)
        elif node.op == "get_attr":
            values[node] = _constant(getattr(module, node.target), node.target)
        elif node.op == "output":
            return ops, tuple(values[n] for n in node.args[0])
        elif node.target is operator.getitem:
            raise NotFusable(f"{node.args[0]} gives several tensors")
        else:
            # in place or not: the graph names the result anew
            kind = node.target.overloadpacket.__name__.removesuffix("_")
            args = [values[a] if isinstance(a, Node) else a for a in node.args]
            if kind in IDENTITIES:
                values[node] = args[0]
            elif kind in CONSTANTS:
                values[node] = CONSTANTS[kind]
            elif kind in ("scalar_tensor", "full", "full_like", "new_full"):
                value = args[0] if kind == "scalar_tensor" else args[-1]
                # A constant born as float32 keeps that rounding when the step runs in float64, as it does in torch.
                values[node] = (
                    float(torch.tensor(value, dtype=node.meta["val"].dtype)) if not isinstance(value, bool) else value
                )
            elif kind == "_to_copy":
                values[node] = _converted(args[0], node, booleans, ops, dtype)
            elif kind in POINTWISE:
                op = _op(f"{kind}_{len(ops)}", node, POINTWISE[kind], args, booleans, shape)
                key = (op.kind, op.args)
                if key not in merged:
                    merged[key] = op.name
                    booleans[op.name] = op.boolean
                    ops.append(op)
                values[node] = merged[key]
            else:
                raise NotFusable(str(node.target))
    raise NotFusable("the step returned nothing")


def _constant(tensor: Tensor, name: str) -> float:
    if isinstance(tensor, nn.Parameter) or tensor.requires_grad or tensor.dim() > 0:
        raise NotFusable(
            f"a tensor of shape {list(tensor.shape)} that is no argument of step ({name}): hand it in through drive()"
        )
    return float(tensor)


def _converted(value: Value, node: Node, booleans: dict[Value, bool], ops: list[Op], dtype: torch.dtype) -> Value:
    target = node.meta["val"].dtype
    boolean = booleans.get(value, False)
    if target == torch.bool:
        if boolean:
            return value
        op = Op(f"truth_{len(ops)}", "ne", (value, 0.0), True)
    elif target.is_floating_point:
        if not boolean:
            if isinstance(value, str) and target != dtype:
                raise NotFusable(f"a conversion to {target}")
            return value
        op = Op(f"number_{len(ops)}", "where", (value, 1.0, 0.0), False)
    else:
        raise NotFusable(f"a conversion to {target}")
    ops.append(op)
    booleans[op.name] = op.boolean
    return op.name


def _op(name: str, node: Node, kind: str, args: list[Any], booleans: dict[Value, bool], shape: tuple[int, ...]) -> Op:
    result = node.meta["val"]
    if tuple(result.shape) not in (shape, ()):
        raise NotFusable(f"{node.target} to shape {list(result.shape)}: not elementwise")
    keywords = dict(node.kwargs)
    alpha = keywords.pop("alpha", 1)
    if (
        alpha != 1
        or (kind == "div" and keywords.pop("rounding_mode", None))
        or (kind in ("add", "sub", "rsub") and len(args) > 2)
    ):
        raise NotFusable(f"{node.target} with options")
    if kind == "clamp":
        low, high = (args + [None, None])[1:3]
        args = [args[0], keywords.pop("min", low), keywords.pop("max", high)]
    if kind == "pow" and not (
        isinstance(args[1], int | float) and float(args[1]).is_integer() and 0 <= args[1] <= 4 or args[1] == 0.5
    ):
        raise NotFusable(f"{node.target} with exponent {args[1]}")
    if not (result.dtype == torch.bool or result.dtype.is_floating_point):
        raise NotFusable(f"{node.target} on {result.dtype}")
    clean = tuple(float(a) if isinstance(a, int) and not isinstance(a, bool) else a for a in args)
    return Op(name, kind, clean, result.dtype == torch.bool)


def prune(ops: list[Op], outputs: tuple[Value, ...]) -> Graph:
    """The graph without the operations that no output needs."""
    needed = set(outputs)
    needed_ops = []
    for op in reversed(ops):
        if op.name in needed:
            needed_ops.append(op)
            needed.update(a for a in op.args if isinstance(a, str))
    return Graph(tuple(reversed(needed_ops)), outputs)
