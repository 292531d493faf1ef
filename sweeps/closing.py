"""How trials end: with the record of their worker, or given up and queued again because that worker is dead."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from bench.errors import BenchError
from bench.ledger import provenance
from bench.ledger.locks import lock
from bench.ledger.new_lines import new_lines
from bench.ledger.store import Line
from sweeps import addresses
from sweeps.optuna_private import trial_id
from sweeps.queued_trial import SELECTOR_KEYS, NewTrial, QueuedTrial
from sweeps.study import Study
from sweeps.trials import JOB_KEYS, USER_KEYS, WORKER_DIED, deaths, host_home, read_job

KeepAlive = Callable[[], None]  # what ``storage.exclusive()`` yields


def experiment_lock(experiment_id: str, wait: bool = False) -> Any:
    """Held for as long as an experiment runs on this host: the sign that its owner is alive."""
    return lock(f"experiment-{experiment_id}", wait)


def store_record(
    study: Study,
    trial_id: int,
    lines: list[Line],
    profile: dict[str, Any] | None = None,
    files: list[list[str]] | None = None,
) -> bool:
    """Store what came out of a trial; ``False`` where the trial is closed already."""
    environments = provenance.rows({line.environment for line in lines})  # this ledger may not know those of weights
    record: Any = {
        "lines": [vars(line) for line in lines],
        "environments": environments,
        "profile": profile,
        "series": files,
    }
    try:
        study.storage.set_trial_system_attr(trial_id, "record", record)
    except UpdateFinishedTrialError:
        return False
    return True


def close_as(study: Study, trial_id: int, line: Line) -> bool:
    """Close a trial whose record is stored with the status of ``line``, the first of the record."""
    if line.status == "ok":
        return close(study, trial_id, TrialState.COMPLETE, line.value, status=line.status)
    return close(study, trial_id, TrialState.FAIL, status=line.status, error=line.error)


def close(study: Study, trial_id: int, state: TrialState, value: float | None = None, **attributes: str) -> bool:
    """Close a trial with user ``attributes``; ``False`` where it is closed already."""
    try:
        for key, text in attributes.items():
            study.storage.set_trial_user_attr(trial_id, key, text)
        study.storage.set_trial_state_values(trial_id, state, None if value is None else [value])
    except UpdateFinishedTrialError:
        return False
    return True


def requeue(study: Study, trial: FrozenTrial, death_count: int, keep_alive: KeepAlive) -> None:
    """Queue the job of ``trial``, which is closed, within ``storage.exclusive()``, unless it is queued already."""
    user = {k: v for k, v in trial.user_attrs.items() if k in USER_KEYS}
    system = {k: v for k, v in trial.system_attrs.items() if k in JOB_KEYS}

    def select(queued: list[QueuedTrial]) -> list[NewTrial]:
        later = {q.attributes["experiment"] for q in queued if q.number > trial.number}
        return [] if user["experiment"] in later else [(user, system | {"deaths": death_count})]

    study.storage.add(study.study_id, select, keep_alive)


def reap(study: Study) -> None:
    """Queue again what was run by a worker that is dead; fail it after as many as ``addresses.deaths`` allows."""
    queued = study.storage.queued(study.study_id, *SELECTOR_KEYS)
    running = [q for q in queued if q.state == TrialState.RUNNING]
    silent = study.storage.silent(study.study_id) if running else set()
    workers = study.storage.system_values("worker", [q.trial_id for q in running])
    for entry in running:
        with ExitStack() as locks:
            if (workers.get(entry.trial_id) or {}).get("host") == host_home():
                if not locks.enter_context(experiment_lock(entry.attributes["experiment"])):
                    continue
            elif entry.trial_id not in silent:
                continue
            give_up(study, study.storage.get_trial(entry.trial_id))
    latest = {q.attributes["experiment"]: q for q in queued}
    for entry in latest.values():
        status = entry.attributes.get("status")
        if entry.state == TrialState.FAIL and status in (WORKER_DIED, "preempted"):  # closed, and not requeued yet
            trial = study.storage.get_trial(entry.trial_id)
            with study.storage.exclusive() as keep_alive:
                requeue(study, trial, deaths(trial) + 1 if status == WORKER_DIED else 0, keep_alive)


def give_up(study: Study, trial: FrozenTrial) -> None:
    """Close the trial of a dead worker: with the record where the worker stored one, else as a death."""
    record = trial.system_attrs.get("record")
    if record:
        line = Line(**record["lines"][0])
        with study.storage.exclusive() as keep_alive:
            if close_as(study, trial_id(trial), line) and line.status == "preempted":
                requeue(study, trial, 0, keep_alive)
        return
    death_count = deaths(trial) + 1
    allowed = addresses.deaths()
    if death_count < allowed:
        with study.storage.exclusive() as keep_alive:  # nobody may find it neither running nor waiting
            if close(study, trial_id(trial), TrialState.FAIL, status=WORKER_DIED):
                requeue(study, trial, death_count, keep_alive)
        return
    try:
        job = read_job(trial, check_data=False)
    except BenchError:  # a process with that version closes it
        return
    reason = f"its worker was killed {allowed} times (out of memory?)"
    lines = new_lines(job.experiment, job.measures, "failed", reason)
    if store_record(study, trial_id(trial), lines):
        close_as(study, trial_id(trial), lines[0])
