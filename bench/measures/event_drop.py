"""Accuracy if a share rho of the events of every test recording is dropped at random (EventDrop, Gu et al. 2021; Yin
et al. 2024, Table 10).

Measures: ``event-drop@0.1`` to ``event-drop@0.9``, with rho in the name. Events are dropped before windows are made of
them. Every model loses the same events, and a larger rho drops the events of a smaller one and more. The networks were
trained on all events. There is no series: the curve consists of the measures.
"""

from __future__ import annotations

from bench.measures.evaluation import accuracy
from bench.training.trained import NotApplicable, Reading, Trained


def event_drop(trained: Trained, protocol: str, ratio: float) -> Reading:
    """Test accuracy in % after ``int(N * ratio)`` of the N events of each recording are dropped. Raises
    ``NotApplicable`` for data that are not an event camera's.
    """
    if "window_ms" not in trained.experiment.config["data_settings"]:
        raise NotApplicable(f"the data of task {trained.experiment.task.name} is no event camera's windows of time")
    value, samples = accuracy(trained.module(protocol), trained.data("test", drop=ratio))
    return Reading(value, samples)
