"""Accuracy of the same weights at another temporal resolution (Yin et al. 2024, Table 8).

Measures: ``accuracy@1ms`` … ``accuracy@10ms`` with as many windows as in training, which cover another stretch of the
recording; ``accuracy@1ms-same`` … with as many as cover the stretch that was trained on; ``accuracy@1ms-full`` … with
as many as the whole recording has. No series.
"""

from __future__ import annotations

import math

from bench.measures.evaluation import accuracy
from bench.training.trained import NotApplicable, Reading, Trained


def at_resolution(kept: Trained, protocol: str, window_ms: int, steps: int | str | None = None) -> Reading:
    """Test accuracy in % with windows of ``window_ms``; ``steps`` of them, ``None``: as many as in training, "same": as
    many as cover the same stretch of the recording (the last may reach beyond it), "full": the whole recording.
    """
    trained_on = kept.experiment.config["data_settings"]
    if "window_ms" not in trained_on:
        raise NotApplicable(f"the data of task {kept.experiment.task.name} has no windows of time")
    if steps == "same" and trained_on["steps"] != "full":
        steps = math.ceil(trained_on["steps"] * trained_on["window_ms"] / window_ms)
    steps = trained_on["steps"] if steps in (None, "same") else steps
    value, n = accuracy(kept.module(protocol), kept.data("test", window_ms=window_ms, steps=steps))
    return Reading(value, n)
