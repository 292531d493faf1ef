"""Worker processes on this host. They are forked from a process that has loaded torch, so a killed one is replaced at
once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from bench import paths
from bench.errors import BenchError
from bench.training import wandb_mode
from sweeps import worker
from sweeps.queue import Queue

Message = dict[str, Any]
# seconds that a worker has for its last record: one that starts on a busy machine receives the signal late
STOP_TIMEOUT_S = 60
LONGEST_TMPDIR = 50  # characters
# modules that a first training would load: with them a worker's first training costs little more than its second
PRELOADED = [
    "sweeps.process_group",
    "sweeps.worker",
    "bench.training.run",
    "bench.report.compared",
    "numba.typed",
    "numba.np.arrayobj",
    "wandb.apis.public",
]


def gpus() -> list[str]:
    """Devices that workers share out, one each: those of ``CUDA_VISIBLE_DEVICES``, or all of this host."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip()]
    return [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]


def _shorten_temporary_folder() -> None:
    """Use /tmp where the temporary folder's name is too long for the sockets that processes talk through (108
    characters with the names of folder and socket).
    """
    if len(tempfile.gettempdir()) > LONGEST_TMPDIR and os.access("/tmp", os.W_OK):
        os.environ["TMPDIR"] = "/tmp"
        tempfile.tempdir = None


class Pool:
    """Up to ``size`` workers of ``threads`` threads on the queue that ``queue`` opens (arguments of ``Queue``)."""

    def __init__(self, queue: dict[str, Any], size: int, threads: int, options: dict[str, Any] | None = None) -> None:
        self.queue = queue
        self.size = size
        self.threads = threads
        self.options = {"workers": size, **(options or {})}
        self.gpus = gpus()
        _shorten_temporary_folder()
        os.environ["OMP_NUM_THREADS"] = str(threads)
        os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([str(paths.ROOT), *sys.path]))
        self.context: Any = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
        if sys.platform == "linux":
            self.context.set_forkserver_preload(PRELOADED)
        self.workers: dict[int, tuple[Any, Any]] = {}  # slot -> process, receiving end of its pipe

    def __len__(self) -> int:
        return len(self.workers)

    def fill(self, limit: int) -> None:
        """Start workers until there are ``size`` of them, or ``limit``."""
        for slot in range(self.size):
            if len(self.workers) >= min(self.size, limit):
                return
            if slot not in self.workers:
                receiver, sender = self.context.Pipe(duplex=False)
                gpu = self.gpus[slot % len(self.gpus)] if self.gpus else None
                process = self.context.Process(
                    target=worker.main,
                    args=(self.queue, self.threads, sender, gpu, self.options),
                    name=f"worker-{slot}",
                )
                process.start()
                sender.close()
                self.workers[slot] = process, receiver

    def messages(self, timeout: float) -> Iterator[Message]:
        """Messages of the workers, after ``timeout`` seconds at the latest; ``{"ended": exit code}`` is the last one of
        a worker.
        """
        by_pipe: dict[Any, int] = {pipe: slot for slot, (_, pipe) in self.workers.items()}
        if not by_pipe:
            time.sleep(timeout)
        ready: list[Any] = list(wait(list(by_pipe), timeout))
        for pipe in ready:
            slot = by_pipe[pipe]
            try:
                message = pipe.recv()
            except (EOFError, OSError):
                process, _ = self.workers.pop(slot)
                process.join()
                yield {"ended": process.exitcode}
                continue
            yield message

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Send the workers signal ``number``, which they record as their reason; kill those that do not end in time."""
        self._send(number)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for slot, (_, pipe) in list(self.workers.items()):
            if self._has_ended(pipe, deadline):
                self.workers.pop(slot)[0].join()
        if self.workers:
            print(
                f"{len(self.workers)} workers did not stop within {STOP_TIMEOUT_S} s and are killed: their checkpoints"
                " stay",
                file=sys.stderr,
            )
            self._send(signal.SIGKILL)
        self.workers.clear()

    def _send(self, number: int) -> None:
        for process, _ in self.workers.values():
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)

    @staticmethod
    def _has_ended(pipe: Any, deadline: float) -> bool:
        """Whether a worker ends, and with it its end of the pipe: the fork server may be gone and cannot report it.

        Takes the worker's messages, so that it does not wait on a full pipe.
        """
        try:
            while pipe.poll(max(0.0, deadline - time.monotonic())):
                if (message := pipe.recv()).get("fatal"):
                    print(message["fatal"], file=sys.stderr)
        except (EOFError, OSError):
            return True
        return False


def serve(queue: Queue, workers: int, threads: int, options: dict[str, Any]) -> int:
    """Keep workers going until they find nothing more; their exit code. A signal stops them all: 75."""
    stop_request = worker.StopRequest()
    print(wandb_mode.settle(), file=sys.stderr)
    pool = Pool({"address": queue.address, "study": queue.name}, workers, threads, options)
    code = 0
    fatal = ""
    pool.fill(workers)
    try:
        while len(pool) and not stop_request.reason:
            for message in pool.messages(1.0):
                if "start" in message:
                    print(f"start {message['start']}", file=sys.stderr)
                elif "fatal" in message:
                    fatal = message["fatal"]
                elif message.get("ended", 0) < 0:  # killed: another takes its place
                    print(f"a worker ended with {signal.Signals(-message['ended']).name}", file=sys.stderr)
                    pool.fill(workers)
                elif "ended" in message:
                    code = code or message["ended"]
    finally:
        pool.stop(stop_request.signal or signal.SIGTERM)
    if fatal:
        raise BenchError(fatal)
    return worker.PREEMPTED if stop_request.reason else code
