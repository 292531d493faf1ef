"""Batches on a card: sent in as few bytes as they have, and unpacked there while the host makes the next ones.

Binary input crosses as bits. A whole set stays on the card where it fits, and only the numbers of a batch's samples
cross. The tensors are those that the CPU makes, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

LARGEST_SET = 2**32  # bytes that a set may take on a card
PER_BYTE = 8


class Bits(NamedTuple):
    """Zeros and ones, eight of the last dimension in a byte, the first in its highest bit.

    ``packed`` is uint8 [..., ceil(N / 8)]; ``width`` is N.
    """

    packed: Tensor
    width: int

    def dense(self) -> Tensor:
        """[..., N] float32, on the device of the bits."""
        shifts = torch.arange(PER_BYTE - 1, -1, -1, device=self.packed.device, dtype=torch.uint8)
        ones = torch.bitwise_right_shift(torch.unsqueeze(self.packed, -1), shifts).bitwise_and(1)
        return ones.flatten(-2).narrow(-1, 0, self.width).float()


class Stored:
    """A tensor that stays on each card where it was used once."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.copies: dict[torch.device, Tensor] = {}

    def on(self, device: torch.device) -> Tensor:
        if device not in self.copies:
            self.copies[device] = self.tensor.to(device)
        return self.copies[device]


class Rows(NamedTuple):
    """Samples ``rows`` of a stored set; ``form`` makes the batch of them, [B, …] -> [T, B, N], on any device."""

    stored: Stored
    rows: Tensor
    form: Callable[[Tensor], Tensor]


def pack(x: Tensor | np.ndarray) -> Bits:
    """``x`` [..., N], truth values or zeros and ones of any type, as bits in memory of its own."""
    array = x.numpy() if isinstance(x, Tensor) else x
    return Bits(torch.from_numpy(np.packbits(array.astype(bool, copy=False), axis=-1)), array.shape[-1])


def sent(x: Tensor, device: torch.device) -> Tensor:
    """``x`` on ``device``. To a card it goes through pinned memory of torch's own.

    The host does not wait for the copy, and torch does not use the pinned memory again before it is done: the memory of
    ``x`` may be written to at once. A tensor that repeats itself over time crosses once.
    """
    if x.dim() > 1 and x.stride(0) == 0:
        return sent(x.select(0, 0), device).expand(x.shape)
    if device.type == "cuda" and x.device.type == "cpu":
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)


def on_card(x: Any, device: torch.device) -> Tensor:
    """The dense batch on ``device`` of a tensor, ``Bits`` or ``Rows``."""
    if isinstance(x, Bits):
        return Bits(sent(x.packed, device), x.width).dense()
    if isinstance(x, Rows):
        return x.form(x.stored.on(device).index_select(0, sent(x.rows, device)))
    return sent(x, device)
