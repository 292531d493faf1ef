"""One worker: claims experiments and runs them until nothing waits, it has to stop, or its time is nearly up.

SIGTERM, SIGINT, SIGUSR1 and SIGHUP stop it after its batch: the experiment is recorded as ``preempted`` and queued
again, its last checkpoint stays, and the worker ends with 75. The end of its command stops a worker in the same way.
While a measure is read or data is made no batch ends: then the record is written after ``STUCK_S`` seconds. A worker
that cannot reach the storage for the grace period gives its experiment up, because another host takes it over.
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
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from bench import paths
from bench.errors import BenchError
from bench.ledger import provenance
from bench.ledger.new_lines import new_lines
from sweeps import TOGETHER
from sweeps.addresses import grace, patience
from sweeps.queue import Claim, Queue

if TYPE_CHECKING:
    from lightning_modules.together import Member

PREEMPTED = 75  # EX_TEMPFAIL: the exit code of a process that was stopped and can go on
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
STUCK_S = 20  # the longest time that a worker which has to stop waits for the end of a batch
REPEAT_S = 5.0  # a second signal within this time is the first one again
Send = Callable[..., None]  # sends a message, as keywords, to the command


def _stopped(reason: str) -> str:
    """What the ledger says of an experiment that ``reason``, a signal mostly, has stopped."""
    return f"{reason}; goes on from its last checkpoint"


class ExperimentStopped(SystemExit):
    """Raised out of a running experiment.

    ``status`` is that of the ledger lines; it is empty where the experiment no longer belongs to this worker.
    """

    def __init__(self, status: str, text: str) -> None:
        super().__init__(PREEMPTED)
        self.status = status
        self.text = text


class StopRequest:
    """The first signal that asked this process to stop, if any. A second signal ends the process at once.

    Within ``REPEAT_S`` seconds a second signal is the first one that came by another way: to the process itself, and
    from the command that started it.
    """

    def __init__(self) -> None:
        self.reason = ""  # the signal's name
        self.signal: signal.Signals | None = None
        self.time = 0.0
        self.heartbeats: list[Heartbeat] = []  # of what this process runs
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self._handle)

    def _handle(self, number: int, frame: Any) -> None:
        if self.reason and time.monotonic() - self.time > REPEAT_S:
            os._exit(PREEMPTED)
        if not self.reason:
            self.signal = signal.Signals(number)
        self.set(signal.Signals(number).name)

    def set(self, reason: str) -> None:
        """Ask to stop for ``reason``, as a signal does."""
        if not self.reason:
            self.reason = reason
            self.time = time.monotonic()


class Heartbeat(threading.Thread):
    """Sends the heartbeats of a claimed trial, keeps its time limit, and stops its training.

    The training calls ``check`` after every batch.
    """

    def __init__(self, queue: Queue, claim: Claim, stop_request: StopRequest) -> None:
        super().__init__(daemon=True)
        self.queue = queue
        self.claim = claim
        self.stop_request = stop_request
        self.started_at = self.last_beat = time.monotonic()
        self.ended = threading.Event()  # the experiment has ended
        self.lost = False  # the trial belongs to another worker
        self.position = ""  # "epoch 3/8"
        self.sent_position = ""
        stop_request.heartbeats.append(self)

    def run(self) -> None:
        due = time.monotonic() + self._interval()
        while not self.ended.wait(min(1.0, self._interval())):
            self._end_over_limit()
            self._end_if_stuck()
            if time.monotonic() < due:
                continue
            due = time.monotonic() + self._interval()
            with suppress(Exception):  # the storage is away: try again
                position = self.position
                if not self.queue.heartbeat(self.claim, position if position != self.sent_position else ""):
                    self.lost = True
                    return
                self.last_beat = time.monotonic()
                self.sent_position = position

    def _interval(self) -> float:
        interval = max(0.5, grace() / 4)
        return interval if self.claim.limit_s is None else min(interval, max(0.5, self.claim.limit_s / 4))

    def _end_over_limit(self) -> None:
        """End a process that is stuck within one batch, where ``check`` cannot stop it."""
        limit = self.claim.limit_s
        if limit is not None and time.monotonic() - self.started_at > 2 * limit + 60:
            self._end_process("timeout", f"stuck for more than twice {limit:.0f} s", 1)

    def _end_if_stuck(self) -> None:
        """End a process that has to stop and has come to no end of a batch since."""
        if self.stop_request.reason and time.monotonic() - self.stop_request.time > STUCK_S:
            activity = "while a measure was read or data was made"
            reason = f"{self.stop_request.reason}, {activity}; goes on from what is saved"
            self._end_process("preempted", reason, PREEMPTED)

    def _end_process(self, status: str, reason: str, code: int) -> None:
        """Record what this process runs, one experiment or several that are trained together, and end it."""
        for heartbeat in self.stop_request.heartbeats:
            job = heartbeat.claim.job
            with suppress(Exception):  # the storage is away: it looks like a death then
                self.queue.finish(heartbeat.claim, new_lines(job.experiment, job.measures, status, reason))
        os._exit(code)

    def check(self) -> None:
        """Raises ``ExperimentStopped`` where the training must not go on."""
        now = time.monotonic()
        if self.stop_request.reason:
            raise ExperimentStopped("preempted", _stopped(self.stop_request.reason))
        if self.claim.limit_s is not None and now - self.started_at > self.claim.limit_s:
            raise ExperimentStopped("timeout", f"more than {self.claim.limit_s:.0f} s")
        if self.lost or now - self.last_beat > grace():
            raise ExperimentStopped("", "the storage was away for too long, or another worker has taken over")


def silence_lightning() -> None:
    """Hide Lightning's banners and warnings, which repeat for every training.

    Call it after the import of Lightning, which sets the level of its logger.
    """
    for package in ("pytorch_lightning", "lightning_fabric"):  # the latter wants `srun` where Slurm is installed
        warnings.filterwarnings("ignore", module=package)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)


def work(
    queue: Queue,
    threads: int = 1,
    *,
    send: Send = lambda **_: None,
    until: float = float("inf"),
    linger: float = 0.0,
    limit: int | None = None,
    together: int = TOGETHER,
    workers: int = 1,
    stop_request: StopRequest | None = None,
) -> int:
    """Claim and run until nothing waits for ``linger`` seconds, ``until`` (``time.time()``) comes near, or ``limit``
    experiments have run. A card trains up to ``together`` experiments of one form in one launch, but no more than
    the share of one of ``workers``.

    0, or 75 where a signal stopped it. Raises ``BenchError`` when the storage stays away.
    """
    provenance.git()  # the commit of the code that is loaded now
    stop_request = stop_request or StopRequest()
    idle_since = time.monotonic()
    runs = 0
    while not stop_request.reason and (limit is None or runs < limit):
        if time.time() > until - 10:
            return 0
        claim = queue.claim(until - time.time())
        if claim is not None:
            others = together - 1 if limit is None else min(together, limit - runs) - 1
            claims = claim_together(queue, claim, others, until - time.time(), workers)
            run_claims(queue, claims, threads, stop_request, send)
            idle_since = time.monotonic()
            runs += len(claims)
        elif time.monotonic() - idle_since < linger:
            time.sleep(min(1.0, linger))
        else:
            return 0
    return PREEMPTED if stop_request.reason else 0


def claim_together(queue: Queue, claim: Claim, others: int, left_s: float, workers: int) -> list[Claim]:
    """``claim``, and where this machine can train them in one launch up to ``others`` more of its form that wait."""
    if others < 1:
        return [claim]
    from bench.training import run  # torch is loaded only where something is trained

    alike = queue.claim_alike(claim, others, left_s, workers) if run.together(claim.job.experiment) else []
    return [claim, *alike]


def run_claims(
    queue: Queue, claims: Sequence[Claim], threads: int, stop_request: StopRequest, send: Send = lambda **_: None
) -> None:
    """Run a claimed experiment, or several of one form together, and hand all lines to the storage."""
    heartbeats = [Heartbeat(queue, claim, stop_request) for claim in claims]
    for heartbeat in heartbeats:  # of all at once: others would take over what waits for its turn here
        heartbeat.start()
    if len(claims) == 1:
        run_claim(heartbeats[0], threads, send)
        return
    from lightning_modules.together import Group

    Group(len(claims)).run([partial(run_claim, heartbeat, threads, send) for heartbeat in heartbeats])


def run_claim(heartbeat: Heartbeat, threads: int, send: Send, member: Member | None = None) -> None:
    """Run the claimed experiment of ``heartbeat``, alone or as ``member`` of a group, and hand its lines to the
    storage, whatever their status.
    """
    queue = heartbeat.queue
    claim = heartbeat.claim
    stop_request = heartbeat.stop_request
    job = claim.job
    experiment = job.experiment
    send(start=experiment.id)
    from bench.report.compared import compared, places
    from bench.training import run, trained

    silence_lightning()

    def report(progress: dict[str, Any]) -> None:
        heartbeat.position = f"epoch {progress.get('epoch', 0)}/{progress.get('epochs', 0)}"
        send(progress=experiment.id, **progress)

    profile: dict[str, Any] | None = None
    try:
        lines, measured = run.run(
            experiment,
            job.measures,
            threads,
            report,
            heartbeat.check,
            context=places(experiment.task, experiment.model),
            compare=partial(compared, experiment),
            member=member,
        )
        profile = vars(measured) | {"outside": measured.outside}
    except ExperimentStopped as stop:
        lines = new_lines(experiment, job.measures, stop.status, stop.text) if stop.status else []
    except (KeyboardInterrupt, SystemExit):  # Lightning's own way of stopping
        lines = new_lines(experiment, job.measures, "preempted", _stopped(stop_request.reason or "interrupted"))
    finally:
        heartbeat.ended.set()
        heartbeat.join()  # a record that it writes comes before what follows
        stop_request.heartbeats.remove(heartbeat)
    if lines:
        queue.finish(claim, lines, profile)
        if profile:
            trained.readings(experiment).unlink(missing_ok=True)  # the storage has them
    claim.lock.close()
    send(done=experiment.id)


class _NoteSender(logging.Handler):
    """Sends what is logged to the command: a worker's own output is deleted when all went well."""

    def __init__(self, send: Send) -> None:
        super().__init__()
        self.send = send

    def emit(self, record: logging.LogRecord) -> None:
        self.send(note=record.getMessage())


def main(queue: dict[str, Any], threads: int, pipe: Any, gpu: str | None, options: dict[str, Any]) -> None:
    """A worker process of a pool. Messages go to ``pipe``, other output to a log that is deleted when all went well."""
    stop_request = StopRequest()
    os.setsid()  # Ctrl-C in a terminal goes to the command, which then stops its workers
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    log = paths.home() / "logs" / f"worker-{os.getpid()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(handle, 1)
    os.dup2(handle, 2)

    def send(**message: Any) -> None:
        try:
            pipe.send(message)
        except OSError:  # stop: nobody would see what this process computes
            stop_request.set("the command that started it is gone")

    for package in ("bench", "datamodules", "lightning_modules"):
        logging.getLogger(package).addHandler(_NoteSender(send))
    logging.getLogger("lightning_modules.scan.kernels").setLevel(logging.INFO)  # says that it compiles
    try:
        opened = Queue(**queue, wait=patience())
        code = work(opened, threads, send=send, stop_request=stop_request, **options)
        send(refused=opened.refusals)
    except BenchError as error:
        send(fatal=str(error))
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        send(fatal=f"a worker stopped unexpectedly; see {log}")
        sys.exit(1)
    log.unlink(missing_ok=True)
    sys.exit(code)
