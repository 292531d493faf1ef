"""Temporal convolutional network (Bai, Kolter, Koltun 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from lightning_modules.networks.base import Network


class Block(nn.Module):
    """Two causal convolutions and a residual, [B, C, T] -> [B, N, T].

    Each convolution has weight norm, ReLU and dropout of single values.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = (weight_norm(nn.Conv1d(n, outputs, kernel)) for n in (inputs, outputs))
        for conv in (self.first, self.second):
            nn.init.normal_(conv.parametrizations.weight.original1, 0.0, 0.01)
        self.shortcut = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else None
        if self.shortcut is not None:
            nn.init.normal_(self.shortcut.weight, 0.0, 0.01)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, dilation: int) -> Tensor:
        y = x
        for conv in (self.first, self.second):
            past = F.pad(y, (dilation * (conv.kernel_size[0] - 1), 0))
            y = self.dropout(F.relu(F.conv1d(past, conv.weight, conv.bias, dilation=dilation)))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class TCN(Network):
    """``layers``: widths from input to output, every hidden one a residual block; block i has dilation 2^i. Then a
    linear readout.

    The last step depends on every 2^i-th step of block i alone: with ``readout="linear-last"`` only those are computed.
    Raises ``ValueError`` for neurons, another readout or init, and a ``kernel`` or ``dropout`` that cannot be.
    """

    def __init__(
        self,
        layers: Sequence[int],
        neuron: str = "",
        settings: Mapping[str, Any] | None = None,
        readout: str = "linear-last",
        recurrent: bool = False,
        init: str = "default",
        kernel: int = 7,
        dropout: float = 0.05,
    ) -> None:
        super().__init__()
        if neuron or settings or recurrent or init != "default":
            raise ValueError(
                f"a tcn has no neurons, no recurrence and its own init, got {neuron!r}, {settings}, "
                f"{recurrent}, {init!r}"
            )
        if readout not in ("linear", "linear-last"):
            raise ValueError(f"the readout of a tcn is one of linear, linear-last, got {readout!r}")
        if len(layers) < 3:
            raise ValueError(f"a tcn needs an input, a hidden and an output width, got {list(layers)}")
        if kernel < 1 or not 0.0 <= dropout < 1.0:
            raise ValueError(f"kernel must be 1 or more and dropout from 0 to below 1, got {kernel} and {dropout}")
        self.readout = readout
        self.blocks = nn.ModuleList(
            Block(n, m, kernel, dropout) for n, m in zip(layers[:-2], layers[1:-1], strict=True)
        )
        self.head = nn.Linear(layers[-2], layers[-1])

    def dense_macs(self, steps: int) -> int:
        """Of every step in turn, as a stream has it; what the last step alone depends on is about a quarter."""
        convs = sum(conv.weight.numel() for conv in self.blocks.modules() if isinstance(conv, nn.Conv1d))
        return steps * convs + self.head.weight.numel() * (steps if self.readout == "linear" else 1)

    def forward(self, x: Tensor) -> Tensor:
        """``[T, B, inputs] -> [T, B, outputs]``, or ``[1, B, outputs]`` for the last step."""
        x = x.permute(1, 2, 0)
        for level, block in enumerate(self.blocks):
            if self.readout == "linear":
                x = block(x, 2**level)
            else:
                x = block(x, 1)
                x = x[:, :, (x.shape[2] - 1) % 2 :: 2]  # every second step, counted from the last
        return self.head((x if self.readout == "linear" else x[:, :, -1:]).permute(2, 0, 1))
