"""The work queue: an Optuna study that holds what is planned. A trial is one planned experiment; its record travels
through the storage.

User attributes are for people (the dashboard shows them), system attributes for the machinery: ``job`` is what to run,
``worker`` who runs it, ``record`` what came out. The ledger is the truth: ``collect`` writes records there, each once,
and the plan decides what is queued.
"""

from __future__ import annotations

import json
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from bench import paths
from bench.errors import BenchError
from bench.ledger import provenance, series, store
from bench.ledger.locks import folder_key, lock, results_lock
from bench.ledger.new_lines import new_lines
from bench.ledger.store import Line
from bench.measures import MEASURES
from bench.papers.registry import TASKS, find_model
from bench.plan import Job
from bench.spec.experiment import Experiment
from datamodules.sources import missing
from sweeps import storage as storages
from sweeps.journal import CHOSEN_BY, Queued, Trial

SCHEMA = 1
OFFICIAL, EXPLORATORY = "official", "exploratory"  # what the ledger is for that asks
MOST_DEATHS = int(os.environ.get("BENCH_DEATHS", 3))  # of workers over one experiment, before it counts as failed
UNKNOWN_S = 1e9  # expected time of what was never run: first, because it may be long
DIED, BACK = "worker died", "taken back"  # endings without a record
AGAIN = (DIED, BACK, "preempted")  # … and those that are not the last word
FINISHED = (TrialState.COMPLETE, TrialState.FAIL)


@dataclass
class Claim:
    """A trial that this process has taken, and the lock that says so to its host: run it, then ``Queue.finish`` it."""

    trial_id: int
    number: int
    job: Job
    limit_s: float | None
    held: ExitStack = field(default_factory=ExitStack)


@dataclass(frozen=True)
class Collected:
    """A finished trial as it came out of the storage: its ledger lines and the profile of its training."""

    experiment: str
    lines: tuple[Line, ...]
    profile: dict[str, Any] | None


def experiment_lock(experiment_id: str, wait: bool = False) -> Any:
    """Held for as long as an experiment runs on this host: the sign that its owner is alive."""
    return lock(f"experiment-{experiment_id}", wait)


def here() -> str:
    """This host and home: workers that name the same ones share locks."""
    return f"{socket.gethostname()}-{folder_key(paths.home())}"


