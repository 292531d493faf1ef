"""Run all that a plan lacks: queue, worker processes, progress. Used by ``python -m bench run`` and ``python -m sweeps
table``.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from bench import paths
from bench.errors import BenchError
from bench.ledger import store
from bench.plan import Job, Plan, expected_times
from sweeps import storage as storages
from sweeps.pool import Pool
from sweeps.progress import Progress
from sweeps.queue import Queue
from sweeps.worker import SIGNALS, Told

NEEDED_MB = 200
SKEW_S = 60  # between this host's clock and the storage's, from which on it is said


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


def _nobody() -> bool:
    return False


def collect(storage: str | None = None, study: str | None = None, **_: Any) -> int:
    """Write into the ledger what earlier runs and other hosts' workers have finished; the number of experiments."""
    if storages.is_default(storages.address(storage)) and not (paths.home() / "queue.db").exists():
        return 0
    queue = Queue(storage, study)
    with queue.planning():
        return len(queue.collect())


def run(
    replan: Callable[[], Plan],
    workers: int,
    threads: int,
    *,
    storage: str | None = None,
    study: str | None = None,
    limit_s: float | None = None,
    detach: bool = False,
    launch: Callable[[Queue, int], Callable[[], bool]] | None = None,
) -> Outcome:
    """Run what ``replan()`` says is missing, with ``workers`` processes of ``threads`` threads, until it is finished or
    has failed once.

    Other runs and workers on the same storage share the queue: what they have taken is waited for. ``limit_s``: seconds
    an experiment may take. ``launch`` is called with the queue and the number of experiments instead of starting
    workers here, and gives a function that says whether its workers are there (a cluster's, say). ``detach`` comes back
    once all is queued. A signal (Ctrl-C, SIGTERM, SIGUSR1) stops the workers, whose experiments are recorded as
    preempted, and takes back what still waits. Raises ``BenchError`` when results cannot be written or the storage
    stays away.
    """
    preflight()
    outcome, wanted, own = Outcome(), set[str](), set[str]()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    stop = (
        Told()
    )  # asked between two steps: a transaction that a signal breaks off can stay open, and its workers wait for it
    queue = Queue(storage, study)
    pool = Pool({"address": queue.address, "study": queue.name}, 0 if launch or detach else workers, threads)
    progress: Progress | None = None
    ended = queue.finished()
    try:
        if abs(skew := queue.storage.skew()) > SKEW_S:
            print(
                f"warning: this host's clock is {skew:+.0f} s from the storage's: times in the ledger will not agree",
                file=sys.stderr,
            )
        told, planned, fatal = False, 0.0, ""
        launched, got, alive = False, 0, _nobody
        while not stop.signal:
            if time.monotonic() - planned > 2.0:
                working = alive()  # asked first: what the last one did is collected then
                with queue.planning():
                    got += _collect(queue, ended, outcome, progress)
                    jobs = list(replan().jobs)
                    wanted |= {j.experiment.id for j in jobs}
                    jobs = [j for j in jobs if j.experiment.id not in outcome.failed]
                    if jobs:
                        seconds = _expected(jobs)
                        progress = progress or _progress(jobs, seconds)
                        own |= set(queue.enqueue(((j, seconds[j.experiment.id]) for j in jobs), limit_s, stays=detach))
                planned = time.monotonic()
                if not jobs:
                    break
                if fatal:
                    raise BenchError(fatal)
                if launch is not None and not working:
                    if launched and not got:
                        raise BenchError("all workers ended and none has come anywhere: see their logs")
                    launched, got, alive = True, 0, launch(queue, len(jobs))
                if detach:
                    break
                queue.reap()
                pool.fill(len(queue.storage.waiting(queue.study_id)) + len(pool))
                if not len(pool) and not told:
                    print(f"waiting for {len(jobs)} experiments that others are working on", file=sys.stderr)
                    told = True
            for message in pool.messages(1.0):
                if "ended" in message:
                    if message["ended"] < 0:
                        print(f"a worker ended with {signal.Signals(-message['ended']).name}", file=sys.stderr)
                    planned = 0.0
                elif "fatal" in message:
                    fatal, planned = message["fatal"], 0.0
                elif "done" in message:
                    planned = 0.0
                elif "note" in message:
                    print(message["note"], file=sys.stderr) if progress is None else progress.note(message["note"])
                elif progress is not None:
                    _show(progress, message)
    finally:
        pool.stop()
        outcome.stopped = stop.signal
        if outcome.stopped or sys.exc_info()[0] is not None:
            queue.reaped = 0.0
            queue.reap()  # what workers had that did not stop is taken back as well
            queue.clear(own)
            with queue.planning():
                _collect(queue, ended, outcome, progress)
        outcome.failed = {e: reason for e, reason in outcome.failed.items() if e in wanted}
        if progress is not None:
            progress.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    return outcome


def _show(progress: Progress, message: dict[str, Any]) -> None:
    if "start" in message:
        progress.start(message["start"])
    else:
        progress.update(message.pop("progress"), **message)


def _collect(queue: Queue, ended: set[int], outcome: Outcome, progress: Progress | None) -> int:
    """Collect and note what finished and, of the trials that are not in ``ended``, what failed; how many were
    collected.
    """
    collected = queue.collect()
    for one in collected:
        if progress is not None:
            first = one.lines[0]
            progress.finish(one.experiment, first.status, first.error, first.value, first.unit, first.wall_s)
        if one.profile:
            outcome.profiles.append({"experiment": one.experiment, **one.profile})
    outcome.failed |= queue.failed(ended)
    return len(collected)


def _expected(jobs: list[Job]) -> dict[str, float | None]:
    times = expected_times(store.read())
    return {j.experiment.id: times.job(j) for j in jobs}


def _progress(jobs: list[Job], seconds: dict[str, float | None]) -> Progress:
    known = [s for s in seconds.values() if s]
    usual = fmean(known) if known else 1.0
    return Progress({j.experiment.id: str(j.experiment) for j in jobs}, {i: s or usual for i, s in seconds.items()})
