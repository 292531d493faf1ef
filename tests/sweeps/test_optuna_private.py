"""Private names of Optuna are used in one file, which fits the locked version."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.study import StudyDirection
from optuna.trial import TrialState

from sweeps import optuna_private
from tests.conftest import ROOT

FILES = sorted(p for p in (ROOT / "sweeps").glob("*.py") if p.name != "optuna_private.py")
OWN = ("self", "cls", "os", "workspace")  # names whose private attributes are not Optuna's


def private_names(source: str) -> Iterator[str]:
    """Private parts of Optuna that ``source`` imports, and private attributes of anything that may be Optuna's."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "optuna":
            parts = (node.module or "").split(".") + [alias.name for alias in node.names]
            yield from (part for part in parts if part.startswith("_"))
        elif isinstance(node, ast.Attribute) and re.match(r"_[^_]", node.attr):
            name = ast.unparse(node.value)
            if name.split(".")[0] not in OWN:
                yield f"{name}.{node.attr}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_other_file_uses_a_private_name_of_optuna(path: Path) -> None:
    assert list(private_names(path.read_text(encoding="utf-8"))) == []


def test_private_names_are_found() -> None:
    source = "from optuna.study._frozen import FrozenStudy\nstudy._study_id\ntrial.x._suggest(1)\nself._own"
    assert list(private_names(source)) == ["_frozen", "study._study_id", "trial.x._suggest"]


def test_the_private_names_are_those_of_the_locked_version() -> None:
    locked = re.search(r"^optuna==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert locked and version("optuna") == locked.group(1)
    assert callable(getattr(RDBStorage, optuna_private.STALE_TRIAL_IDS))
    storage = RDBStorage("sqlite://", heartbeat_interval=60)
    study = optuna.create_study(storage=storage)
    (frozen,) = storage.get_all_studies()
    assert isinstance(frozen, optuna_private.FrozenStudy)
    assert optuna_private.study_id(frozen) == storage.get_study_id_from_name(study.study_name)
    study.ask()
    (trial,) = study.get_trials(deepcopy=False)
    number = storage.get_trial_id_from_study_id_trial_number(optuna_private.study_id(frozen), trial.number)
    assert optuna_private.trial_id(trial) == number
    assert optuna_private.stale_trial_ids(storage, optuna_private.study_id(frozen)) == set()


class Backend(BaseJournalBackend):
    """Keeps the records of a journal."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        return self.logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self.logs += logs


def test_records_of_a_journal_have_the_fields_that_are_checked() -> None:
    backend = Backend()
    storage = JournalStorage(backend)
    study = storage.create_new_study([StudyDirection.MAXIMIZE], "a")
    storage.set_study_user_attr(study, "a", 1)
    storage.set_study_system_attr(study, "a", 1)
    trial = storage.create_new_trial(study)
    storage.set_trial_param(trial, "x", 0.5, FloatDistribution(0.0, 1.0))
    storage.set_trial_intermediate_value(trial, 0, 1.0)
    storage.set_trial_user_attr(trial, "a", 1)
    storage.set_trial_system_attr(trial, "a", 1)
    storage.set_trial_state_values(trial, TrialState.COMPLETE, [1.0])
    storage.delete_study(study)
    written = {log["op_code"]: set(log) for log in backend.logs}
    assert set(written) == set(optuna_private.JOURNAL_FIELDS)
    for code, fields in optuna_private.JOURNAL_FIELDS.items():
        assert fields | {"op_code", "worker_id"} <= written[code]  # type: ignore[index]
