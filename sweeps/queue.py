"""The work queue: an Optuna study in an embedded storage. A trial is one planned experiment."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from bench import paths
from bench.errors import BenchError
from bench.experiment import Experiment
from bench.ledger import folder
from bench.locks import folder_key, lock
from bench.measures import MEASURES
from bench.models import MODELS
from bench.plan import Job
from bench.tasks import TASKS

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Claim:
    """A trial that this process has taken: run it, then ``Queue.finish`` it."""

    trial: int
    job: Job


def experiment_lock(experiment_id: str, wait: bool = False) -> Any:
    """Held for as long as an experiment runs: the sign that its owner is alive."""
    return lock(f"experiment-{experiment_id}", wait=wait)


class Queue:
    """Experiments to run, shared by all processes that write to the same ledger."""

    def __init__(self) -> None:
        home = paths.home()
        home.mkdir(parents=True, exist_ok=True)
        self.name = f"experiments-{folder_key(folder())}"
        with lock("queue"):  # two processes must not create the tables at once
            self.storage = RDBStorage(f"sqlite:///{home / 'queue.db'}", engine_kwargs={"connect_args": {"timeout": 120}})
            self.study = optuna.create_study(storage=self.storage, study_name=self.name, load_if_exists=True, direction="maximize")
        self.study_id = self.storage.get_study_id_from_name(self.name)

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self.storage.get_all_trials(self.study_id, deepcopy=False, states=states)

    def enqueue(self, jobs: Iterable[tuple[Job, float | None]]) -> int:
        """Add jobs (with expected seconds) that are not queued or running; a trial whose owner died is failed first. Number added."""
        with lock("queue"):
            self._fail_dead()
            open_ids = {t.user_attrs["experiment"] for t in self._trials(TrialState.WAITING, TrialState.RUNNING)}
            added = 0
            for job, seconds in jobs:
                e = job.experiment
                if e.id in open_ids:
                    continue
                attributes = {
                    "experiment": e.id,
                    "task": e.task.name,
                    "model": e.model.name,
                    "seed": e.seed,
                    "budget": e.budget,
                    "overrides": json.dumps(e.overrides),
                    "measures": [m.name for m in job.measures],
                    "expected_s": seconds if seconds is not None else 1e9,  # unknown ones first: they may be long
                }
                self.study.add_trial(create_trial(state=TrialState.WAITING, user_attrs=attributes))
                added += 1
            return added

    def _fail_dead(self) -> None:
        for trial in self._trials(TrialState.RUNNING):
            with experiment_lock(trial.user_attrs["experiment"]) as free:
                if free:
                    self.study.tell(trial.number, state=TrialState.FAIL)

    def claim(self) -> Claim | None:
        """Take the waiting trial with the longest expected time; ``None`` when nothing waits."""
        waiting = sorted(self._trials(TrialState.WAITING), key=lambda t: -t.user_attrs["expected_s"])
        for trial in waiting:
            try:
                if self.storage.set_trial_state_values(trial._trial_id, state=TrialState.RUNNING):
                    return Claim(trial.number, _job(trial))
            except optuna.exceptions.UpdateFinishedTrialError:
                continue
        return None

    def finish(self, trial: int, value: float | None) -> None:
        """Close a claimed trial: complete with ``value``, or failed where it is ``None``."""
        if value is None:
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, value)

    def clear(self) -> None:
        """Fail what still waits: a parent that stops takes its unstarted work back."""
        with lock("queue"):
            for trial in self._trials(TrialState.WAITING):
                if self.storage.set_trial_state_values(trial._trial_id, state=TrialState.RUNNING):
                    self.study.tell(trial.number, state=TrialState.FAIL)


def _job(trial: FrozenTrial) -> Job:
    a = trial.user_attrs
    try:
        overrides = tuple((key, value) for key, value in json.loads(a["overrides"]))
        experiment = Experiment(TASKS[a["task"]], MODELS[a["model"]], a["seed"], a["budget"], overrides)
        measures = tuple(MEASURES[name] for name in a["measures"])
    except KeyError as error:
        raise BenchError(f"trial {trial.number} names {error}, which this checkout does not have") from None
    if experiment.id != a["experiment"]:
        raise BenchError(
            f"trial {trial.number} is experiment {a['experiment']}, here it would be {experiment.id}: another version queued it"
        )
    return Job(experiment, measures)
