"""Products with a matrix so small that it stays in the processor's registers, as LLVM instructions.

Arrays are contiguous. A row of the matrix, of the outputs or of their gradients is one vector.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from lightning_modules.scan.lanes import Rows

WORD = ir.IntType(64)


@intrinsic(prefer_literal=True)
def project_rows(
    typing: Any, x: Any, row: Any, weight: Any, bias: Any, out: Any, to: Any, rows: Any, inputs: Any, outputs: Any
) -> Any:
    """``out[to + r] = bias + x[row + r] @ weight`` for each r below ``rows``; ``weight`` [inputs, outputs]."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        xs = Rows(context, builder, signature.args[0], args[0], inputs.literal_value)
        weights, biases, outs = (
            Rows(context, builder, signature.args[k], args[k], outputs.literal_value) for k in (2, 3, 4)
        )
        matrix = [weights.load(ir.Constant(WORD, i)) for i in range(xs.width)]
        first = biases.load(ir.Constant(WORD, 0))
        with cgutils.for_range(builder, args[6]) as loop:
            from_row = builder.add(args[1], loop.index)
            total = first
            for i in range(xs.width):
                total = outs.add_product(total, xs.number(from_row, i), matrix[i])
            outs.store(total, builder.add(args[5], loop.index))
        return context.get_dummy_value()

    return types.void(x, types.intp, weight, bias, out, types.intp, types.intp, inputs, outputs), generate


@intrinsic(prefer_literal=True)
def add_outer(typing: Any, x: Any, row: Any, grad: Any, to: Any, out: Any, rows: Any, inputs: Any, outputs: Any) -> Any:
    """``out`` [inputs, outputs] += the sum of ``x[row + r]^T grad[to + r]`` for each r below ``rows``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        xs = Rows(context, builder, signature.args[0], args[0], inputs.literal_value)
        grads, outs = (Rows(context, builder, signature.args[k], args[k], outputs.literal_value) for k in (2, 4))
        sums = [cgutils.alloca_once(builder, outs.vector) for _ in range(xs.width)]
        for total in sums:  # they become registers
            builder.store(ir.Constant(outs.vector, None), total)
        with cgutils.for_range(builder, args[5]) as loop:
            from_row = builder.add(args[1], loop.index)
            grad_row = grads.load(builder.add(args[3], loop.index))
            for i, total in enumerate(sums):
                builder.store(outs.add_product(builder.load(total), xs.number(from_row, i), grad_row), total)
        for i, total in enumerate(sums):
            place = ir.Constant(WORD, i)
            outs.store(builder.fadd(outs.load(place), builder.load(total)), place)
        return context.get_dummy_value()

    return types.void(x, types.intp, grad, types.intp, out, types.intp, inputs, outputs), generate
