"""Products of a layer's weights with an input that has few non-zeros, taken from its events instead of as dense."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from lightning_modules.scan import buffer_pool, kernels
from lightning_modules.scan.event_input import EventInput

MAX_SHARE = 0.3  # of non-zeros, up to which a product from events is the faster one
MIN_WIDTH = 32  # inputs and outputs from which on finding the events costs less than the dense product
DENSE_CHUNKS = 8  # chunks taken as dense after one with too many events

Events = tuple[np.ndarray, ...]  # start of each row, places of its events, their values


def pays(weight: Tensor | None, width: int) -> bool:
    """Whether a layer with ``weight`` [N, inputs] can take its input as events."""
    return weight is not None and weight.shape[0] >= MIN_WIDTH and width >= MIN_WIDTH


@cache
def event_kernels() -> ModuleType:
    """The compiled products."""
    return kernels.load(Path(__file__).with_name("event_kernels.py").read_text(), "event products")


class EventProducts:
    """The events of one layer's input, chunk by chunk if they are few, and the products with them."""

    def __init__(self, weight: Tensor | None, rows: int, width: int, dtype: torch.dtype) -> None:
        self.rows = rows
        self.width = width
        self.dtype = dtype
        self.possible = pays(weight, width)
        self.dense_chunks = 0  # that are still to come
        self.buffers: Events = ()
        self.events: Events = ()
        if self.possible:
            self.kernels = event_kernels()

    def find(
        self,
        x: np.ndarray,
        t: int,
        first: int,
        steps: int,
        rows: int,
        share: float,
        given: EventInput | None = None,
    ) -> bool:
        """Find the events of ``x[t : t + steps, first : first + rows]``, or take them from the ``given`` ones of ``x``.

        False if they are more than a ``share``, or were in a chunk not long ago.
        """
        if not self.possible:
            return False
        if self.dense_chunks:
            self.dense_chunks -= 1
            return False
        if not self.buffers:
            self.buffers = self._new_buffers()
        self.events = self.buffers
        limit = int(share * steps * rows * self.width)
        if given is None:
            count = self.kernels.find(x, t, steps, first, rows, limit, *self.events)
        else:
            count = self.kernels.take(*_arrays(given), t, steps, first, rows, limit, *self.events)
        if count > limit:
            self.dense_chunks = DENSE_CHUNKS
        return count <= limit

    def _new_buffers(self) -> Events:
        size = int(MAX_SHARE * self.rows * self.width) + self.width + 8
        places = buffer_pool.empty(size, dtype=torch.float32).numpy().view(np.int32)
        return np.empty(self.rows + 1, np.int64), places, buffer_pool.empty(size, dtype=self.dtype).numpy()

    def spread(self, given: EventInput, t: int, first: int, out: np.ndarray) -> None:
        """``out`` [steps, rows, inputs] = the dense input from step ``t`` and row ``first`` on."""
        self.kernels.spread(*_arrays(given), t, first, out)

    def copy(self, rows: int) -> Events:
        """A copy of the events found last, which have ``rows`` rows."""
        starts, places, values = self.buffers
        return starts[: rows + 1].copy(), places[: starts[rows]].copy(), values[: starts[rows]].copy()

    def project(self, weight: np.ndarray, bias: np.ndarray, out: np.ndarray) -> None:
        """``out`` = bias + events @ weight."""
        self.kernels.project(*self.events, weight, bias, out)

    def outer(self, grad: np.ndarray, out: np.ndarray) -> None:
        """``out`` += events.T @ grad."""
        self.kernels.outer(*self.events, grad, out)


def _arrays(x: EventInput) -> tuple:
    """Starts, channels, values and the batch size, for a kernel."""
    return x.starts.numpy(), x.channels.numpy(), x.values.numpy(), x.shape[1]
