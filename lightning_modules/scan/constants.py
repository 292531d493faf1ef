"""One step for several neurons that differ in constants alone: what differs becomes drives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lightning_modules.scan.trace import Graph, NotFusable, Op, Traced


def lift_constants(steps: Sequence[Traced]) -> tuple[Traced, list[dict[str, float]]]:
    """A step that takes as drives what differs between ``steps``, and the values of these drives for each of them.

    A product with 0.3 is the same whether 0.3 stands in the kernel or in memory, so every result stays as it is. Raises
    ``NotFusable`` where the steps differ in more, say since one of them has two constants that are equal.
    """
    first = steps[0]
    lift = _Lift()
    forward = lift.graph([step.forward for step in steps])
    backward = lift.graph([step.backward for step in steps])
    names = list(lift.names.values())
    outputs = (*backward.outputs, *(0.0 for _ in names))  # nobody asks for gradients of constants
    lifted = Traced(
        first.title,
        first.states,
        first.currents,
        (*first.drives, *names),
        first.dtype,
        forward,
        Graph(backward.ops, outputs),
    )
    rows = [{name: values[i] for values, name in lift.names.items()} for i in range(len(steps))]
    return lifted, rows


class _Lift:
    """Gives values that differ a name, equal ones the same name."""

    def __init__(self) -> None:
        self.names: dict[tuple[float, ...], str] = {}

    def graph(self, graphs: Sequence[Graph]) -> Graph:
        forms = {tuple((op.name, op.kind, op.boolean) for op in graph.ops) for graph in graphs}
        if len(forms) > 1:
            raise NotFusable("the steps differ in more than constants")
        ops = [self._op(alike) for alike in zip(*(graph.ops for graph in graphs), strict=True)]
        outputs = zip(*(graph.outputs for graph in graphs), strict=True)
        return Graph(tuple(ops), tuple(self._value(values) for values in outputs))

    def _op(self, ops: Sequence[Op]) -> Op:
        first = ops[0]
        if first.kind == "pow" and len({op.args[1] for op in ops}) > 1:
            raise NotFusable("the steps have different exponents")
        args = zip(*(op.args for op in ops), strict=True)
        return Op(first.name, first.kind, tuple(self._value(values) for values in args), first.boolean)

    def _value(self, values: tuple[Any, ...]) -> Any:
        if len(set(values)) == 1:
            return values[0]
        if not all(type(value) is float for value in values):
            raise NotFusable("the steps differ in more than constants")
        return f"drive_{self.names.setdefault(values, f'constant{len(self.names)}')}"
