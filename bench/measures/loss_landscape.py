"""Loss landscape around trained weights along filter-normalised random directions (Li et al. 2018), and a scalar of its
flatness.

Measures: ``loss-landscape`` (1,024 training samples, 21 x 21 points in [-1, 1]) and ``loss-landscape@9`` (256 samples,
9 x 9 points). With ``-te-fixed`` in the name, temporal embeddings are not moved. The value is the mean increase of the
loss over circles of radius 0.5 and 1 around the weights, with 16 points each, in the planes of three pairs of
directions. Weights of two models have different shapes, so single directions cannot be compared. Series: ``pair, grid,
x, y, loss``, one row for each point. Points of the grid (pair 0) have ``grid`` 1; the centre comes first.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.measures.subset import training_batches
from bench.training.trained import Reading, Trained
from lightning_modules.spiking import SpikingModule

RADII = (0.5, 1.0)
ANGLES = 16
Parameters = dict[str, nn.Parameter]


def direction(
    parameters: Parameters, seed: int, fixed: Callable[[str], bool] = lambda name: False
) -> dict[str, Tensor]:
    """A Gaussian direction in which every filter has the norm of the same filter of the weights.

    A filter is a row, the weights that lead to one neuron; rows of temporal embeddings and recurrent matrices are
    filters too. The direction is zero for parameters of one dimension and for those whose name is ``fixed``.
    """
    generator = torch.Generator().manual_seed(seed)
    scaled = {}
    for name, p in parameters.items():
        random = torch.randn(p.shape, generator=generator)
        if p.dim() < 2 or fixed(name):
            scaled[name] = torch.zeros_like(p)
            continue
        d = random.to(p)
        lengths = p.detach().flatten(1).norm(dim=1) / (d.flatten(1).norm(dim=1) + 1e-10)
        scaled[name] = d * lengths.reshape(-1, *[1] * (p.dim() - 1))
    return scaled


class Landscape:
    """The loss of ``module`` on ``batches``, in eval mode, as a function of the step away from its weights."""

    def __init__(self, module: SpikingModule, batches: list) -> None:
        self.module = module.eval()
        self.batches = batches
        self.parameters: Parameters = dict(module.network.named_parameters())  # a shared parameter occurs once
        self.centre = {name: p.detach().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def loss(self, x: float = 0.0, y: float = 0.0, pair: tuple[dict[str, Tensor], ...] = ()) -> float:
        """Mean loss over the samples at the weights w + x d1 + y d2, with ``pair`` (d1, d2)."""
        for name, p in self.parameters.items():
            p.copy_(self.centre[name])
            for step, d in zip((x, y), pair, strict=False):
                p.add_(d[name], alpha=step)
        total = 0.0
        samples = 0
        for inputs, target in self.batches:
            loss, _ = self.module.objective(self.module(inputs), target, **self.module.loss_settings)
            total += float(loss) * len(target)
            samples += len(target)
        return total / samples


def _grid(middle: int) -> list[tuple[float, float]]:
    """Points of a grid in [-1, 1] without the centre, which has ``middle`` points on each side."""
    steps = range(-middle, middle + 1)
    return [(i / middle, j / middle) for i in steps for j in steps if i or j]


def _circles() -> list[tuple[float, float]]:
    """Points on the circles around the centre."""
    angles = [2 * math.pi * k / ANGLES for k in range(ANGLES)]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for radius in RADII for angle in angles]


def loss_landscape(
    trained: Trained, protocol: str, samples: int = 1024, points: int = 21, pairs: int = 3, te_fixed: bool = False
) -> Reading:
    """Mean increase of the training loss around the weights.

    Raises ``ValueError`` if ``points`` on a side of the grid is even or below 3, or if there are fewer training
    ``samples``.
    """
    if points < 3 or points % 2 == 0:
        raise ValueError(f"a grid needs an odd number of points of 3 or more a side, got {points}")
    module = trained.module(protocol)
    landscape = Landscape(module, training_batches(trained, module, samples))
    centre = landscape.loss()
    rows = [(0, 1, 0.0, 0.0, centre)]
    middle = points // 2
    increases = []
    for number in range(pairs):
        pair = tuple(
            direction(landscape.parameters, 2 * number + i, lambda name: te_fixed and name.endswith(".te"))
            for i in (0, 1)
        )
        grid = _grid(middle) if number == 0 else []
        rows += [(0, 1, x, y, landscape.loss(x, y, pair)) for x, y in grid]
        for x, y in _circles():
            loss = landscape.loss(x, y, pair)
            rows.append((number, 0, x, y, loss))
            increases.append(loss - centre)
    names = ("pair", "grid", "x", "y", "loss")
    return Reading(
        sum(increases) / len(increases),
        series={name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)},
    )
