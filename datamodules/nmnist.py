"""N-MNIST: MNIST digits before an event camera that moves three times."""

from __future__ import annotations

from datamodules.event_data import EventData
from datamodules.events import Windows

FULL_MS = 300  # three saccades


class NMNIST(EventData):
    """Windows of ``window_ms`` from the first event on, ``steps`` x batch x 2312 (polarity-major 2 x 34 x 34).

    ``steps``: their number, or "full" for the whole recording: its first 300 ms (recordings last 308 to 312 ms on
    average: README of ``datamodules/standins``). ``values``: "binary" (an event was there) or "counts". ``drop``: share
    of the events of every test recording to leave out (EventDrop); the windows start at the first event that is left.
    """

    source = "nmnist"
    classes = 10
    reader = "nmnist"

    def __init__(
        self,
        batch_size: int,
        seed: int,
        window_ms: int = 3,
        steps: int | str = 15,
        values: str = "binary",
        validation: float = 0.0,
        train: int | None = None,
        test: int | None = None,
        drop: float = 0.0,
    ) -> None:
        if window_ms < 1 or int(window_ms) != window_ms:
            raise ValueError(f"window_ms must be a whole number of at least 1, got {window_ms}")
        if values not in ("binary", "counts"):
            raise ValueError(f"values {values!r} is not one of binary, counts")
        if not (steps == "full" or (isinstance(steps, int) and steps >= 1)):
            raise ValueError(f'steps must be at least 1, or "full", got {steps!r}')
        number = FULL_MS // int(window_ms) if steps == "full" else int(steps)
        super().__init__(
            batch_size, seed, Windows(number, int(window_ms), 34, values == "counts"), validation, train, test, drop
        )


class NMNISTSubset(NMNIST):
    """The first 1,000 training and 100 test recordings."""

    source = "nmnist-subset"


class NMNIST7(NMNIST):
    """Recordings of the digits 0 to 6, denoised, with times in whole ms: seven classes."""

    source = "nmnist-7"
    classes = 7
    reader = "nmnist_7"


class NMNISTStandin(NMNIST):
    """N-MNIST simulated from MNIST."""

    source = "nmnist-standin"
