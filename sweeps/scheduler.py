"""Run all that a plan lacks: queue, worker processes, progress. Used by ``python -m bench run`` and ``python -m sweeps
table``.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from bench import paths
from bench.errors import BenchError
from bench.ledger import store
from bench.plan import Job, Plan, expected_times
from bench.training import wandb_mode
from sweeps import TOGETHER
from sweeps.addresses import is_default
from sweeps.collecting import collect, finished_trials, new_failures
from sweeps.pool import Pool
from sweeps.progress import Progress
from sweeps.queue import Queue
from sweeps.worker import SIGNALS, StopRequest

NEEDED_MB = 200
SKEW_S = 60  # difference between this host's clock and the storage's from which on there is a warning
REPLAN_S = 2.0  # between two plans where nothing has ended
QUICK_S = 0.5  # a plan that takes less is made whenever an experiment ends …
REPLAN_TIMES = 20  # … after another there is a pause, times its length: planning takes 5 % of a core at most
Launch = Callable[[Queue, int], Callable[[], bool]]


@dataclass(frozen=True)
class Options:
    """Which queue a run uses, and how.

    ``limit_s``: seconds an experiment may take. ``stop_after_s``: seconds after which the run stops as after a signal.
    ``detach``: come back once all is queued. ``launch`` is called with the queue and the number of experiments instead
    of starting workers here. It gives a function that tells whether its workers are there (those of a cluster, say).
    """

    storage: str | None = None
    study: str | None = None
    limit_s: float | None = None
    detach: bool = False
    launch: Launch | None = None
    stop_after_s: float | None = None
    together: int = TOGETHER


@dataclass
class Outcome:
    """What a run gave: failures (experiment id -> reason), the profile of each experiment, and the signal that ended it
    early.
    """

    failed: dict[str, str] = field(default_factory=dict)
    profiles: list[dict[str, Any]] = field(default_factory=list)
    stopped: str = ""


def preflight() -> None:
    """Fail before anything is trained if results cannot be written. Raises ``BenchError``."""
    for folder in (paths.results(), paths.home()):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
            free = shutil.disk_usage(folder).free / 2**20
        except OSError as error:
            raise BenchError(
                f"cannot write to {folder} ({error.strerror}): nothing was trained; set BENCH_RESULTS or BENCH_HOME"
            ) from None
        if free < NEEDED_MB:
            raise BenchError(f"{folder}: {free:.0f} MB free, {NEEDED_MB} MB needed: nothing was trained")


@contextmanager
def _signals_restored() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def run(replan: Callable[[], Plan], workers: int, threads: int, options: Options | None = None) -> Outcome:
    """Run what ``replan()`` says is missing, with ``workers`` processes of ``threads`` threads, until it is finished or
    has failed once.

    Other runs and workers on the same storage share the queue: this run waits for what they have taken. A signal
    (Ctrl-C, SIGTERM, SIGUSR1) stops the workers, whose experiments are recorded as preempted, and withdraws what still
    waits. Raises ``BenchError`` when results cannot be written or the storage stays away.
    """
    preflight()
    print(wandb_mode.settle(), file=sys.stderr)
    with _signals_restored():
        return Scheduler(replan, workers, threads, options or Options()).run()


class Cluster:
    """Workers that ``launch`` starts elsewhere. Without ``launch`` there are none."""

    def __init__(self, launch: Launch | None) -> None:
        self.launch = launch
        self.launched = False
        self.collected = 0  # records since the last launch
        self.is_working: Callable[[], bool] = lambda: False

    def relaunch(self, queue: Queue, experiments: int) -> None:
        """Start workers again. Raises ``BenchError`` where the last ones ended without a single record."""
        assert self.launch is not None
        if self.launched and not self.collected:
            raise BenchError("all workers ended and none has come anywhere: see their logs")
        self.launched = True
        self.collected = 0
        self.is_working = self.launch(queue, experiments)


class Scheduler:
    """One run: plans, queues, starts workers and collects, until nothing is left."""

    def __init__(self, replan: Callable[[], Plan], workers: int, threads: int, options: Options) -> None:
        self.replan = replan
        self.options = options
        # asked between two steps: a transaction that a signal breaks off can stay open, and its workers wait for it
        self.stop_request = StopRequest()
        self.queue = Queue(options.storage, options.study)
        local = 0 if options.launch or options.detach else workers
        place = {"address": self.queue.address, "study": self.queue.name}
        self.pool = Pool(place, local, threads, {"together": self.options.together})
        self.cluster = Cluster(options.launch)
        self.progress: Progress | None = None
        self.outcome = Outcome()
        self.wanted: set[str] = set()  # experiments that this run has planned
        self.queued: set[str] = set()  # … and those that it has queued itself
        self.known_trials = finished_trials(self.queue)  # their failures belong to earlier runs
        self.seconds: dict[str, float | None] = {}  # expected time of each planned experiment
        self.plan_due = 0.0  # time.monotonic() of the next plan …
        self.plan_soonest = 0.0  # … and of one because an experiment has ended
        self.fatal = ""  # why a worker cannot work at all
        self.refused: dict[str, str] = {}  # experiments that a worker of this run cannot run -> the reason
        self.reported_waiting = False

    def run(self) -> Outcome:
        started = time.monotonic()
        limit = self.options.stop_after_s
        try:
            self._check_clock()
            while not self.stop_request.reason:
                if limit is not None and time.monotonic() - started > limit:
                    self.stop_request.set(f"--seconds {limit:g}")
                    break
                if time.monotonic() > self.plan_due and not self._plan():
                    break
                for message in self.pool.messages(1.0):
                    if self.stop_request.reason:
                        break
                    self._receive(message)
        finally:
            self._end()
        return self.outcome

    def _check_clock(self) -> None:
        skew = self.queue.storage.skew()
        if abs(skew) > SKEW_S:
            print(
                f"warning: this host's clock is {skew:+.0f} s from the storage's: times in the ledger will not agree",
                file=sys.stderr,
            )

    def _plan(self) -> bool:
        """Collect, plan, queue and start workers; whether there is anything to wait for."""
        started = time.monotonic()
        working = self.cluster.is_working()  # before collecting: then the last record of the last worker is collected
        jobs = self._collect_and_enqueue()
        ended = time.monotonic()
        seconds = ended - started
        self.plan_soonest = ended + (REPLAN_TIMES * seconds if seconds > QUICK_S else 0.0)
        self.plan_due = max(ended + REPLAN_S, self.plan_soonest)
        if not jobs:
            return False
        reasons = [self.refused.get(job.experiment.id, "") for job in jobs]
        if all(reasons) and is_default(self.queue.address):  # nobody else can run them
            raise BenchError(reasons[0])
        if self.fatal:
            raise BenchError(self.fatal)
        if self.options.launch is not None and not working:
            self.cluster.relaunch(self.queue, len(jobs))
        if self.options.detach:
            return False
        self.queue.reap()
        self.pool.fill(len(self.queue.storage.waiting(self.queue.study_id)) + len(self.pool))
        if not len(self.pool) and not self.reported_waiting:
            print(f"waiting for {len(jobs)} experiments that others are working on", file=sys.stderr)
            self.reported_waiting = True
        return True

    def _collect_and_enqueue(self) -> list[Job]:
        """The jobs that are missing now and have not failed in this run; all of them are in the queue."""
        with self.queue.planning():
            self._collect()
            jobs = list(self.replan().jobs)
            self.wanted |= {job.experiment.id for job in jobs}
            jobs = [job for job in jobs if job.experiment.id not in self.outcome.failed]
            if jobs:
                if new := [job for job in jobs if job.experiment.id not in self.seconds]:
                    times = expected_times(store.read())
                    self.seconds |= {job.experiment.id: times.job(job) for job in new}
                self.progress = self.progress or _progress(jobs, self.seconds)
                timed = ((job, self.seconds[job.experiment.id]) for job in jobs)
                self.queued |= set(self.queue.enqueue(timed, self.options.limit_s, self.options.detach))
        return jobs

    def _collect(self) -> None:
        """Collect, show what ended and note what failed."""
        records = collect(self.queue)
        self.cluster.collected += len(records)
        for record in records:
            if self.progress is not None:
                self.progress.finish(record.experiment, record.lines)
            if record.profile:
                self.outcome.profiles.append({"experiment": record.experiment, **record.profile})
        self.outcome.failed |= new_failures(self.queue, self.known_trials)

    def _receive(self, message: dict[str, Any]) -> None:
        if "ended" in message:
            if message["ended"] < 0:
                print(f"a worker ended with {signal.Signals(-message['ended']).name}", file=sys.stderr)
            self.plan_due = 0.0
        elif "fatal" in message:
            self.fatal = message["fatal"]
            self.plan_due = 0.0
        elif "refused" in message:
            self.refused |= message["refused"]
        elif "done" in message:
            self.plan_due = self.plan_soonest
        elif self.progress is None:
            if "note" in message:
                print(message["note"], file=sys.stderr)
        elif "note" in message:
            self.progress.write(message["note"])
        elif "start" in message:
            self.progress.start(message["start"])
        else:
            self.progress.update(message.pop("progress"), **message)

    def _end(self) -> None:
        """Stop the workers; after a signal or an error withdraw what waits, and collect what the workers recorded."""
        self.pool.stop(self.stop_request.signal or signal.SIGTERM)
        self.outcome.stopped = self.stop_request.reason
        if self.progress is not None:
            self.progress.stopped = bool(self.outcome.stopped)
        if self.outcome.stopped or sys.exc_info()[0] is not None:
            self.queue.reap(force=True)  # the experiments of workers that did not stop are withdrawn as well
            self.queue.withdraw(self.queued)
            with self.queue.planning():
                self._collect()
        self.outcome.failed = {e: reason for e, reason in self.outcome.failed.items() if e in self.wanted}
        if self.progress is not None:
            self.progress.close()


def _progress(jobs: list[Job], seconds: dict[str, float | None]) -> Progress:
    known = [s for s in seconds.values() if s]
    usual = fmean(known) if known else 1.0
    return Progress({j.experiment.id: str(j.experiment) for j in jobs}, {i: s or usual for i, s in seconds.items()})
