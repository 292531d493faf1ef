"""The history of a training as a curve (celif Figures 4 and 5).

Measures: ``learning-curve``, the epochs until the test accuracy is first within 1 point of its best; ``loss-curve``,
the test loss after the last epoch, for tasks where a plateau may be that of having learned nothing. Series of both: one
row an epoch, ``epoch``, ``step`` (optimiser steps until then), ``test_loss`` and, where the task has classes,
``test_accuracy`` in %.
"""

from __future__ import annotations

from bench.training.trained import NotApplicable, Reading, Trained

NEAR = 1.0  # points


def _series(kept: Trained) -> dict[str, list]:
    history, each = kept.history, kept.steps // len(kept.history)
    columns: dict[str, list] = {
        "epoch": [r["epoch"] for r in history],
        "step": [each * int(r["epoch"]) for r in history],
    }
    for name in ("test/loss", "test/accuracy"):
        if name in history[-1]:
            columns[name.replace("/", "_")] = [float(r[name]) for r in history]
    return columns


def plateau(kept: Trained, protocol: str) -> Reading:
    """Epochs to the plateau of the test accuracy. Raises ``NotApplicable`` in regression."""
    if "test/accuracy" not in kept.history[-1]:
        raise NotApplicable(f"task {kept.experiment.task.name} has no accuracy: see loss-curve")
    best = max(r["test/accuracy"] for r in kept.history)
    first = next(r for r in kept.history if r["test/accuracy"] >= best - NEAR)
    return Reading(float(first["epoch"]), series=_series(kept))


def final_loss(kept: Trained, protocol: str) -> Reading:
    """Test loss after the last epoch."""
    last = kept.history[-1]
    return Reading(float(last["test/loss"]), last["n_test"], last["epoch"], series=_series(kept))
