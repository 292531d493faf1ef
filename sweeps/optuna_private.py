"""The parts of Optuna that have no public name. Check this file when the pinned version of Optuna changes.

Storages identify studies and trials by an id. The public objects show a trial's number and a study's name only, and
asking the storage for the id would cost a query each.
"""

from __future__ import annotations

from optuna.storages import RDBStorage
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial

__all__ = ["STALE_TRIAL_IDS", "FrozenStudy", "stale_trial_ids", "study_id", "trial_id"]

STALE_TRIAL_IDS = "_get_stale_trial_ids"  # `Study.optimize` calls this method of a storage before every trial


def study_id(study: FrozenStudy) -> int:
    return study._study_id


def trial_id(trial: FrozenTrial) -> int:
    return trial._trial_id


def stale_trial_ids(storage: RDBStorage, study_id: int) -> set[int]:
    """Ids of running trials without a heartbeat in the storage's grace period, by the clock of the database."""
    return set(storage._get_stale_trial_ids(study_id))
