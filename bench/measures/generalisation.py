"""Accuracy of the same weights at another temporal resolution (Yin et al. 2024, Table 8).

Measures: ``accuracy@1ms`` … ``accuracy@10ms`` with as many windows as in training, which cover another stretch of the recording;
``accuracy@1ms-full`` … with as many as the whole recording has. No series.
"""

from __future__ import annotations

from bench.measures.evaluation import accuracy
from bench.trained import NotApplicable, Reading, Trained


def at_resolution(kept: Trained, protocol: str, window_ms: int, steps: int | str | None = None) -> Reading:
    """Test accuracy in % with windows of ``window_ms``; ``steps`` of them, "full" for the whole recording, ``None`` as in training."""
    trained_on = kept.experiment.config["data_settings"]
    if "window_ms" not in trained_on:
        raise NotApplicable(f"the data of task {kept.experiment.task.name} has no windows of time")
    value, n = accuracy(kept.module(protocol), kept.data("test", window_ms=window_ms, steps=steps or trained_on["steps"]))
    return Reading(value, n)