class Queue:
    """Experiments to run, shared by all processes that open the same storage and study.

    The default storage has one study a ledger; a named one has ``experiments``, unless ``study`` says otherwise. Raises
    ``BenchError`` where the storage cannot be used or the study is of another schema.
    """

    def __init__(self, address: str | None = None, study: str | None = None, wait: float = 0.0) -> None:
        self.address = storages.address(address)
        self.storage = storages.connect(self.address, wait)
        self.name = study or (
            f"ledger-{folder_key(store.folder())}" if storages.is_default(self.address) else "experiments"
        )
        try:
            self.study = optuna.create_study(
                storage=self.storage, study_name=self.name, load_if_exists=True, direction="maximize"
            )
        except (KeyError, DuplicatedStudyError):  # made by somebody else in this moment
            self.study = optuna.load_study(storage=self.storage, study_name=self.name)
        self.study_id = self.study._study_id
        if self.study.user_attrs.get("schema") is None:
            with self.storage.alone():  # another that opens it now may queue at once
                self._make()
        if (found := self.study.user_attrs.get("schema")) != SCHEMA:
            raise BenchError(
                f"study {self.name!r} in {storages.public(self.address)} has schema {found}, this checkout knows"
                f" {SCHEMA}: update the older one, or name another study"
            )
        self.refused: set[int] = set()
        self.reaped = 0.0

    def _make(self) -> None:
        """Mark a study that is new; where ``storage.alone()`` is held."""
        if self.study.user_attrs.get("schema") is not None or self.storage.states(self.study_id):
            return
        self.study.set_user_attr("schema", SCHEMA)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self.study.set_metric_names(["accuracy (%)"])

    # what is queued

    def enqueue(
        self, jobs: Iterable[tuple[Job, float | None]], limit_s: float | None = None, stays: bool = False
    ) -> list[str]:
        """Add jobs (with expected seconds) that are not in the queue already; the experiments added. ``limit_s``:
        seconds each may take. ``stays``: nobody takes them back, whoever has added them.

        Done where ``planning()`` is held, so that what finishes meanwhile is neither planned nor queued again.
        """
        jobs = list(jobs)
        kept = self._kept({j.experiment.id for j, _ in jobs if j.weights_elsewhere})
        trials: list[Trial] = [
            (_attributes(j, kept), {"job": _description(j), "expected_s": s or UNKNOWN_S, "limit_s": limit_s})
            for j, s in jobs
        ]
        with self.storage.alone() as still:
            here = self._check_kind()
            if self.kind is None:
                self.study.set_user_attr("kind", here)
            taken = self._collected()

            def choose(queued: list[Queued]) -> list[Trial]:
                known = {q.attributes["experiment"] for q in queued if _open(q, taken)}
                return [t for t in sorted(trials, key=lambda t: -t[1]["expected_s"]) if t[0]["experiment"] not in known]

            added = [attributes["experiment"] for attributes, _ in self.storage.add(self.study_id, choose, still)]
            if stays:
                asked = {j.experiment.id for j, _ in jobs}
                for one in self.storage.queued(self.study_id, *CHOSEN_BY):
                    if one.attributes["experiment"] in asked and not one.state.is_finished():
                        with suppress(UpdateFinishedTrialError):
                            self.storage.set_trial_user_attr(one.trial_id, "stays", True)
            return added

    def _kept(self, experiments: set[str]) -> dict[str, str]:
        """HOST:HOME of those whose weights a worker of this queue has made."""
        trials = self._trials(TrialState.COMPLETE) if experiments else []
        makers = {t.user_attrs["experiment"]: (t.system_attrs.get("worker") or {}).get("home", "") for t in trials}
        return {experiment: makers[experiment] for experiment in experiments if makers.get(experiment)}

    def clear(self, experiments: Iterable[str]) -> None:
        """Take back what still waits of ``experiments``: a parent that stops does not leave its work to nobody."""
        wanted = set(experiments)
        with self.storage.alone():
            for trial in self._trials(TrialState.WAITING):
                shown = trial.user_attrs
                if (
                    shown["experiment"] in wanted
                    and not shown.get("stays")
                    and self.storage.take(trial._trial_id, None)
                ):
                    self._close(trial._trial_id, TrialState.FAIL, status=BACK)

    # what is claimed

    def claim(self, left_s: float = float("inf")) -> Claim | None:
        """Take the waiting trial with the longest expected time that this checkout and its data can run, within
        ``left_s`` seconds.
        """
        self.reap()
        for trial_id, expected in sorted(self.storage.waiting(self.study_id), key=lambda pair: (-pair[1], pair[0])):
            if trial_id in self.refused or (expected < UNKNOWN_S and expected > left_s):
                continue
            trial = self.storage.get_trial(trial_id)
            try:
                job = _job(trial)
            except BenchError as error:
                self._refuse(trial, str(error))
                continue
            held = ExitStack()
            free = held.enter_context(experiment_lock(job.experiment.id))
            if free and self.storage.take(trial_id, _worker()):
                return Claim(trial_id, trial.number, job, trial.system_attrs.get("limit_s"), held)
            held.close()
        return None

    def _refuse(self, trial: FrozenTrial, reason: str) -> None:
        self.refused.add(trial._trial_id)
        key = f"refused {socket.gethostname()}"
        if trial.user_attrs.get(key) != reason:
            with suppress(UpdateFinishedTrialError):
                self.storage.set_trial_user_attr(trial._trial_id, key, reason)

    def beat(self, claim: Claim, place: str = "") -> bool:
        """Say that the worker of ``claim`` lives, and at which ``place``; whether the trial is still its own."""
        if self.storage.get_trial(claim.trial_id).state != TrialState.RUNNING:
            return False
        self.storage.record_heartbeat(claim.trial_id)
        if place:
            self.storage.set_trial_user_attr(claim.trial_id, "place", place)
        return True

    def finish(self, claim: Claim, lines: list[Line], profile: dict[str, Any] | None = None) -> bool:
        """Close a claimed trial with its ledger lines; ``False`` where it was taken away meanwhile: then the lines do
        not count.
        """
        lines = [replace(line, optuna_study=self.name, optuna_trial=claim.number) for line in lines]
        with claim.held:
            if lines[0].status != "preempted":
                return self._record(claim.trial_id, lines, profile, _series(claim.job, lines))
            if not self._hand_in(claim.trial_id, lines, profile):  # first: it is no death then, whatever ends the wait
                return False
            with self.storage.alone() as still:
                done = self._end(claim.trial_id, lines[0])
                if done:
                    self._again(self.storage.get_trial(claim.trial_id), 0, still)
                return done

    def _record(
        self,
        trial_id: int,
        lines: list[Line],
        profile: dict[str, Any] | None = None,
        files: list[list[str]] | None = None,
    ) -> bool:
        return self._hand_in(trial_id, lines, profile, files) and self._end(trial_id, lines[0])

    def _hand_in(
        self,
        trial_id: int,
        lines: list[Line],
        profile: dict[str, Any] | None = None,
        files: list[list[str]] | None = None,
    ) -> bool:
        environments = provenance.rows(
            {line.environment for line in lines}
        )  # kept weights can be of one that this ledger never saw
        record: Any = {
            "lines": [vars(line) for line in lines],
            "environments": environments,
            "profile": profile,
            "series": files,
        }
        try:
            self.storage.set_trial_system_attr(trial_id, "record", record)
        except UpdateFinishedTrialError:
            return False
        return True

    def _end(self, trial_id: int, line: Line) -> bool:
        """Close a trial whose record is handed in, as ``line``, the first of it, says."""
        ok = line.status == "ok"
        shown = {"status": line.status} | ({} if ok else {"error": line.error})
        return self._close(
            trial_id, TrialState.COMPLETE if ok else TrialState.FAIL, line.value if ok else None, **shown
        )

    def _close(self, trial_id: int, state: TrialState, value: float | None = None, **shown: Any) -> bool:
        try:
            for key, text in shown.items():
                self.storage.set_trial_user_attr(trial_id, key, text)
            self.storage.set_trial_state_values(trial_id, state, None if value is None else [value])
        except UpdateFinishedTrialError:
            return False
        return True

    # what became of it

    def reap(self) -> None:
        """Queue again what was run by a worker that is dead; fail it after ``MOST_DEATHS``. At most once in a quarter
        of the grace.
        """
        if time.monotonic() - self.reaped < min(5.0, storages.grace() / 4):
            return
        self.reaped = time.monotonic()
        queued = self.storage.queued(self.study_id, *CHOSEN_BY)
        running = [q for q in queued if q.state == TrialState.RUNNING]
        silent = self.storage.silent(self.study_id) if running else set()
        for one in running:
            trial = self.storage.get_trial(one.trial_id)
            with ExitStack() as held:
                if (trial.system_attrs.get("worker") or {}).get("host") == here():
                    if not held.enter_context(experiment_lock(one.attributes["experiment"])):
                        continue
                elif one.trial_id not in silent:
                    continue
                self._bury(trial)
        for one in {q.attributes["experiment"]: q for q in queued}.values():  # the last of each
            status = one.attributes.get("status")
            if one.state == TrialState.FAIL and status in (DIED, "preempted"):  # who closed it has come no further
                trial = self.storage.get_trial(one.trial_id)
                with self.storage.alone() as still:
                    self._again(trial, _deaths(trial) + 1 if status == DIED else 0, still)

    def _bury(self, trial: FrozenTrial) -> None:
        record = trial.system_attrs.get("record")
        if record:  # it died over the last word
            line = Line(**record["lines"][0])
            with self.storage.alone() as still:
                if self._end(trial._trial_id, line) and line.status == "preempted":
                    self._again(trial, 0, still)
            return
        deaths = _deaths(trial) + 1
        if deaths < MOST_DEATHS:
            with self.storage.alone() as still:  # nobody may find it neither running nor waiting
                if self._close(trial._trial_id, TrialState.FAIL, status=DIED):
                    self._again(trial, deaths, still)
            return
        try:
            job = _job(trial, data=False)
        except BenchError:  # who has that version will bury it
            return
        reason = f"its worker was killed {MOST_DEATHS} times (out of memory?)"
        self._record(trial._trial_id, new_lines(job.experiment, job.measures, "failed", reason))

    def _again(self, trial: FrozenTrial, deaths: int, still: Callable[[], None]) -> None:
        """Queue what ``trial``, which is closed, was to run, unless that was done; where ``storage.alone()`` is
        held.
        """
        user = {k: v for k, v in trial.user_attrs.items() if k in _SHOWN}
        system = {k: v for k, v in trial.system_attrs.items() if k in ("job", "expected_s", "limit_s")}

        def choose(queued: list[Queued]) -> list[Trial]:
            later = {q.attributes["experiment"] for q in queued if q.number > trial.number}
            return [] if user["experiment"] in later else [(user, system | {"deaths": deaths})]

        self.storage.add(self.study_id, choose, still)

    @property
    def kind(self) -> str | None:
        """Whether the study holds exploratory experiments or such that tables show; ``None`` before any was queued."""
        return self.study.user_attrs.get("kind")

    def _check_kind(self) -> str:
        """Kind of this process's ledger. Raises ``BenchError`` where the study has the other: exploratory lines enter
        no other ledger.
        """
        here = EXPLORATORY if paths.results() == paths.exploratory() else OFFICIAL
        if (kind := self.kind) not in (None, here):
            raise BenchError(f"study {self.name!r} holds {kind} experiments, this run's are {here}: name another study")
        return here

    def planning(self) -> Any:
        """Held while a parent collects, plans and enqueues: two parents on one ledger do so one after the other."""
        return results_lock("planning")

    def collect(self) -> list[Collected]:
        """Write into the ledger what finished since the last time, each line once, whoever asked for it and wherever it
        ran.

        Done where ``planning()`` is held. Raises ``BenchError`` where the study is of the other kind of ledger.
        """
        self._check_kind()
        taken = self._collected()
        new = [(t, n) for t, n, state in self.storage.states(self.study_id) if state in FINISHED and n not in taken]
        if not new:
            return []
        records = [record for t, _ in new if (record := self._record_of(t))]
        for row in (row for record in records for row in record["environments"]):
            provenance.add(row)
        for name, text in (file for record in records for file in record["series"] or ()):
            store.write(paths.results() / name, text)
        found = [
            Collected(r["lines"][0]["experiment"], tuple(Line(**f) for f in r["lines"]), r["profile"]) for r in records
        ]
        known = {tuple(line.texts()) for line in store.read(only={line.task for c in found for line in c.lines})}
        store.append(line for c in found for line in c.lines if tuple(line.texts()) not in known)
        self.storage.set_study_system_attr(self.study_id, self._collector, _ranges(taken | {n for _, n in new}))
        return found

    def finished(self) -> set[int]:
        """Ids of the trials that have ended."""
        return {t for t, _, state in self.storage.states(self.study_id) if state in FINISHED}

    def failed(self, before: set[int]) -> dict[str, str]:
        """What ended badly in collected trials that are not in ``before``, whoever collected them: experiment ->
        reason. ``before`` learns them. What has ended since the last ``collect`` is told after the next one: the ledger
        has the lines of all that is told.
        """
        taken = self._collected()
        new = {t for t, n, state in self.storage.states(self.study_id) if state in FINISHED and n in taken} - before
        before |= new
        found = {}
        for trial in new:
            lines = [Line(**fields) for fields in (self._record_of(trial) or {"lines": []})["lines"]]
            for line in lines:
                if line.status not in ("ok", "not applicable", "preempted"):
                    found[line.experiment] = f"{line.status}: {line.error}"
                    break
        return found

    def _record_of(self, trial_id: int) -> dict[str, Any] | None:
        """What came out of a finished trial; nothing of one whose worker was given up in the moment in which it
        recorded: it runs again.
        """
        trial = self.storage.get_trial(trial_id)
        given_up = trial.state == TrialState.FAIL and trial.user_attrs.get("status") == DIED
        return None if given_up else trial.system_attrs.get("record")

    @property
    def _collector(self) -> str:
        return f"collected by {socket.gethostname()}-{folder_key(store.folder())}"

    def _collected(self) -> set[int]:
        """Numbers of the trials that this ledger has had the records of."""
        runs = self.storage.get_study_system_attrs(self.study_id).get(self._collector, [])
        return {n for first, last in runs for n in range(first, last + 1)}

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self.storage.get_all_trials(self.study_id, deepcopy=False, states=states)


