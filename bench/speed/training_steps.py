"""Times training steps of one workload. The implementations take turns, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench import paths
from bench.speed import memory
from bench.speed.peers import PEERS
from bench.speed.spread import spread
from bench.speed.workloads import WORKLOADS

WARM_UP = 2  # steps of each implementation that are not counted


class Server:
    """A process that takes one training step of ``implementation`` when it is asked to."""

    def __init__(
        self, workload: str, implementation: str, threads: int, peers_python: Path, processor_time: bool
    ) -> None:
        python = peers_python if implementation in PEERS else sys.executable
        command = [python, "-m", "bench.speed", "--threads", str(threads), "--serve", workload, implementation]
        command += ["--processor-time"] if processor_time else []
        self.process = subprocess.Popen(
            command, cwd=paths.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.times: list[float] = []  # ms
        self.peak_mb = ""
        self.torch = ""

    def step(self, counted: bool) -> None:
        """Take one step. A process that has failed takes none; its error is on the screen."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write("step\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return
        answer = self.process.stdout.readline().split()
        if answer and counted:
            milliseconds, self.peak_mb, self.torch = answer
            self.times.append(float(milliseconds))

    def stop(self) -> None:
        """Wait until the process has ended."""
        with suppress(BrokenPipeError):
            self.process.communicate()

    def columns(self) -> dict[str, str]:
        """Columns of ``results/speed.csv``; no times if the process failed."""
        if not self.times:
            return {"median_ms": "", "peak_mb": ""}
        measured = {"repeats": str(len(self.times)), "peak_mb": self.peak_mb, "torch": self.torch}
        return spread(self.times).columns(digits=1) | measured


def rows(workload: str, repeat: int, threads: int, peers_python: Path, processor_time: bool) -> list[dict[str, Any]]:
    """Rows of ``results/speed.csv``: ``repeat`` steps of each implementation, after two to warm up."""
    servers = {
        implementation: Server(workload, implementation, threads, peers_python, processor_time)
        for implementation in WORKLOADS[workload].implementations
    }
    for turn in range(WARM_UP + repeat):
        for server in servers.values():
            server.step(counted=turn >= WARM_UP)
    measured = []
    for implementation, server in servers.items():
        server.stop()
        row = {"workload": workload, "implementation": implementation, "threads": threads} | server.columns()
        time = row["median_ms"] or "failed"
        print(f"{workload:18} {implementation:13} {time:>8} ms   {row['peak_mb']:>6} MB", flush=True)
        measured.append(row)
    return measured


def serve(workload: str, implementation: str, threads: int, clock: Callable[[], float]) -> int:
    """The process of a ``Server``: take a step for each line on stdin and answer ``milliseconds peak_mb torch``."""
    import torch

    from bench.speed import implementations

    torch.set_num_threads(threads)
    work = WORKLOADS[workload]
    torch.manual_seed(0)
    tiny = implementations.training_step(implementation, work, steps=2, batch=2)
    tiny()  # imports and compiles kernels, so that their memory is not counted
    step = implementations.training_step(implementation, work, work.steps, work.batch)
    before = memory.resident_mb()
    memory.reset_peak()
    for _ in sys.stdin:
        start = clock()
        step()
        milliseconds = 1e3 * (clock() - start)
        peak_mb = max(0.0, memory.peak_mb() - before)
        print(f"{milliseconds:.2f} {peak_mb:.0f} {torch.__version__}", flush=True)
    return 0
