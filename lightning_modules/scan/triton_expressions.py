"""Prints single operations of a traced step as Triton expressions."""

from __future__ import annotations

import torch

from lightning_modules.scan.numba_printer import ARITHMETIC, INFIX
from lightning_modules.scan.trace import Op, Value


def constant(value: Value | None) -> str:
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
    a = [constant(v) for v in op.args]
    if kind in ARITHMETIC:
        a = [
            f"tl.where({x}, {constant(1.0)}, {constant(0.0)})" if v in booleans else x
            for x, v in zip(a, op.args, strict=True)
        ]
    if kind == "div":
        return f"divide(zero + {a[0]}, zero + {a[1]})"
    if kind in INFIX:
        return f"{a[0]} {INFIX[kind]} {a[1]}"
    if kind == "pow":
        exponent = float(op.args[1])  # type: ignore[arg-type]
        return f"root({a[0]})" if exponent == 0.5 else " * ".join([a[0]] * int(exponent)) or constant(1.0)
    if kind == "clamp":
        low = op.args[1]
        high = op.args[2]
        text = a[0] if low is None else f"tl.where({a[0]} < {a[1]}, {a[1]}, {a[0]})"
        return text if high is None else f"tl.where({text} > {a[2]}, {a[2]}, {text})"
    one = constant(1.0)
    zero = constant(0.0)
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
        "tanh": f"{one} - divide(zero + {constant(2.0)}, zero + {one} + tl.exp({constant(2.0)} * {{0}}))",
        "floor": "tl.floor({0})",
        "relu": f"tl.where({{0}} < {zero}, {zero}, {{0}})",
        "maximum": "tl.where(({0} > {1}) | ({0} != {0}), {0}, {1})",
        "minimum": "tl.where(({0} < {1}) | ({0} != {0}), {0}, {1})",
        "clamp_max": "tl.where({0} > {1}, {1}, {0})",
        "where": "tl.where({0}, {1}, {2})",
        "masked_fill": "tl.where({1}, {2}, {0})",
    }[kind].format(*a)
