"""How soon a training comes to its plateau (celif Figure 4).

Measure ``learning-curve``: the number of epochs until the test accuracy is first within 1 point of its best. It is
applicable to trainings that end at their plateau. The curve itself is the experiment's history.
"""

from __future__ import annotations

from bench.training.trained import NotApplicable, Reading, Trained

NEAR = 1.0  # percentage points
LAST = 10  # epochs at the plateau, before which at least one more was trained


def plateau(trained: Trained, protocol: str) -> Reading:
    """Number of epochs to the plateau of the test accuracy.

    Raises ``NotApplicable`` for a task without classes, and for a training that has not stayed at its plateau for
    ``LAST`` epochs.
    """
    history = trained.history
    if "test/accuracy" not in history[-1]:
        raise NotApplicable(f"task {trained.experiment.task.name} has no accuracy: see loss-curve")
    near_best = max(record["test/accuracy"] for record in history) - NEAR
    if len(history) <= LAST:
        raise NotApplicable(
            f"the training is not at its plateau: that takes more than {LAST} epochs, and {len(history)} were trained"
        )
    if min(record["test/accuracy"] for record in history[-LAST:]) < near_best:
        raise NotApplicable(
            f"the training is not at its plateau: the last {LAST} epochs are not within {NEAR:g} point of the best"
        )
    first = next(record for record in history if record["test/accuracy"] >= near_best)
    return Reading(float(first["epoch"]))
