"""IndRNN (Li et al. 2018): stacked elementwise recurrences, normalised."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_modules import scan
from lightning_modules.networks.base import Network, neuron_of


class IndRNNNetwork(Network):
    """``layers``: widths from input to output, every hidden one a projection, the ``indrnn`` recurrence, batch
    normalisation over time x batch, and dropout of units for the whole sequence. The last of them starts with memories
    as long as the sequence. Then a linear readout of the last step.

    Raises ``ValueError`` for another neuron, readout or init, for recurrent weights and for a ``dropout`` that cannot
    be.
    """

    def __init__(
        self,
        layers: Sequence[int],
        neuron: str = "indrnn",
        settings: Mapping[str, Any] | None = None,
        readout: str = "linear-last",
        recurrent: bool = False,
        init: str = "default",
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if neuron != "indrnn" or readout != "linear-last" or recurrent or init != "default":
            raise ValueError(
                "an indrnn network has indrnn neurons, a linear-last readout, no recurrent weights and the "
                f"default init, got {neuron!r}, "
                f"{readout!r}, {recurrent}, {init!r}"
            )
        if len(layers) < 3:
            raise ValueError(f"an indrnn network needs an input, a hidden and an output width, got {list(layers)}")
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout must be from 0 to below 1, got {dropout}")
        self.dropout = dropout
        hidden = list(itertools.pairwise(layers[:-1]))
        self.linears = nn.ModuleList(nn.Linear(n, m) for n, m in hidden)
        units = [
            neuron_of(neuron, {**(settings or {}), "long": place == len(hidden) - 1}) for place in range(len(hidden))
        ]
        self.units = nn.ModuleList(kind(m, config) for (kind, config), (_, m) in zip(units, hidden, strict=True))
        self.norms = nn.ModuleList(nn.BatchNorm1d(m) for _, m in hidden)
        self.head = nn.Linear(layers[-2], layers[-1])

    def dense_macs(self, steps: int) -> int:
        """With one for each unit's recurrence."""
        # a weight each; as many biases as there are recurrences
        products = sum(p.numel() for p in self.linears.parameters())
        return steps * products + self.head.weight.numel()

    def forward(self, x: Tensor) -> Tensor:
        """``[T, B, inputs] -> [1, B, outputs]``."""
        for linear, unit, norm in zip(self.linears, self.units, self.norms, strict=True):
            x = scan.scan_dense(unit, x, linear.weight, linear.bias).output  # type: ignore[arg-type]
            x = norm(x.flatten(0, 1)).view_as(x)
            if self.training and self.dropout:
                x = x * F.dropout(torch.ones_like(x[:1]), self.dropout)
        return self.head(x[-1:])
