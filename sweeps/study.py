"""The Optuna study that holds the queue of a ledger."""

from __future__ import annotations

import warnings
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning

from bench import paths
from bench.errors import BenchError
from bench.ledger import store
from bench.ledger.locks import folder_key, results_lock
from sweeps import addresses, storage

SCHEMA = 1
OFFICIAL = "official"  # the two kinds of ledgers that a study's records can enter
EXPLORATORY = "exploratory"


class Study:
    """The study ``study`` in the storage at ``address``, made where it does not exist.

    The default storage has one study for each ledger, another storage has ``experiments``, unless ``study`` names one.
    Raises ``BenchError`` where the storage cannot be used or the study is of another schema.
    """

    def __init__(self, address: str | None = None, study: str | None = None, wait: float = 0.0) -> None:
        self.address = addresses.address(address)
        addresses.check_variables()
        self.storage = storage.connect(self.address, wait)
        default = f"ledger-{folder_key(store.folder())}" if addresses.is_default(self.address) else "experiments"
        self.name = study or default
        try:
            self.study = optuna.create_study(
                storage=self.storage, study_name=self.name, load_if_exists=True, direction="maximize"
            )
        except (KeyError, DuplicatedStudyError):  # another process makes it at the same moment
            self.study = optuna.load_study(storage=self.storage, study_name=self.name)
        self.study_id = self.storage.get_study_id_from_name(self.name)
        if self.study.user_attrs.get("schema") is None:
            with self.storage.exclusive():  # another process that opens it now may queue at once
                self._initialise()
        schema = self.study.user_attrs.get("schema")
        if schema != SCHEMA:
            raise BenchError(
                f"study {self.name!r} in {addresses.masked(self.address)} has schema {schema}, this checkout knows"
                f" {SCHEMA}: update the older one, or name another study"
            )

    def _initialise(self) -> None:
        """Mark a new study as a queue, within ``storage.exclusive()``."""
        if self.study.user_attrs.get("schema") is not None or self.storage.states(self.study_id):
            return
        self.study.set_user_attr("schema", SCHEMA)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self.study.set_metric_names(["accuracy (%)"])

    @property
    def kind(self) -> str | None:
        """``OFFICIAL`` or ``EXPLORATORY``; ``None`` before any experiment was queued."""
        return self.study.user_attrs.get("kind")

    def check_kind(self) -> str:
        """The kind of this process's ledger. Raises ``BenchError`` where the study has the other kind: exploratory
        lines enter no other ledger.
        """
        ledger_kind = EXPLORATORY if paths.results() == paths.exploratory() else OFFICIAL
        if (kind := self.kind) not in (None, ledger_kind):
            raise BenchError(
                f"study {self.name!r} holds {kind} experiments, this run's are {ledger_kind}: name another study"
            )
        return ledger_kind

    def planning(self) -> Any:
        """The lock under which a command collects, plans and enqueues: one command on a ledger at a time."""
        return results_lock("planning")
