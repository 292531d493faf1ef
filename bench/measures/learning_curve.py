"""The history of a training as a curve (celif Figures 4 and 5).

Measure ``learning-curve``: the number of epochs until the test accuracy is first within 1 point of its best. Measure
``loss-curve``: the test loss after the last epoch, for tasks in which a network may stay at the loss of guessing.
Series of both: one row for each epoch, ``epoch``, ``step`` (optimiser steps until then), ``test_loss`` and, if the task
has classes, ``test_accuracy`` in %.
"""

from __future__ import annotations

from bench.training.trained import NotApplicable, Reading, Trained

NEAR = 1.0  # percentage points


def _series(trained: Trained) -> dict[str, list]:
    history = trained.history
    steps_per_epoch = trained.steps // len(history)
    columns: dict[str, list] = {
        "epoch": [record["epoch"] for record in history],
        "step": [steps_per_epoch * int(record["epoch"]) for record in history],
    }
    for name in ("test/loss", "test/accuracy"):
        if name in history[-1]:
            columns[name.replace("/", "_")] = [float(record[name]) for record in history]
    return columns


def plateau(trained: Trained, protocol: str) -> Reading:
    """Number of epochs to the plateau of the test accuracy. Raises ``NotApplicable`` for a task without classes."""
    if "test/accuracy" not in trained.history[-1]:
        raise NotApplicable(f"task {trained.experiment.task.name} has no accuracy: see loss-curve")
    best = max(record["test/accuracy"] for record in trained.history)
    first = next(record for record in trained.history if record["test/accuracy"] >= best - NEAR)
    return Reading(float(first["epoch"]), series=_series(trained))


def final_loss(trained: Trained, protocol: str) -> Reading:
    """Test loss after the last epoch."""
    last = trained.history[-1]
    return Reading(float(last["test/loss"]), last["n_test"], last["epoch"], series=_series(trained))
