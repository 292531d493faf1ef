"""Accuracy with a share rho of every test recording's events left out at random (EventDrop, Gu et al. 2021; Yin et al.
2024, Table 10).

Measures: ``event-drop@0.1`` … ``event-drop@0.9``, the share being rho. Events go before windows are made of them, the
same ones for every model, and a larger rho drops the same and more. The networks were trained on all events. No series:
the curve is made of the measures.
"""

from __future__ import annotations

from bench.measures.evaluation import accuracy
from bench.training.trained import NotApplicable, Reading, Trained


def event_drop(kept: Trained, protocol: str, ratio: float) -> Reading:
    """Test accuracy in % after ``int(N * ratio)`` of the N events of each recording are dropped."""
    if "window_ms" not in kept.experiment.config["data_settings"]:
        raise NotApplicable(f"the data of task {kept.experiment.task.name} is no event camera's windows of time")
    value, n = accuracy(kept.module(protocol), kept.data("test", drop=ratio))
    return Reading(value, n)
