"""DVS128 Gesture: hand and arm gestures before an event camera of 128 x 128 pixels."""

from __future__ import annotations

from datamodules.event_data import EventData
from datamodules.events import Frames


class DVSGesture(EventData):
    """``steps`` frames of equally many events x batch x 2048 (polarity-major 2 x 32 x 32, pixels summed 4 x 4).

    ``clamp`` limits the counts to 1.
    """

    source = "dvs-gesture"
    classes = 11
    reader = "dvs_gesture"

    def __init__(
        self,
        batch_size: int,
        seed: int,
        steps: int = 16,
        clamp: bool = False,
        validation: float = 0.0,
        train: int | None = None,
        test: int | None = None,
    ) -> None:
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        super().__init__(batch_size, seed, Frames(steps, 128, 4, not clamp), validation, train, test)


class DVSClips(DVSGesture):
    """Ten clips, training and test alike: for shapes and formats only."""

    source = "dvs-gesture-clips"
    reader = "dvs_clips"
