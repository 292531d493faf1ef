"""The work queue: an Optuna study that holds what is planned. A trial is one planned experiment.

The ledger is the truth: the plan decides what is queued, and ``collecting`` writes the records of finished trials into
the ledger, each once.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from bench.errors import BenchError
from bench.ledger.store import Line
from bench.plan import Job
from sweeps import closing
from sweeps.addresses import grace
from sweeps.candidates import Candidates
from sweeps.closing import experiment_lock
from sweeps.collecting import collected_numbers
from sweeps.queued_trial import SELECTOR_KEYS, NewTrial, QueuedTrial, StoredTrial
from sweeps.study import Study
from sweeps.trials import (
    DETACHED,
    REFUSED,
    UNFINISHED,
    UNKNOWN_S,
    WITHDRAWN,
    read_job,
    series_files,
    system_attributes,
    user_attributes,
    worker_attributes,
)

PAUSE_TIMES = 20  # between two looks at the whole queue, times the last one's length


@dataclass
class Claim:
    """A trial that this process has taken: run its job, then ``Queue.finish`` it.

    ``lock`` holds the experiment's lock, which tells this host that the worker is alive.
    """

    trial_id: int
    number: int
    job: Job
    limit_s: float | None
    lock: ExitStack = field(default_factory=ExitStack)


class Queue(Study):
    """Experiments to run, shared by all processes that open the same storage and study. Raises as ``Study``."""

    def __init__(self, address: str | None = None, study: str | None = None, wait: float = 0.0) -> None:
        super().__init__(address, study, wait)
        self.refused: set[int] = set()  # trials that this checkout, its plug-ins or its data cannot run
        self.refusals: dict[str, str] = {}  # their experiments -> the reason
        self.candidates = Candidates()
        self.reap_due = 0.0

    def enqueue(
        self, jobs: Iterable[tuple[Job, float | None]], limit_s: float | None = None, detached: bool = False
    ) -> list[str]:
        """Add jobs (with expected seconds) that are not in the queue already; the experiments added.

        ``limit_s``: seconds that each may take. ``detached``: no command withdraws them. Call it within ``planning()``,
        so that an experiment that finishes meanwhile is neither planned nor queued again.
        """
        jobs = list(jobs)
        homes = self._weight_homes({j.experiment.id for j, _ in jobs if j.weights_elsewhere})
        trials: list[NewTrial] = [(user_attributes(j, homes), system_attributes(j, s, limit_s)) for j, s in jobs]
        trials.sort(key=lambda trial: -trial[1]["expected_s"])
        with self.storage.exclusive() as keep_alive:
            ledger_kind = self.check_kind()
            if self.kind is None:
                self.study.set_user_attr("kind", ledger_kind)
            collected = collected_numbers(self)

            def select(queued: list[QueuedTrial]) -> list[NewTrial]:
                known = {q.attributes["experiment"] for q in queued if _is_open(q, collected)}
                return [(user, system) for user, system in trials if user["experiment"] not in known]

            added = [user["experiment"] for user, _ in self.storage.add(self.study_id, select, keep_alive)]
            if detached:
                self._mark_detached({j.experiment.id for j, _ in jobs})
            return added

    def _mark_detached(self, experiments: set[str]) -> None:
        for trial in self.storage.queued(self.study_id, *SELECTOR_KEYS):
            if trial.attributes["experiment"] in experiments and not trial.state.is_finished():
                with suppress(UpdateFinishedTrialError):
                    self.storage.set_trial_user_attr(trial.trial_id, DETACHED, True)

    def _weight_homes(self, experiments: set[str]) -> dict[str, str]:
        """HOST:HOME of those of ``experiments`` that a worker of this queue has trained."""
        if not experiments:
            return {}
        trials = self.storage.get_all_trials(self.study_id, deepcopy=False, states=(TrialState.COMPLETE,))
        homes = {t.user_attrs["experiment"]: (t.system_attrs.get("worker") or {}).get("home", "") for t in trials}
        return {experiment: homes[experiment] for experiment in experiments if homes.get(experiment)}

    def withdraw(self, experiments: Iterable[str]) -> None:
        """Take back those of ``experiments`` that still wait: nobody else may wait for a command that stops."""
        withdrawn = set(experiments)
        with self.storage.exclusive():
            waiting = [
                trial.trial_id
                for trial in self.storage.queued(self.study_id, "experiment", DETACHED)
                if trial.state == TrialState.WAITING
                and trial.attributes["experiment"] in withdrawn
                and not trial.attributes.get(DETACHED)
            ]
            self.storage.withdraw(waiting, WITHDRAWN)

    def claim(self, left_s: float = float("inf")) -> Claim | None:
        """Take the waiting trial with the longest expected time that this checkout and its data can run.

        It must be expected to end within ``left_s`` seconds. In a long queue it is the longest of those that waited a
        moment ago: looking at all of them takes a small part of a worker's time. Among many workers it is one of the
        longest.
        """
        self.reap()
        if time.monotonic() < self.candidates.until and (claim := self._first(left_s)):
            return claim
        started = time.monotonic()
        self.candidates.replace(self.storage.waiting(self.study_id))
        ended = time.monotonic()
        self.candidates.until = ended + PAUSE_TIMES * (ended - started)
        return self._first(left_s)

    def _first(self, left_s: float) -> Claim | None:
        """Claim the first of the candidates that can be claimed; those before it are none any more."""
        while (candidate := self.candidates.draw(self.storage.still_waiting)) is not None:
            trial_id, expected = candidate
            if trial_id in self.refused or not _fits(expected, left_s):
                continue
            if claim := self._take(trial_id):
                return claim
            if trial_id not in self.refused:
                self.candidates.missed()
        return None

    def _take(self, trial_id: int, form: dict[str, Any] | None = None) -> Claim | None:
        """Claim a trial, unless another worker has it, this one cannot run it, or it has another ``form``."""
        trial = self.storage.stored(trial_id)
        if trial.state != TrialState.WAITING:
            return None
        try:
            job = read_job(trial)
        except BenchError as error:
            self._refuse(trial_id, trial, str(error))
            return None
        if form is not None and job.experiment.form != form:
            return None
        lock = ExitStack()
        is_free = lock.enter_context(experiment_lock(job.experiment.id))
        if is_free and self.storage.take(trial_id, worker_attributes()):
            return Claim(trial_id, trial.number, job, trial.system_attrs.get("limit_s"), lock)
        lock.close()
        return None

    def claim_alike(self, claim: Claim, count: int, left_s: float = float("inf"), workers: int = 1) -> list[Claim]:
        """Up to ``count`` waiting trials of the form of ``claim``, first other seeds of its model. Of ``workers`` that
        share the queue each gets about as many.
        """
        experiment = claim.job.experiment
        waiting = [trial_id for trial_id, expected in self.storage.waiting(self.study_id) if _fits(expected, left_s)]
        attributes = {
            trial_id: of_trial
            for trial_id, of_trial in self.storage.attributes(waiting).items()
            if (of_trial["task"], of_trial["budget"]) == (experiment.task.name, experiment.budget)
        }

        def order(trial_id: int) -> tuple[bool, str, int]:
            of_trial = attributes[trial_id]
            return of_trial["model"] != experiment.model.name, of_trial["model"], of_trial["seed"]

        count = min(count, math.ceil((1 + len(attributes)) / workers) - 1)
        claims: list[Claim] = []
        for trial_id in sorted(attributes, key=order):
            if len(claims) == count:
                break
            if trial_id not in self.refused:
                claims += filter(None, [self._take(trial_id, experiment.form)])
        return claims

    def _refuse(self, trial_id: int, trial: StoredTrial, reason: str) -> None:
        self.refused.add(trial_id)
        self.refusals[trial.user_attrs["experiment"]] = reason
        key = f"{REFUSED}{socket.gethostname()}"
        if trial.user_attrs.get(key) != reason:
            with suppress(UpdateFinishedTrialError):
                self.storage.set_trial_user_attr(trial_id, key, reason)

    def heartbeat(self, claim: Claim, position: str = "") -> bool:
        """Record that the worker of ``claim`` lives, and its ``position``; whether the trial is still its own."""
        if self.storage.get_trial(claim.trial_id).state != TrialState.RUNNING:
            return False
        self.storage.record_heartbeat(claim.trial_id)
        if position:
            self.storage.set_trial_user_attr(claim.trial_id, "place", position)
        return True

    def finish(self, claim: Claim, lines: list[Line], profile: dict[str, Any] | None = None) -> bool:
        """Close a claimed trial with its ledger lines.

        ``False`` where another process gave this worker up meanwhile: then the lines do not count.
        """
        lines = [replace(line, optuna_study=self.name, optuna_trial=claim.number) for line in lines]
        with claim.lock:
            if lines[0].status != "preempted":
                files = series_files(claim.job, lines)
                stored = closing.store_record(self, claim.trial_id, lines, profile, files)
                return stored and closing.close_as(self, claim.trial_id, lines[0])
            if not closing.store_record(self, claim.trial_id, lines, profile):  # first: then it is no death
                return False
            with self.storage.exclusive() as keep_alive:
                closed = closing.close_as(self, claim.trial_id, lines[0])
                if closed:
                    closing.requeue(self, self.storage.get_trial(claim.trial_id), 0, keep_alive)
                return closed

    def reap(self, force: bool = False) -> None:
        """``closing.reap``, but at most once in a quarter of the grace, unless ``force``. In a long queue it is done
        less often: it takes a small part of a process's time.
        """
        started = time.monotonic()
        if force or started >= self.reap_due:
            closing.reap(self)
            seconds = time.monotonic() - started
            self.reap_due = started + max(min(5.0, grace() / 4), PAUSE_TIMES * seconds)


def _fits(expected_s: float, left_s: float) -> bool:
    """Whether a job of ``expected_s`` seconds ends within ``left_s``, as far as anybody knows."""
    return expected_s >= UNKNOWN_S or expected_s <= left_s


def _is_open(trial: QueuedTrial, collected: set[int]) -> bool:
    """Whether it waits or runs, or has a record that is not among those ``collected``."""
    recorded = trial.state == TrialState.COMPLETE or trial.attributes.get("status") not in UNFINISHED
    return not trial.state.is_finished() or (trial.number not in collected and recorded)
