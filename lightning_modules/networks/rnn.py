"""Recurrent baselines without spikes: torch's own vanilla RNN, LSTM and GRU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.base import Network
from lightning_modules.scan import Input, event_projection

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
READOUTS = ("linear", "linear-mean", "linear-last")


class RNN(Network):
    """``layers``: widths from input to output, every hidden one a layer of ``cell`` (rnn, with tanh | lstm | gru), then
    a linear readout.

    ``one_bias`` keeps the second of torch's two biases at 0, untrained: in rnn and lstm they only add up.
    ``forget_bias`` is added to the forget gates of an lstm before training; with ``chrono`` > 0 they start instead at
    log(U(1, chrono - 1)) and the input gates at its negative, for memories as long as ``chrono`` steps (Tallec,
    Ollivier 2018, section 2). Raises ``ValueError`` for neurons, another readout or init, and for options the cell does
    not have.
    """

    takes_events = True

    def __init__(
        self,
        layers: Sequence[int],
        neuron: str = "",
        settings: Mapping[str, Any] | None = None,
        readout: str = "linear-last",
        recurrent: bool = False,
        init: str = "default",
        cell: str = "lstm",
        one_bias: bool = False,
        forget_bias: float = 0.0,
        chrono: int = 0,
    ) -> None:
        super().__init__()
        if neuron or settings or recurrent or init != "default":
            raise ValueError(
                f"an rnn network has no neurons and the default init, got {neuron!r}, {settings}, {recurrent}, {init!r}"
            )
        if readout not in READOUTS:
            raise ValueError(f"the readout of an rnn network is one of {', '.join(READOUTS)}, got {readout!r}")
        if cell not in CELLS:
            raise ValueError(f"cell {cell!r} is not one of {', '.join(CELLS)}")
        if len(layers) < 3:
            raise ValueError(f"an rnn network needs an input, a hidden and an output width, got {list(layers)}")
        if one_bias and cell == "gru":
            raise ValueError("the two biases of a gru are not the same: one_bias is for rnn and lstm")
        if (forget_bias or chrono) and cell != "lstm":
            raise ValueError(
                f"only an lstm has forget gates, {'forget_bias' if forget_bias else 'chrono'} is not for {cell}"
            )
        if chrono and chrono < 3:
            raise ValueError(f"chrono is a number of steps, 3 or more, or 0 for none, got {chrono}")
        self.readout = readout
        self.cell = cell
        self.widths = list(layers[1:-1])
        built = [CELLS[cell](inputs, size) for inputs, size in zip(layers[:-2], layers[1:-1], strict=True)]
        with torch.no_grad():
            for unit in built:
                if one_bias:
                    unit.get_parameter("bias_hh_l0").zero_().requires_grad_(False)
                if forget_bias:  # gates in the order input, forget, cell, output
                    unit.get_parameter("bias_ih_l0")[unit.hidden_size : 2 * unit.hidden_size] += forget_bias
                if chrono:
                    gate = torch.empty(unit.hidden_size).uniform_(1.0, chrono - 1.0).log()
                    unit.get_parameter("bias_hh_l0").zero_()
                    unit.get_parameter("bias_ih_l0").copy_(torch.cat([-gate, gate, torch.zeros(2 * unit.hidden_size)]))
        self.cells = nn.ModuleList(built)
        self.head = nn.Linear(layers[-2], layers[-1])

    @property
    def parameter_count(self) -> int:
        """Trained parameters of the recurrent layers: celif's 66.5k leaves out the readout."""
        return sum(p.numel() for p in self.cells.parameters() if p.requires_grad)

    def hidden(self, x: Input, added: Tensor | None = None) -> Tensor:
        """The last recurrent layer's output, ``[T, B, inputs] -> [T, B, size]``.

        ``added`` [T, B, size] is added to each of its states, and the next step receives the sum: the gradient of
        ``added`` is the total derivative.
        """
        h: Input = x if isinstance(x, Tensor) or event_projection.pays(x) else x.dense()
        with differentiable(h, self.training):
            for unit in self.cells:
                probe = added if unit is self.cells[-1] else None
                h = unit(h)[0] if isinstance(h, Tensor) and probe is None else _recur(unit, _project(unit, h), probe)
        assert isinstance(h, Tensor)
        return h

    def read_out(self, h: Tensor) -> Tensor:
        """The network's output from its last hidden layer ``[T, B, size]``."""
        if self.readout == "linear-last":
            h = h[-1:]
        elif self.readout == "linear-mean":
            h = h.mean(0, keepdim=True)
        return self.head(h)

    def dense_macs(self, steps: int) -> int:
        products = sum(p.numel() for name, p in self.cells.named_parameters() if "weight" in name)
        return steps * products + self.head.weight.numel() * (steps if self.readout == "linear" else 1)

    def forward(self, x: Input) -> Tensor:
        """``[T, B, inputs] -> [T, B, outputs]``, or ``[1, B, outputs]`` for a readout of the mean or the last step."""
        return self.read_out(self.hidden(x))


def differentiable(x: Input, training: bool) -> AbstractContextManager:
    """Where torch's recurrent layers have a gradient for ``x``: in evaluation cuDNN's have none, and torch's own serve
    in their place.
    """
    if getattr(x, "is_cuda", False) and torch.is_grad_enabled() and not training:
        return torch.backends.cudnn.flags(enabled=False)
    return nullcontext()


def _project(unit: Any, x: Input) -> Tensor:
    """The projected input [T, B, gates * size] of torch's ``unit``, from ``x`` [T, B, inputs]."""
    weights = unit.weight_ih_l0, unit.bias_ih_l0
    return functional.linear(x, *weights) if isinstance(x, Tensor) else event_projection.project_events(x, *weights)


def _recur(unit: Any, currents: Tensor, added: Tensor | None) -> Tensor:
    """The output [T, B, size] of torch's ``unit`` from its projected input; with ``added``, see ``RNN.hidden``."""
    size = unit.hidden_size
    weight, bias = unit.weight_hh_l0.t(), unit.bias_hh_l0
    h = c = currents.new_zeros(currents.shape[1], size)
    outputs = []
    for t, current in enumerate(currents.unbind(0)):
        recurrent = torch.addmm(bias, h, weight)
        if isinstance(unit, nn.LSTM):
            i, f, g, o = (current + recurrent).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        elif isinstance(unit, nn.GRU):
            reset, update = (current[:, : 2 * size] + recurrent[:, : 2 * size]).sigmoid().chunk(2, 1)
            new = (current[:, 2 * size :] + reset * recurrent[:, 2 * size :]).tanh()
            h = new + update * (h - new)
        else:
            h = (current + recurrent).tanh()
        if added is not None:
            h = h + added[t]
        outputs.append(h)
    return torch.stack(outputs)
