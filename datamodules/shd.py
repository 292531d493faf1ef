"""Spiking Heidelberg Digits and Spiking Speech Commands: spikes of a cochlea model with 700 channels."""

from __future__ import annotations

from datamodules.event_data import EventData
from datamodules.events import Cochlea


class SHD(EventData):
    """Spikes ``steps`` x batch x 700 of the first second, in bins of ``bin_ms``: 1,000 steps of 1 ms, 250 of 4 ms."""

    source = "shd"
    classes = 20
    reader = "shd"

    def __init__(
        self,
        batch_size: int,
        seed: int,
        bin_ms: float = 1,
        validation: float = 0.0,
        train: int | None = None,
        test: int | None = None,
    ) -> None:
        if not 0.1 <= bin_ms <= 1000:
            raise ValueError(f"bin_ms must be between 0.1 and 1000, got {bin_ms}")
        super().__init__(batch_size, seed, Cochlea(int(1000 / bin_ms), float(bin_ms)), validation, train, test)


class SSC(SHD):
    """As ``SHD``, with a validation split of its own."""

    source = "ssc"
    classes = 35
    reader = "ssc"
    splits = {"train": "train", "validation": "valid", "test": "test"}


class SpokenDigits(SHD):
    """The stand-in for SHD, in SHD's layout: ten classes."""

    source = "spoken-digits-standin"
    classes = 10
    reader = "shd"