def _open(trial: Queued, taken: set[int]) -> bool:
    """Whether it waits or runs, or has a record that is not among those ``taken``."""
    recorded = trial.state == TrialState.COMPLETE or trial.attributes.get("status") not in AGAIN
    return not trial.state.is_finished() or (trial.number not in taken and recorded)


def _deaths(trial: FrozenTrial) -> int:
    """Of workers over this experiment, before this trial."""
    return int(trial.system_attrs.get("deaths", 0))


def _series(job: Job, lines: list[Line]) -> list[list[str]]:
    """[path below results, text] of the curves that the measures left behind."""
    measures = {m.name: m for m in job.measures}
    files = [
        series.path(job.experiment, measures[line.measure], line.protocol) for line in lines if line.status == "ok"
    ]
    return [
        [str(file.relative_to(paths.results())), file.read_text(encoding="utf-8")] for file in files if file.exists()
    ]


def _ranges(numbers: set[int]) -> list[tuple[int, int]]:
    """The numbers as runs [first, last]: what has been collected stays short."""
    runs: list[tuple[int, int]] = []
    for n in sorted(numbers):
        if runs and runs[-1][1] == n - 1:
            runs[-1] = runs[-1][0], n
        else:
            runs.append((n, n))
    return runs


def _worker() -> dict[str, Any]:
    return {"host": here(), "pid": os.getpid(), "home": f"{socket.gethostname()}:{paths.home()}"}


