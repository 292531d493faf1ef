"""What a storage of the queue takes and gives: trials to add, and trials as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from optuna.trial import TrialState

Attributes = dict[str, Any]
NewTrial = tuple[Attributes, Attributes]  # user and system attributes of a trial to add


@dataclass(frozen=True)
class QueuedTrial:
    """A trial at one moment. ``attributes`` holds its user attributes, or those of them that the caller named."""

    trial_id: int
    number: int
    state: TrialState
    attributes: Attributes


@dataclass(frozen=True)
class StoredTrial:
    """A trial at one moment, with all of its attributes."""

    number: int
    state: TrialState
    user_attrs: Attributes
    system_attrs: Attributes


Selector = Callable[[list[QueuedTrial]], list[NewTrial]]  # trials in the queue -> trials to add
SELECTOR_KEYS = ("experiment", "status")  # user attributes that a selector can read
