"""What is read off a trained experiment, and the protocols by which the reported epoch is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PROTOCOLS = {
    "last": "value after the last epoch",
    "best_test": "best test value over the epochs (the papers' usual way: the test set chooses the epoch)",
    "best_val": "test value at the epoch with the best validation value",
}


@dataclass(frozen=True)
class Measure:
    """What is read off a trained experiment. ``version`` is raised when what it computes changes; the name says every
    parameter.

    Without ``reader`` it is the ``key`` of the training history, "max" or "min" being the ``best``. Otherwise
    ``reader`` names a function "module:function" of ``bench.measures`` that reads the kept weights, once for each of
    ``protocols``, with ``settings``.
    """

    name: str
    unit: str
    title: str
    version: int = 1
    tolerance: float = 1.0  # in units: a measured value this near the published one is "within"
    digits: int = 2  # after the point, in tables
    key: str = "test/accuracy"
    best: str = "max"
    reader: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    protocols: tuple[str, ...] = ("last", "best_test")
    series: bool = True  # a reader's value has a series behind it, which a figure of it needs
    history: bool = False  # its reader looks at the training history alone
    # columns of its series: the mean of the first is its value, the second tells the repeats apart whose spread is an
    # interval
    repeats: tuple[str, str] | None = None

    @property
    def costs_training(self) -> bool:
        """Whether it costs what the training costs, and nothing more."""
        return not self.reader or self.history
