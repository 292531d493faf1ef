"""Surrogate gradients: the derivative used in place of that of the Heaviside step.

Every surrogate is an elementwise function ``x -> dS/dx`` of ``x = V - threshold`` (any shape), written with pointwise
torch operations only, so that the scan can print it into a fused kernel. ``width`` is the paper's own constant of the
form.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Derivative = Callable[[Tensor, float], Tensor]
SURROGATES: dict[str, Derivative] = {}


def surrogate(function: Derivative) -> Derivative:
    """Register ``function`` under its own name."""
    SURROGATES[function.__name__] = function
    return function


@surrogate
def boxcar(x: Tensor, width: float) -> Tensor:
    """1 if ``|x| < width`` else 0: height 1, not normalised (Chen et al., eq. 7, with width 0.2)."""
    return torch.where(x.abs() < width, 1.0, 0.0).to(x.dtype)


@surrogate
def rect(x: Tensor, width: float) -> Tensor:
    """1/(2 width) if ``|x| < width`` else 0: unit area (Wu et al. 2018; roles Table 5 with width 0.25)."""
    return torch.where(x.abs() < width, 0.5 / width, 0.0).to(x.dtype)


@surrogate
def triangular(x: Tensor, width: float) -> Tensor:
    """max(0, 1 - |x|/width) / width; with width 1 the form of Bellec et al. 2018 and TC-LIF."""
    return torch.clamp(1.0 - x.abs() / width, min=0.0) / width


@surrogate
def multi_gaussian(x: Tensor, width: float) -> Tensor:
    """0.5 [1.15 N(x; 0, s) - 0.15 N(x; s, 6s) - 0.15 N(x; -s, 6s)] with s = ``width`` (Yin, Corradi, Bohte 2021).

    The two side lobes share one exponential: their sum is 2 e^(-1/72) N(x; 0, 6s) cosh(x / 36s). A polynomial gives the
    hyperbolic cosine: where it differs from it, the density is so small that the product is exact in double precision.
    Constants are joined, and multiplied with: a division takes as long as an exponential.
    """
    height = 0.15
    scale = 6.0
    square = x**2
    centre = 0.5 * (1.0 + height) / (width * math.sqrt(2.0 * math.pi))
    sides = height * math.exp(-0.5 / scale**2) / (scale * width * math.sqrt(2.0 * math.pi))
    angle = torch.clamp(square * (1.0 / (scale**2 * width) ** 2), max=64.0)  # its square; the density is 0 long before
    c2, c4, c6, c8, c10, c12 = (1.0 / math.factorial(power) for power in (2, 4, 6, 8, 10, 12))
    fourth = angle * angle  # not by Horner's rule: sums that do not wait for each other
    cosh = (((angle * c12 + c10) * fourth + (angle * c8 + c6)) * fourth + (angle * c4 + c2)) * angle + 1.0
    side_lobes = torch.exp(square * (-0.5 / (scale * width) ** 2)) * (cosh * sides)
    return torch.exp(square * (-0.5 / width**2)) * centre - side_lobes


@surrogate
def arctan(x: Tensor, width: float) -> Tensor:
    """(a/2) / (1 + (pi a x / 2)^2) with a = ``width``, 2 in the paper (Fang et al. 2021, PLIF)."""
    return (width / 2.0) / (1.0 + (math.pi / 2.0 * width * x) ** 2)


@surrogate
def sigmoid(x: Tensor, width: float) -> Tensor:
    """4/a s (1 - s) with s = sigmoid(4 x / a), a = ``width``: height 1/a, unit area (Wu et al. 2018)."""
    s = torch.sigmoid(x * (4.0 / width))
    return s * (1.0 - s) * (4.0 / width)


@surrogate
def lsnn(x: Tensor, width: float) -> Tensor:
    """width max(0, 1 - |x|) of the scaled voltage x = (V - B) / B (Bellec et al. 2018, LSNN).

    ``width`` is the dampening factor, 0.3.
    """
    return width * torch.clamp(1.0 - x.abs(), min=0.0)


class _Spike(torch.autograd.Function):
    """Heaviside step forward, surrogate backward."""

    @staticmethod
    def forward(x: Tensor, derivative: Derivative, width: float, inclusive: bool) -> Tensor:
        return ((x >= 0) if inclusive else (x > 0)).to(x.dtype)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        x, ctx.derivative, ctx.width, _ = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * ctx.derivative(x, ctx.width), None, None, None


def spike(x: Tensor, surrogate: str, width: float, inclusive: bool = False) -> Tensor:
    """S = H(x), of ``x``'s shape and dtype, with dS/dx = the named surrogate.

    H(0) is 0, as in the public code of both papers; ``inclusive`` gives H(0) = 1, as they print it.
    Raises ``ValueError`` for a name not in ``SURROGATES``.
    """
    if surrogate not in SURROGATES:
        raise ValueError(f"unknown surrogate {surrogate!r}; known: {', '.join(sorted(SURROGATES))}")
    return _Spike.apply(x, SURROGATES[surrogate], width, inclusive)
