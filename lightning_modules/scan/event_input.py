"""A stack's input given as its events, without the zeros between them, as spiking data sets hold it."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class EventInput(Protocol):
    """``x`` [T, B, N] as its non-zeros: row r = step * B + b has ``channels[starts[r] : starts[r + 1]]``, ascending,
    with ``values``.

    int64 [T * B + 1], int32 [events], float [events]; ``shape`` is (T, B, N). Any object with these will do; no
    gradient reaches it.
    """

    @property
    def starts(self) -> Tensor: ...
    @property
    def channels(self) -> Tensor: ...
    @property
    def values(self) -> Tensor: ...
    @property
    def shape(self) -> tuple[int, int, int]: ...
    def dense(self) -> Tensor:
        """``[T, B, N]``, a tensor of its own."""
        ...


Input = Tensor | EventInput


def placeholder(x: EventInput) -> Tensor:
    """A tensor of the shape, type and device of ``x`` that takes no memory.

    Raises ``ValueError`` for events that do not fit ``x.shape``, since kernels do not check them. On a card only the
    numbers of starts and channels are checked: to read the others the host would wait for the card, and there no kernel
    takes events.
    """
    steps, batch, width = x.shape
    events = len(x.values)
    on_host = x.values.device.type == "cpu"
    if (
        len(x.starts) != steps * batch + 1
        or len(x.channels) != events
        or (on_host and (int(x.starts[0]) != 0 or int(x.starts[-1]) != events))
    ):
        raise ValueError(
            f"events of {list(x.shape)} need {steps * batch + 1} starts from 0 to their number, and a channel for each"
        )
    if not on_host:
        return x.values.new_zeros(()).expand(x.shape)
    if bool((x.starts[1:] < x.starts[:-1]).any()) or (
        events and not 0 <= int(x.channels.min()) <= int(x.channels.max()) < width
    ):
        raise ValueError(f"events of {list(x.shape)} have channels 0 to {width - 1} and starts that never fall")
    return x.values.new_zeros(()).expand(x.shape)
