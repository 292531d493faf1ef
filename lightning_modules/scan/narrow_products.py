"""Products of a layer whose weights are so few that they stay in registers: several times as fast as a library's."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from torch import Tensor

from lightning_modules.scan import kernels

REGISTERS = 32  # of a processor; what does not fit waits in its fastest cache
REGISTER_BYTES = 64
SOURCE = '''\
"""Products with a matrix [{inputs}, {outputs}], printed by lightning_modules.scan: do not edit.

``x`` [T, B, {inputs}] is taken from ``step`` and ``row`` on, ``rows`` samples a step; other arrays have them alone.
"""

from lightning_modules.scan.kernels import kernel
from lightning_modules.scan.narrow_rows import add_outer, project_rows


@kernel
def project(x, step, row, rows, weight, bias, out):
    """out = bias + x @ weight"""
    for t in range(len(out) // rows):
        project_rows(x, (step + t) * x.shape[1] + row, weight, bias, out, t * rows, rows, {inputs}, {outputs})


@kernel
def project_back(grad, weight, bias, out):
    """out = bias + grad @ weight, ``weight`` [{outputs}, {inputs}]"""
    project_rows(grad, 0, weight, bias, out, 0, len(out), {outputs}, {inputs})


@kernel
def outer(x, step, row, rows, grad, out):
    """out += x.T @ grad, step by step, so that rounding is that of few additions"""
    for t in range(len(grad) // rows):
        add_outer(x, (step + t) * x.shape[1] + row, grad, t * rows, out, rows, {inputs}, {outputs})
'''


def fits_registers(weight: Tensor) -> bool:
    """Whether ``weight`` [N, inputs] and its transpose fit a processor's registers, a row in whole ones."""
    lanes = REGISTER_BYTES // weight.element_size()
    outputs, inputs = weight.shape
    return max(inputs * -(-outputs // lanes), outputs * -(-inputs // lanes)) <= REGISTERS


@cache
def narrow_products(inputs: int, outputs: int) -> ModuleType:
    """Kernels for weights [``outputs``, ``inputs``]."""
    return kernels.load(SOURCE.format(inputs=inputs, outputs=outputs), "narrow products")
