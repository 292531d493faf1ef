"""The values of one block and one segment of time that the forward pass saves for the backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any

import numpy as np
from torch import Tensor

from lightning_modules.scan import buffer_pool
from lightning_modules.scan.plan import Layer


class SavedSegment:
    """Currents and states of one block from step ``begin`` to ``end``.

    ``currents``: the first current of each layer that has to be saved, if ``save_currents``. ``states``: each layer's
    states (and, of a recurrent layer, the output) at ``slots`` moments: before each chunk and after the last.
    ``events``: those of the first layer's input, by the first step of a chunk; () where it is taken as dense.
    """

    def __init__(self, layers: list[Layer], rows: int, begin: int, end: int, slots: int, save_currents: bool) -> None:
        dtype = layers[0].previous.dtype
        self.begin = begin
        self.slots = slots
        self.events: dict[int, tuple[np.ndarray, ...]] = {}
        self.currents = [
            buffer_pool.empty((end - begin) * rows, layer.size, dtype=dtype)
            if save_currents and not layer.in_place
            else None
            for layer in layers
        ]
        self.states = [
            [
                buffer_pool.empty(slots, rows, layer.size, dtype=dtype)
                for _ in range(len(layer.states) + layer.is_recurrent)
            ]
            for layer in layers
        ]

    def set_first(self, states: list[list[Tensor]]) -> None:
        """Copy ``states`` into the first slot."""
        for layer_slots, layer_states in zip(self.states, states, strict=True):
            for slots, state in zip(layer_slots, layer_states, strict=True):
                slots[0] = state

    def at(self, slot: int) -> list[list[Tensor]]:
        """The states in a slot; slots are used in turn."""
        return [[slots[slot % self.slots] for slots in layer_slots] for layer_slots in self.states]

    def tensors(self) -> list[Tensor]:
        """All tensors, for autograd to hold: it frees them once the backward pass is done."""
        saved = [current for current in self.currents if current is not None]
        return saved + [slots for layer_slots in self.states for slots in layer_slots]

    def with_tensors(self, tensors: Iterator[Any]) -> SavedSegment:
        """A copy that takes its ``tensors()`` from an iterator."""
        segment = copy(self)
        segment.currents = [None if current is None else next(tensors) for current in self.currents]
        segment.states = [[next(tensors) for _ in layer_slots] for layer_slots in self.states]
        return segment
