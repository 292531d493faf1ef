"""MNIST one pixel at a time, in row-major or permuted order, and the input codings of some baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from datamodules.base import Batch, Batches
from datamodules.mnist import MNIST
from datamodules.on_card import Stored

PIXELS = 784
LEVELS = 40  # grey levels from 0 to 1 whose crossings are spikes
CUE = 56  # steps after the last pixel in which only the cue line is active


SCALES: dict[str, Callable[[Tensor], Tensor]] = {
    "unit": lambda x: x,
    "bipolar": lambda x: 2 * x - 1,  # public IndRNN code
    "standard": lambda x: (x - 0.1307) / 0.3081,  # MNIST's mean and deviation: public TCN code
    "binary": lambda x: (x > 0.1).float(),  # public code of Yin et al. for PS-MNIST
}


def order(permutation: int | Sequence[int] | None) -> np.ndarray:
    """The pixels in the order they are shown. ``None``: row by row; a number seeds numpy's legacy generator, whose
    first draw is the permutation (public code of the celif lab, seed 1234); or the permutation itself. Raises
    ``ValueError`` for what is none."""
    if permutation is None:
        return np.arange(PIXELS)
    if isinstance(permutation, int) and not isinstance(permutation, bool):
        if not 0 <= permutation < 2**32:
            raise ValueError(f"a permutation's seed is a number from 0 to 2^32 - 1, got {permutation}")
        return np.random.RandomState(permutation).permutation(PIXELS)
    error = ValueError(
        f"a permutation is a seed or each of the numbers 0..{PIXELS - 1} once, got {_summary(permutation)}"
    )
    if isinstance(permutation, str | bool) or not isinstance(permutation, Sequence):
        raise error
    if sorted(map(str, permutation)) != sorted(map(str, range(PIXELS))):
        raise error
    return np.array(permutation)


def _summary(value: object) -> str:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return repr(value)
    return f"{len(value)} values, {len(set(map(str, value)))} of them different"


def crossings(pixels: Tensor) -> Tensor:
    """Spikes of LSNN's input code (Bellec et al. 2018, public code), uint8 [B, 784] -> float [840, B, 80].

    Lines 0..38 fire at a pixel below one of 39 levels if the next pixel is at it or above, lines 39..77 at a pixel that
    is not below it if the next one is. Nothing is below level 0: its two lines never fire. Line 78 fires at pixels of
    intensity 1, and line 79, the cue, in the 56 steps after the last pixel.
    """
    x = pixels.t().int()[..., None]
    levels = torch.arange(LEVELS - 1, device=x.device)
    high = x * (LEVELS - 1) >= 255 * levels  # whether x / 255 >= level / 39, without rounding
    last = torch.zeros_like(high[:1])  # the last pixel has no next one
    rises = torch.cat([~high[:-1] & high[1:], last])
    falls = torch.cat([high[:-1] & ~high[1:], last])
    lines = torch.cat([rises, falls, x == 255], -1).float()
    with_cue_line = torch.nn.functional.pad(lines, (0, 1))  # the cue line is silent
    cue = torch.nn.functional.pad(lines.new_ones(CUE, x.shape[1], 1), (2 * LEVELS - 1, 0))
    return torch.cat([with_cue_line, cue])


def windows(x: Tensor, width: int) -> Tensor:
    """Sliding windows of ``width`` pixels, [784, B, 1] -> [784, B, width]; each step moves them by one pixel.

    The last windows stay at the end.
    """
    steps = len(x)
    starts = torch.arange(steps, device=x.device).clamp(max=steps - width)
    return x[starts[:, None] + torch.arange(width, device=x.device), :, 0].transpose(1, 2)


class SequentialMNIST(MNIST):
    """Images as 784 steps x batch x 1, intensities in 0..1 (Chen et al. 2023: a current, neither normalised nor made
    into spikes).

    ``permutation`` as ``order`` takes it, the same for training and test. ``coding`` "pixels", or "lsnn", the 80
    spike lines of ``crossings`` over 840 steps. ``window`` shows that many pixels at once; ``scale`` is a key of
    ``SCALES``.
    """

    def __init__(
        self,
        batch_size: int,
        seed: int,
        permutation: int | Sequence[int] | None = None,
        coding: str = "pixels",
        window: int = 1,
        scale: str = "unit",
        validation: float = 0.0,
        train: int | None = None,
        test: int | None = None,
    ) -> None:
        steps = PIXELS + (CUE if coding == "lsnn" else 0)
        if coding not in ("pixels", "lsnn"):
            raise ValueError(f"coding {coding!r} is not one of pixels, lsnn")
        if scale not in SCALES:
            raise ValueError(f"scale {scale!r} is not one of {', '.join(SCALES)}")
        if not 1 <= window <= PIXELS:
            raise ValueError(f"a window holds 1 to {PIXELS} pixels, got {window}")
        if coding == "lsnn" and (window > 1 or scale != "unit"):
            raise ValueError("LSNN's code is of single pixels in 0..1: window and scale do not go with it")
        self.scale = scale
        super().__init__(batch_size, seed, "current", steps, validation, train, test)
        self.order = torch.from_numpy(order(permutation))
        self.places = Stored(self.order)
        self.coding = coding
        self.window = window

    def level(self, x: Tensor) -> Tensor:
        return SCALES[self.scale](x)

    def _batches(self, split: str, seed: int, stream: int, epoch: Callable[[], int] | None) -> Batches:
        images, labels = self.sets[split]

        def make(indices: np.ndarray, rng: np.random.Generator) -> Batch:
            chosen = torch.from_numpy(indices)
            if self.form == "small":
                return self._rows(split, chosen, self._sequence), labels[chosen]  # type: ignore[return-value]
            pixels = images[chosen][:, self.order]
            if self.coding == "lsnn":
                return crossings(pixels), labels[chosen]
            x = SCALES[self.scale](pixels.t().contiguous().float() / 255)[..., None]
            return windows(x, self.window) if self.window > 1 else x, labels[chosen]

        return Batches(len(images), self.batch_size, make, seed, stream, epoch)

    def _sequence(self, images: Tensor) -> Tensor:
        """A batch of ``images``, uint8 [B, 784], on any device."""
        pixels = images.index_select(1, self.places.on(images.device))
        if self.coding == "lsnn":
            return crossings(pixels)
        x = self.looked_up(pixels.t().contiguous()).unsqueeze(-1)
        return windows(x, self.window) if self.window > 1 else x
