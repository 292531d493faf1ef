"""One worker: claims experiments and runs them until nothing waits, it is told to stop, or its time is nearly up.

SIGTERM, SIGINT, SIGUSR1 and SIGHUP stop it after the batch it is in: the experiment is recorded as ``preempted`` and
queued again, its last checkpoint stays, and the worker ends with 75. So does one whose command is gone. Where no batch
ends, while a measure is read or data is made, that is recorded after ``STUCK`` seconds. A worker that cannot reach the
storage for the whole grace gives its experiment up, because another host will have taken it over by then.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bench import paths
from bench.errors import BenchError
from bench.ledger import provenance
from bench.ledger.new_lines import new_lines
from sweeps.queue import Claim, Queue
from sweeps.storage import grace, patience

PREEMPTED = 75  # EX_TEMPFAIL: stopped, to be gone on with
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
STUCK = 20  # seconds that a worker which was told to stop waits for the end of a batch
SAME = 5.0  # seconds within which a second signal is the first one again
Say = Callable[..., None]


class Stop(SystemExit):
    """Raised out of a running experiment: ``status`` as in the ledger, empty where the experiment is no longer this
    worker's.
    """

    def __init__(self, status: str, text: str) -> None:
        super().__init__(PREEMPTED)
        self.status, self.text = status, text


class Told:
    """Which signal, if any, has asked this process to stop. A second one ends it at once, but within ``SAME`` seconds
    it is the same one, that came by two ways (to the process and through the command that started it).
    """

    def __init__(self) -> None:
        self.signal, self.at = "", 0.0
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self._note)

    def _note(self, number: int, frame: Any) -> None:
        if self.signal and time.monotonic() - self.at > SAME:
            os._exit(PREEMPTED)
        self.stop(signal.Signals(number).name)

    def stop(self, why: str) -> None:
        """As a signal would."""
        if not self.signal:
            self.signal, self.at = why, time.monotonic()


class Watch(threading.Thread):
    """Beats for a claimed trial, keeps its time limit, and tells the training when to stop (``check``, called after
    every batch).
    """

    def __init__(self, queue: Queue, claim: Claim, told: Told) -> None:
        super().__init__(daemon=True)
        self.queue, self.claim, self.told = queue, claim, told
        self.begun = self.beaten = time.monotonic()
        self.over = threading.Event()
        self.lost = False
        self.place = self.shown = ""

    def run(self) -> None:
        due = time.monotonic() + self._pause()
        while not self.over.wait(min(1.0, self._pause())):
            self._limit()
            self._stuck()
            if time.monotonic() < due:
                continue
            due = time.monotonic() + self._pause()
            with suppress(Exception):  # the storage is away: try again
                if not self.queue.beat(self.claim, self.place if self.place != self.shown else ""):
                    self.lost = True
                    return
                self.beaten, self.shown = time.monotonic(), self.place

    def _pause(self) -> float:
        pause = max(0.5, grace() / 4)
        return pause if self.claim.limit_s is None else min(pause, max(0.5, self.claim.limit_s / 4))

    def _limit(self) -> None:
        """End a process that is stuck within one batch and so cannot be told that its time is over."""
        limit = self.claim.limit_s
        if limit is not None and time.monotonic() - self.begun > 2 * limit + 60:
            job = self.claim.job
            self.queue.finish(
                self.claim,
                new_lines(job.experiment, job.measures, "timeout", f"stuck for more than twice {limit:.0f} s"),
            )
            os._exit(1)

    def _stuck(self) -> None:
        """End a process that was told to stop and has come to no end of a batch since."""
        if self.told.signal and time.monotonic() - self.told.at > STUCK:
            job = self.claim.job
            reason = f"{self.told.signal}, while a measure was read or data was made; goes on from what is saved"
            with suppress(Exception):  # the storage is away: it looks like a death then
                self.queue.finish(self.claim, new_lines(job.experiment, job.measures, "preempted", reason))
            os._exit(PREEMPTED)

    def check(self) -> None:
        """Raises ``Stop`` where the training must not go on."""
        now = time.monotonic()
        if self.told.signal:
            raise Stop("preempted", f"{self.told.signal}; goes on from its last checkpoint")
        if self.claim.limit_s is not None and now - self.begun > self.claim.limit_s:
            raise Stop("timeout", f"more than {self.claim.limit_s:.0f} s")
        if self.lost or now - self.beaten > grace():
            raise Stop("", "the storage was away for too long, or another worker has taken over")


def work(
    queue: Queue,
    threads: int = 1,
    *,
    say: Say = lambda **_: None,
    until: float = float("inf"),
    linger: float = 0.0,
    most: int | None = None,
    told: Told | None = None,
) -> int:
    """Claim and run until nothing waits for ``linger`` seconds, ``until`` (``time.time()``) comes near, or ``most`` are
    done.

    0, or 75 where a signal said to stop. Raises ``BenchError`` when the storage stays away.
    """
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    provenance.git()  # the commit of the code that is loaded now
    told, idle, done = told or Told(), time.monotonic(), 0
    while not told.signal and (most is None or done < most):
        if time.time() > until - 10:
            return 0
        claim = queue.claim(until - time.time())
        if claim is not None:
            perform(queue, claim, threads, told, say)
            idle, done = time.monotonic(), done + 1
        elif time.monotonic() - idle < linger:
            time.sleep(min(1.0, linger))
        else:
            return 0
    return PREEMPTED if told.signal else 0


def perform(queue: Queue, claim: Claim, threads: int, told: Told, say: Say = lambda **_: None) -> None:
    """Run a claimed experiment and hand its lines to the storage, whatever they say."""
    job, experiment = claim.job, claim.job.experiment
    say(start=experiment.id)
    from bench.training import run, trained  # torch is loaded only where something is trained

    watch = Watch(queue, claim, told)

    def report(progress: dict[str, Any]) -> None:
        watch.place = f"epoch {progress.get('epoch', 0)}/{progress.get('epochs', 0)}"
        say(progress=experiment.id, **progress)

    watch.start()
    profile: dict[str, Any] | None = None
    try:
        lines, measured = run.run(experiment, job.measures, threads, report, watch.check)
        profile = vars(measured) | {"outside": measured.outside}
    except Stop as stop:
        lines = new_lines(experiment, job.measures, stop.status, stop.text) if stop.status else []
    except (KeyboardInterrupt, SystemExit):  # Lightning's own way of stopping
        lines = new_lines(experiment, job.measures, "preempted", told.signal or "interrupted")
    finally:
        watch.over.set()
        watch.join()  # what it may be recording comes before what follows, not into it
    if lines:
        queue.finish(claim, lines, profile)
        if profile:
            trained.readings(experiment).unlink(missing_ok=True)  # they are handed in
    claim.held.close()
    say(done=experiment.id)


class _Told(logging.Handler):
    """Says warnings to the parent: a worker's own output is deleted when all went well."""

    def __init__(self, say: Say) -> None:
        super().__init__(logging.WARNING)
        self.say = say

    def emit(self, record: logging.LogRecord) -> None:
        self.say(note=record.getMessage())


def main(queue: dict[str, Any], threads: int, mailbox: Any, gpu: str | None, options: dict[str, Any]) -> None:
    """A worker process of a pool: messages go to ``mailbox``, everything else to a log that is deleted when all went
    well.
    """
    os.setsid()  # Ctrl-C in a terminal is for the parent, which then tells its workers
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    log = paths.home() / "logs" / f"worker-{os.getpid()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)

    told = Told()

    def say(**message: Any) -> None:
        try:
            mailbox.send(message)
        except OSError:  # stop, so that nobody computes unseen
            told.stop("the command that started it is gone")

    for package in ("bench", "datamodules"):
        logging.getLogger(package).addHandler(_Told(say))
    try:
        code = work(Queue(**queue, wait=patience()), threads, say=say, told=told, **options)
    except BenchError as error:
        say(fatal=str(error))
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        say(fatal=f"a worker stopped unexpectedly; see {log}")
        sys.exit(1)
    log.unlink(missing_ok=True)
    sys.exit(code)