_SHOWN = ("experiment", "task", "model", "seed", "budget", "tables", "settings", "weights", "stays")


def _attributes(job: Job, kept: dict[str, str]) -> dict[str, Any]:
    e = job.experiment
    settings = {"settings": ", ".join(f"{k}={v}" for k, v in e.overrides)} if e.overrides else {}
    shown = {"experiment": e.id, "task": e.task.name, "model": e.model.name, "seed": e.seed, "budget": e.budget}
    weights = (
        {"weights": f"{job.weights_elsewhere} in {kept.get(e.id, 'another home')}"} if job.weights_elsewhere else {}
    )
    return shown | {"tables": " ".join(job.tables)} | settings | weights


def _description(job: Job) -> dict[str, Any]:
    return {"overrides": json.dumps(job.experiment.overrides), "measures": [m.name for m in job.measures]}


def _job(trial: FrozenTrial, data: bool = True) -> Job:
    """What the trial asks for. Raises ``BenchError`` where this checkout, or with ``data`` this host, cannot run it."""
    a, job = trial.user_attrs, trial.system_attrs["job"]
    try:
        overrides = tuple((key, value) for key, value in json.loads(job["overrides"]))
        experiment = Experiment(TASKS[a["task"]], find_model(a["model"]), a["seed"], a["budget"], overrides)
        measures = tuple(MEASURES[name] for name in job["measures"])
    except KeyError as error:
        raise BenchError(f"this checkout has no {error}") from None
    if experiment.id != a["experiment"]:
        raise BenchError(
            f"this checkout would run {experiment.id} ({experiment.versions}), not {a['experiment']}: another version"
        )
    if data and missing(experiment.config["data"]):
        raise BenchError(f"data missing here: {experiment.config['data']}")
    return Job(experiment, measures, tuple(a["tables"].split()))
