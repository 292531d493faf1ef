"""Every private name of Optuna that this package uses, and the public one that is missing. A test compares this file
with the locked version of Optuna.

Storages identify studies and trials by an id. The public objects show a trial's number and a study's name only.
``FrozenStudy``, what ``BaseStorage.get_all_studies`` gives, and the codes of ``JournalOperation`` have no public name.
"""

from __future__ import annotations

from optuna.storages import RDBStorage
from optuna.storages.journal._storage import JournalOperation
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial

__all__ = ["JOURNAL_FIELDS", "STALE_TRIAL_IDS", "FrozenStudy", "stale_trial_ids", "study_id", "trial_id"]

# `Study.optimize` calls this method of a storage before every trial. A public method to override is missing.
STALE_TRIAL_IDS = "_get_stale_trial_ids"

# Code of an operation in a journal -> the fields of its record, beside "op_code" and "worker_id". A public check of a
# record is missing: ``JournalStorage`` raises ``KeyError`` for a wrong one.
JOURNAL_FIELDS: dict[object, frozenset[str]] = {
    JournalOperation.CREATE_STUDY.value: frozenset({"study_name", "directions"}),
    JournalOperation.DELETE_STUDY.value: frozenset({"study_id"}),
    JournalOperation.SET_STUDY_USER_ATTR.value: frozenset({"study_id", "user_attr"}),
    JournalOperation.SET_STUDY_SYSTEM_ATTR.value: frozenset({"study_id", "system_attr"}),
    JournalOperation.CREATE_TRIAL.value: frozenset({"study_id", "datetime_start"}),
    JournalOperation.SET_TRIAL_PARAM.value: frozenset(
        {"trial_id", "param_name", "param_value_internal", "distribution"}
    ),
    JournalOperation.SET_TRIAL_STATE_VALUES.value: frozenset({"trial_id", "state", "values"}),
    JournalOperation.SET_TRIAL_INTERMEDIATE_VALUE.value: frozenset({"trial_id", "step", "intermediate_value"}),
    JournalOperation.SET_TRIAL_USER_ATTR.value: frozenset({"trial_id", "user_attr"}),
    JournalOperation.SET_TRIAL_SYSTEM_ATTR.value: frozenset({"trial_id", "system_attr"}),
}


def study_id(study: FrozenStudy) -> int:
    """Missing: ``FrozenStudy.study_id``. ``BaseStorage.get_study_id_from_name`` costs a query each."""
    return study._study_id


def trial_id(trial: FrozenTrial) -> int:
    """Missing: ``FrozenTrial.trial_id``. ``get_trial_id_from_study_id_trial_number`` costs a query each."""
    return trial._trial_id


def stale_trial_ids(storage: RDBStorage, study_id: int) -> set[int]:
    """Ids of running trials without a heartbeat in the storage's grace period, by the clock of the database.

    Missing: the question alone. ``optuna.storages.fail_stale_trials`` also marks these trials as failed.
    """
    return set(storage._get_stale_trial_ids(study_id))
