"""What is read off a trained experiment. One record each here, without torch; the code that reads weights in a module of its own."""

from __future__ import annotations

from typing import Any

from bench.experiment import Measure

ACCURACY = Measure("accuracy", "%", "test accuracy")
LOSS = Measure("loss", "", "test loss", tolerance=0.005, digits=4, key="test/loss", best="min")


def _read(reader: str, name: str, unit: str, title: str, **settings: Any) -> Measure:
    return Measure(name, unit, title, reader=reader, settings=settings)


# Yin et al. 2024, Table 8: keyed by the window in ms. As many windows as in training, or those of the whole recording
_RESOLUTIONS = (1, 2, 3, 5, 10)
_AT = "generalisation:at_resolution"
AT_RESOLUTION = {ms: _read(_AT, f"accuracy@{ms}ms", "%", f"test accuracy at {ms} ms", window_ms=ms) for ms in _RESOLUTIONS}
AT_RESOLUTION_FULL = {
    ms: _read(_AT, f"accuracy@{ms}ms-full", "%", f"test accuracy at {ms} ms, whole recording", window_ms=ms, steps="full")
    for ms in _RESOLUTIONS
}

# Table 10: keyed by the share of events that is left out
EVENT_DROP = {
    rho: _read("event_drop:event_drop", f"event-drop@{rho}", "%", f"test accuracy with {rho:.0%} of the events dropped", ratio=rho)
    for rho in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
}

MEASURES = {m.name: m for m in (ACCURACY, LOSS, *AT_RESOLUTION.values(), *AT_RESOLUTION_FULL.values(), *EVENT_DROP.values())}
