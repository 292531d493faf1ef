"""Accuracy of the same weights at another temporal resolution (Yin et al. 2024, Table 8).

The measures differ in the number of windows, which the paper does not print. There are no series.

- ``accuracy@1ms`` to ``accuracy@10ms``: as many windows as in training, which cover another length of time
- ``accuracy@1ms-same`` to ``accuracy@10ms-same``: as many windows as cover the length of time of the training
- ``accuracy@1ms-full`` to ``accuracy@10ms-full``: as many windows as the whole recording has
"""

from __future__ import annotations

import math

from bench.measures.evaluation import accuracy
from bench.training.trained import NotApplicable, Reading, Trained


def at_resolution(trained: Trained, protocol: str, window_ms: int, steps: int | str | None = None) -> Reading:
    """Test accuracy in % with ``steps`` windows of ``window_ms``.

    ``steps`` is ``None`` for as many windows as in training, "same" for as many as cover the length of time of the
    training (the last may reach beyond it), or "full" for the whole recording. Raises ``NotApplicable`` for data
    without windows of time.
    """
    training = trained.experiment.config["data_settings"]
    if "window_ms" not in training:
        raise NotApplicable(f"the data of task {trained.experiment.task.name} has no windows of time")
    if steps == "same" and training["steps"] != "full":
        steps = math.ceil(training["steps"] * training["window_ms"] / window_ms)
    elif steps in (None, "same"):
        steps = training["steps"]
    value, samples = accuracy(trained.module(protocol), trained.data("test", window_ms=window_ms, steps=steps))
    return Reading(value, samples)
