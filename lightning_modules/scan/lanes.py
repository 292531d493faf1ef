"""Vector operations of kernels on rows of ``LANES`` samples, as LLVM instructions.

A row is one line of an array [*, LANES] that is contiguous. Loops over so few numbers are not vectorised well.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16  # samples; 16 numbers fill one line of the cache in single precision


class Rows:
    """Rows of an array [*, ``width``] in the code that is generated."""

    def __init__(self, context: Any, builder: Any, kind: Any, array: Any, width: int = LANES) -> None:
        self.builder = builder
        self.width = width
        self.data = context.make_array(kind)(context, builder, array).data
        self.vector = ir.VectorType(self.data.type.pointee, width)

    def _first(self, row: Any) -> Any:
        return self.builder.mul(row, ir.Constant(row.type, self.width))

    def _pointer(self, row: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(self.data, [self._first(row)]), self.vector.as_pointer())

    def number(self, row: Any, column: int) -> Any:
        place = self.builder.add(self._first(row), ir.Constant(row.type, column))
        return self.builder.load(self.builder.gep(self.data, [place]))

    def load(self, row: Any) -> Any:
        return self.builder.load(self._pointer(row), align=4)

    def store(self, value: Any, row: Any) -> None:
        self.builder.store(value, self._pointer(row), align=4)

    def filled(self, number: Any) -> Any:
        """A row with ``number`` everywhere."""
        word = ir.IntType(32)
        first = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), number, ir.Constant(word, 0))
        same = ir.Constant(ir.VectorType(word, self.width), [0] * self.width)
        return self.builder.shuffle_vector(first, first, same)

    def add_product(self, total: Any, number: Any, row: Any) -> Any:
        """``total + number * row``, rounded once where the processor can."""
        product = self.builder.fmul(self.filled(number), row, flags=("contract",))
        return self.builder.fadd(total, product, flags=("contract",))


@intrinsic
def active(typing: Any, x: Any, row: Any) -> Any:
    """Which lanes of ``x[row]`` are not 0, as the bits of a number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows = Rows(context, builder, signature.args[0], args[0])
        bits = builder.fcmp_unordered("!=", rows.load(args[1]), ir.Constant(rows.vector, None))
        return builder.zext(builder.bitcast(bits, ir.IntType(LANES)), ir.IntType(64))

    return types.uint64(x, types.intp), generate


@intrinsic
def add_scaled(typing: Any, out: Any, to: Any, weight: Any, x: Any, row: Any) -> Any:
    """``out[to] += weight * x[row]``, the product rounded before the sum."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        outs = Rows(context, builder, signature.args[0], args[0])
        rows = Rows(context, builder, signature.args[3], args[3])
        change = builder.fmul(outs.filled(args[2]), rows.load(args[4]))
        outs.store(builder.fadd(outs.load(args[1]), change), args[1])
        return context.get_dummy_value()

    return types.void(out, types.intp, weight, x, types.intp), generate


@intrinsic
def product(typing: Any, x: Any, row: Any, y: Any, other: Any) -> Any:
    """The sum over lanes of ``x[row] * y[other]``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        total = builder.fmul(
            Rows(context, builder, signature.args[0], args[0]).load(args[1]),
            Rows(context, builder, signature.args[2], args[2]).load(args[3]),
        )
        half = LANES // 2
        while half:  # fold the upper half onto the lower one
            parts = []
            for first in (0, half):
                mask = ir.Constant(ir.VectorType(ir.IntType(32), half), list(range(first, first + half)))
                parts.append(builder.shuffle_vector(total, total, mask))
            total = builder.fadd(*parts)
            half //= 2
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return x.dtype(x, types.intp, y, types.intp), generate


@intrinsic
def accumulate(
    typing: Any, out: Any, to: Any, x: Any, now: Any, places: Any, weights: Any, begin: Any, end: Any
) -> Any:
    """``out[to] +=`` the sum over k from ``begin`` to ``end`` of ``weights[k] * x[now + places[k]]``, in registers."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        outs = Rows(context, builder, signature.args[0], args[0])
        rows = Rows(context, builder, signature.args[2], args[2])
        places_data = context.make_array(signature.args[4])(context, builder, args[4]).data
        weights_data = context.make_array(signature.args[5])(context, builder, args[5]).data
        word = ir.IntType(64)
        chains = 4  # sums that do not wait for each other
        sums = [cgutils.alloca_once_value(builder, ir.Constant(rows.vector, None)) for _ in range(chains)]

        def add(k: Any, total: Any) -> None:
            place = builder.zext(builder.load(builder.gep(places_data, [k])), word)
            weight = builder.load(builder.gep(weights_data, [k]))
            value = rows.load(builder.add(args[3], place))
            builder.store(rows.add_product(builder.load(total), weight, value), total)

        several = builder.udiv(builder.sub(args[7], args[6]), ir.Constant(word, chains))
        with cgutils.for_range(builder, several) as loop:
            first = builder.add(args[6], builder.mul(loop.index, ir.Constant(word, chains)))
            for number, total in enumerate(sums):
                add(builder.add(first, ir.Constant(word, number)), total)
        first = builder.add(args[6], builder.mul(several, ir.Constant(word, chains)))
        with cgutils.for_range(builder, builder.sub(args[7], first)) as loop:
            add(builder.add(first, loop.index), sums[0])
        pairs = [builder.fadd(builder.load(a), builder.load(b)) for a, b in zip(sums[::2], sums[1::2], strict=True)]
        outs.store(builder.fadd(outs.load(args[1]), builder.fadd(*pairs)), args[1])
        return context.get_dummy_value()

    return types.void(out, types.intp, x, types.intp, places, weights, types.intp, types.intp), generate
