"""``Measure``, what is read off a trained experiment, and the protocols that choose the reported epoch."""

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
    """What is read off a trained experiment.

    Without ``reader`` the value is the entry ``key`` of the training history; ``best`` says whether its "max" or its
    "min" is the best one. ``reader`` names a function "module:function" of ``bench.measures``, or with the module's
    whole name one of a plug-in. It is called on the trained network with ``settings``, once for each of ``protocols``.
    The name contains every setting that differs between measures, and ``version`` is raised when the computed value
    changes.
    """

    name: str
    unit: str
    title: str
    version: int = 1
    tolerance: float = 1.0  # in ``unit``: the largest difference from the published value that counts as reproduced
    digits: int = 2  # digits after the point in tables
    key: str = "test/accuracy"
    best: str = "max"
    reader: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    protocols: tuple[str, ...] = ("last", "best_test")
    series: bool = True  # the reader also gives a series (a curve or distribution), which figures are drawn from
    history: bool = False  # it uses the training history only, not the weights; figures draw the history
    # Two columns of the series. The value is the mean of the first. The second numbers the repeats, whose spread gives
    # the interval.
    repeats: tuple[str, str] | None = None

    @property
    def from_history(self) -> bool:
        """Whether the value comes from the training history, so that reading it takes no time after the training."""
        return not self.reader or self.history
