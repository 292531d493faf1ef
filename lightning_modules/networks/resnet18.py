"""LIF-ResNet18 for CIFAR10: the spiking ResNet-18 of the public Gated-LIF code, with any neuron of the suite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules.networks.base import Activity, Network, input_rate, neuron_of
from lightning_modules.neurons import Neuron
from lightning_modules.scan import scan

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))  # channels, stride of the first of two blocks
CONVOLUTIONS = {"float32": None, "bfloat16": torch.bfloat16}  # number format of their products


class Conv(nn.Module):
    """Convolution without bias, then batch normalisation over time x batch, starting at ``scale`` (tdBN, Zheng et al.
    2021).

    ``inputs == outputs`` with ``kernel=0`` leaves the convolution out: an identity shortcut is normalised too.
    ``products`` is the number format of the convolution's products; None takes that of the weights.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, scale: float, products: torch.dtype | None
    ) -> None:
        super().__init__()
        self.products = products
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False) if kernel else None
        self.norm = nn.BatchNorm2d(outputs)
        nn.init.constant_(self.norm.weight, scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x if self.conv is None else self._convolved(x, self.conv))

    def _convolved(self, x: Tensor, conv: nn.Conv2d) -> Tensor:
        if self.products is None:
            return conv(x)
        weight = conv.weight.to(self.products)
        return nn.functional.conv2d(x.to(self.products), weight, None, conv.stride, conv.padding).to(x.dtype)

    def operations(self, out: Tensor) -> int:
        """Multiply-accumulates of one sample and step for an output [TB, C, H, W]."""
        return 0 if self.conv is None else self.conv.weight.numel() * out.shape[2] * out.shape[3]


class Spiking(nn.Module):
    """A layer of neurons on a feature map, [TB, C, H, W] in and out. The neurons' order is [H, W, C]: the order of the
    map's memory, for which convolutions are fastest.
    """

    def __init__(self, kind: type[Neuron], config: Any, channels: int, side: int) -> None:
        super().__init__()
        self.neuron = kind(channels * side * side, config)

    def forward(self, x: Tensor, steps: int) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        spikes = scan(self.neuron, x.reshape(steps, -1, self.neuron.size)).output
        return spikes.reshape(x.shape).permute(0, 3, 1, 2)


class Block(nn.Module):
    """conv - tdBN - LIF - conv - tdBN, plus the shortcut with tdBN, then LIF.

    Both inputs of the sum are scaled by 1/sqrt(2).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        side: int,
        threshold: float,
        kind: type[Neuron],
        config: Any,
        products: torch.dtype | None,
    ) -> None:
        super().__init__()
        half = threshold / math.sqrt(2)
        self.first = Conv(inputs, outputs, 3, stride, threshold, products)
        self.middle = Spiking(kind, config, outputs, side)
        self.second = Conv(outputs, outputs, 3, 1, half, products)
        self.shortcut = Conv(inputs, outputs, 0 if inputs == outputs and stride == 1 else 1, stride, half, products)
        self.last = Spiking(kind, config, outputs, side)


class ResNet18(Network):
    """``layers``: (input channels, classes). Images ``[T, B, C, side, side]``, ``side`` a multiple of 8 pixels.

    Stem 3x3/64 without pooling, four stages of two blocks, global average pool, linear readout without bias at every
    step. ``convolutions`` is the number format of the convolutions' products, "float32" or "bfloat16". With "bfloat16"
    spikes stay exact; the image, weights, gradients and each product's result are rounded to 8 bits. Weights are
    stored and updated, and all else is computed, in float32.

    Raises ``ValueError`` for recurrence (the paper has none here), another readout or init, another number format, or
    a neuron without a threshold.
    """

    def __init__(
        self,
        layers: Sequence[int],
        neuron: str,
        settings: Mapping[str, Any],
        readout: str = "linear",
        recurrent: bool = False,
        init: str = "default",
        side: int = 32,
        convolutions: str = "float32",
    ) -> None:
        super().__init__()
        if convolutions not in CONVOLUTIONS:
            raise ValueError(f"convolutions is {' or '.join(CONVOLUTIONS)}, not {convolutions}")
        products = CONVOLUTIONS[convolutions]
        if recurrent or readout != "linear" or init != "default":
            raise ValueError(
                f"resnet18 has no recurrence, a linear readout and the default init, got {recurrent}, "
                f"{readout!r}, {init!r}"
            )
        kind, config = neuron_of(neuron, settings)
        if not hasattr(config, "threshold"):
            raise ValueError(f"resnet18 normalises to the neuron's threshold; {neuron} has none")
        channels = layers[0]
        classes = layers[-1]
        self.stem = Conv(channels, STAGES[0][0], 3, 1, config.threshold, products)
        self.stem_neuron = Spiking(kind, config, STAGES[0][0], side)
        blocks = []
        inputs = STAGES[0][0]
        for outputs, stride in STAGES:
            side //= stride
            for place in range(2):
                first_stride = stride if place == 0 else 1
                blocks.append(Block(inputs, outputs, first_stride, side, config.threshold, kind, config, products))
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(inputs, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[T, B, C, H, W] -> [T, B, classes]``."""
        return self._run(x, None)

    def dense_macs(self, steps: int) -> int:
        conv = self.stem.conv
        assert conv is not None
        return steps * conv.weight.numel() * self.stem_neuron.neuron.size // conv.out_channels

    def dense_operations(self, steps: int) -> int:
        """Of the convolutions, whose synaptic operations ``observe`` counts; the readout is linear in pooled spikes."""
        convs = [(self.stem, self.stem_neuron)]
        for block in self.blocks:
            assert isinstance(block, Block)
            convs += [(block.first, block.middle), (block.second, block.last), (block.shortcut, block.last)]
        used = ((part.conv, fired.neuron.size) for part, fired in convs if part.conv is not None)
        return steps * sum(conv.weight.numel() * size // conv.out_channels for conv, size in used)

    def observe(self, x: Tensor) -> tuple[Tensor, Activity]:
        rates: list[Tensor] = []
        output = self._run(x, rates)
        return output, Activity(rates[1:], rates[0])

    def _run(self, x: Tensor, counts: list[Tensor] | None) -> Tensor:
        """``counts`` collects synaptic operations per sample first, then the rate of every spiking layer."""
        steps = x.shape[0]
        if counts is not None:
            counts.append(x.new_zeros(()))

        def conv(part: Conv, x: Tensor) -> Tensor:
            out = part(x)
            if counts is not None:
                counts[0] = counts[0] + input_rate(x) * part.operations(out) * steps
            return out

        def fire(part: Spiking, x: Tensor) -> Tensor:
            out = part(x, steps)
            if counts is not None:
                counts.append(out.mean())
            return out

        images = x.flatten(0, 1).permute(0, 2, 3, 1).contiguous()
        x = fire(self.stem_neuron, conv(self.stem, images.permute(0, 3, 1, 2)))
        for block in self.blocks:
            assert isinstance(block, Block)
            inner = fire(block.middle, conv(block.first, x))
            x = fire(block.last, conv(block.second, inner) + conv(block.shortcut, x))
        pooled = torch.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.head(pooled).reshape(steps, -1, self.head.out_features)
