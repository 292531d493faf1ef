"""Run all that a plan lacks: queue, worker processes, progress. Used by ``python -m bench run``."""

from __future__ import annotations

import json
import os
import queue as queues
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from statistics import fmean
from typing import Any

from bench import ledger, paths
from bench.errors import BenchError
from bench.lines import lines as lines_of
from bench.plan import Job, Plan, expected_seconds
from sweeps.progress import Progress
from sweeps.queue import Queue

NEEDED_MB = 200
MOST_DEATHS = 3  # of workers over one experiment, before it counts as failed


def preflight() -> None:
    """Fail before anything is trained if results cannot be written. Raises ``BenchError``."""
    for folder in (paths.results(), paths.home()):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
            free = shutil.disk_usage(folder).free / 2**20
        except OSError as error:
            raise BenchError(f"cannot write to {folder} ({error.strerror}): nothing was trained; set BENCH_RESULTS or BENCH_HOME") from None
        if free < NEEDED_MB:
            raise BenchError(f"{folder}: {free:.0f} MB free, {NEEDED_MB} MB needed: nothing was trained")


def run(replan: Callable[[], Plan], workers: int, threads: int) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Run what ``replan()`` says is missing, with ``workers`` processes of ``threads`` threads, until it is finished or has failed once.

    Other runs on the same ledger share the queue: what they have taken is waited for. Gives failures (experiment id -> reason) and the
    profile of each experiment run here. Raises ``BenchError`` when results cannot be written, ``KeyboardInterrupt`` on Ctrl-C.
    """
    preflight()
    failed: dict[str, str] = {}
    profiles: list[dict[str, Any]] = []
    deaths: Counter[str] = Counter()
    queue = Queue()
    progress: Progress | None = None
    told = False
    try:
        while jobs := [j for j in replan().jobs if j.experiment.id not in failed]:
            lines = ledger.read({j.experiment.task.name for j in jobs})
            seconds = {j.experiment.id: expected_seconds(j, lines) for j in jobs}
            if progress is None:
                progress = _progress(jobs, seconds)
            if queue.enqueue((job, seconds[job.experiment.id]) for job in jobs):
                _round(min(workers, len(jobs)), threads, progress, failed, profiles, deaths)
                for job in jobs:
                    if deaths[job.experiment.id] >= MOST_DEATHS and job.experiment.id not in failed:
                        failed[job.experiment.id] = reason = f"its worker was killed {MOST_DEATHS} times (out of memory?)"
                        ledger.append(lines_of(job.experiment, job.measures, "failed", reason))
            else:
                if not told:
                    print(f"waiting for {len(jobs)} experiments that another run is working on", file=sys.stderr)
                told = True
                time.sleep(1.0)
    except BaseException:
        queue.clear()
        raise
    finally:
        if progress is not None:
            progress.close()
    return failed, profiles


def _progress(jobs: list[Job], seconds: dict[str, float | None]) -> Progress:
    known = [s for s in seconds.values() if s]
    usual = fmean(known) if known else 1.0
    return Progress({j.experiment.id: str(j.experiment) for j in jobs}, {i: s or usual for i, s in seconds.items()})


def _round(
    workers: int, threads: int, progress: Progress, failed: dict[str, str], profiles: list[dict[str, Any]], deaths: Counter[str]
) -> None:
    """Start ``workers`` and follow their messages until all have ended; ``deaths`` counts experiments whose worker did not end well."""
    inbox: queues.SimpleQueue = queues.SimpleQueue()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join([str(paths.ROOT), *sys.path])}
    command = [sys.executable, "-m", "sweeps.worker", str(threads)]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environment, start_new_session=True)
        for _ in range(workers)
    ]

    def listen(process: subprocess.Popen) -> None:
        assert process.stdout is not None
        during = ""
        for row in process.stdout:
            message = json.loads(row)
            during = message.get("start", "" if "done" in message else during)
            inbox.put(message)
        inbox.put({"ended": process.wait(), "during": during})

    for process in processes:
        threading.Thread(target=listen, args=(process,), daemon=True).start()
    alive, fatal = len(processes), ""
    try:
        while alive:
            message = inbox.get()
            if "ended" in message:
                alive -= 1
                if message["ended"] < 0 or (message["ended"] and not fatal):
                    name = signal.Signals(-message["ended"]).name if message["ended"] < 0 else f"exit code {message['ended']}"
                    print(f"a worker ended with {name}", file=sys.stderr)
                    deaths[message["during"]] += 1
            elif "fatal" in message:
                fatal = message["fatal"]
            elif "start" in message:
                progress.start(message["start"])
            elif "progress" in message:
                progress.update(message.pop("progress"), **message)
            else:
                profile = message.pop("profile")
                experiment = message.pop("done")
                progress.finish(experiment, **message)
                if profile:
                    profiles.append({"experiment": experiment, **profile})
                if message["status"] != "ok":
                    failed[experiment] = f"{message['status']}: {message['error']}"
    finally:
        _stop(processes)
    if fatal:
        raise BenchError(fatal)


def _stop(processes: list[subprocess.Popen]) -> None:
    """End workers that still run: politely, then not."""
    running = [p for p in processes if p.poll() is None]
    for process in running:
        process.send_signal(signal.SIGTERM)
    until = time.monotonic() + 10
    for process in running:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
