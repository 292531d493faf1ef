"""The recurrent product as Triton source: float32 on matrix units that take bfloat16.

A float32 number is the sum of three bfloat16 parts, and a spike is one of them. Products of parts are exact and are
added in float32, the small ones first. Of the nine products of two split numbers the six largest give float32 accuracy.
"""

from __future__ import annotations

import torch
from torch.nn import functional

PARTS = 3  # of a float32 number
SPLIT = '''

@triton.jit
def product(rows, b, n, matrix, B, N, BB: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, PADDED: tl.constexpr,
            real: tl.constexpr, half: tl.constexpr, BINARY: tl.constexpr):
    """rows [B, N] @ matrix [N, N] for the samples b; matrix is given in three parts. BINARY: rows are 0 or 1."""
    tl.debug_barrier()
    out = tl.zeros([BB, BN], real)
    for first in range(0, N, BK):
        k = first + tl.arange(0, BK)
        left = tl.load(rows + b[:, None] * N + k[None, :], (b < B)[:, None] & (k < N)[None, :], 0.0)
        place = matrix + k[:, None] * PADDED + n[None, :]
        low = tl.load(place + 2 * PADDED * PADDED)
        high_left = left.to(half)
        if BINARY:
            out = tl.dot(high_left, low, out)
            out = tl.dot(high_left, tl.load(place + PADDED * PADDED), out)
            out = tl.dot(high_left, tl.load(place), out)
        else:
            middle = tl.load(place + PADDED * PADDED)
            high = tl.load(place)
            rest = left - high_left.to(real)
            middle_left = rest.to(half)
            low_left = (rest - middle_left.to(real)).to(half)
            out = tl.dot(high_left, low, out)
            out = tl.dot(middle_left, middle, out)
            out = tl.dot(low_left, high, out)
            out = tl.dot(high_left, middle, out)
            out = tl.dot(middle_left, high, out)
            out = tl.dot(high_left, high, out)
    return out
'''
PLAIN = '''

@triton.jit
def product(rows, b, n, matrix, B, N, BB: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, PADDED: tl.constexpr,
            real: tl.constexpr, half: tl.constexpr, BINARY: tl.constexpr):
    """rows [B, N] @ matrix [N, N] for the samples b."""
    tl.debug_barrier()
    out = tl.zeros([BB, BN], real)
    for first in range(0, N, BK):
        k = first + tl.arange(0, BK)
        left = tl.load(rows + b[:, None] * N + k[None, :], (b < B)[:, None] & (k < N)[None, :], 0.0)
        right = tl.load(matrix + k[:, None] * PADDED + n[None, :])
        out += tl.dot(left, right, input_precision="ieee", out_dtype=real)
    return out
'''


def product_source(dtype: torch.dtype) -> str:
    """Triton source of ``product`` for numbers of ``dtype``."""
    return PLAIN if dtype == torch.float64 else SPLIT


def split(matrix: torch.Tensor, padded: int, half: torch.dtype) -> torch.Tensor:
    """``matrix`` [..., N, N] as [..., parts, padded, padded]: three parts that are bfloat16 numbers, of type ``half``.

    A float64 matrix is its only part. What is padded is 0.
    """
    rest = padded - matrix.shape[-1]
    matrix = functional.pad(matrix, (0, rest, 0, rest))
    if matrix.dtype == torch.float64:
        return matrix.unsqueeze(-3)
    high = matrix.to(torch.bfloat16)
    remainder = matrix - high.float()
    middle = remainder.to(torch.bfloat16)
    low = (remainder - middle.float()).to(torch.bfloat16)
    return torch.stack([high, middle, low], -3).to(half)
