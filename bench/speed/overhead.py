"""Time that the suite spends around a training: ``python -m bench speed tiny-experiments two-workers``.

The workload "tiny-experiments" runs many experiments of one training step each, one after the other in one worker. The
time between two results in the ledger consists of "computing" and the time "around" it: queue, set-up, W&B,
checkpoints, weights, ledger. The workload "two-workers" runs the XOR column of roles-6 at laptop budget with fewer
epochs, first with one worker, then with two workers and other seeds; its times are those of the whole command. Imports
no torch.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench import paths
from bench.errors import BenchError
from bench.speed.spread import spread

IMPLEMENTATIONS = {"tiny-experiments": ("computing", "around"), "two-workers": ("1 worker", "2 workers")}  # by workload
TINY = (
    "data_settings.batches=1",
    "data_settings.test=50",
    "data_settings.steps=20",
    "loss_settings.first=10",
    "batch_size=10",
)
EPOCHS = 2  # of each experiment of "two-workers"
SEEDS = 2  # for each worker
CELLS = ("roles-6", "--column", "XOR", "--threads", "1")
PROFILE = re.compile(r"^[0-9a-f]{12} +[\d.]+ s +([\d.]+) s +([\d.]+) s +([\d.]+) s ", re.MULTILINE)
"""A line of ``--profile``: experiment id, total, then the captured steps, data and evaluation."""


def rows(workload: str, repeat: int) -> list[dict[str, Any]]:
    """Rows of ``results/speed.csv``. There are no times if the workload failed; its error is on the screen."""
    implementations = IMPLEMENTATIONS[workload]
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        try:
            tiny = workload == "tiny-experiments"
            seconds = tiny_experiments(3 * repeat, Path(folder)) if tiny else two_workers(Path(folder))
        except BenchError as error:
            print(error, file=sys.stderr)
            return [{"workload": workload, "implementation": name, "median_ms": ""} for name in implementations]
    return [
        {"workload": workload, "implementation": name, "repeats": str(len(times)), "threads": "1"}
        | spread([1e3 * time for time in times]).columns(digits=0)
        for name, times in zip(implementations, seconds, strict=True)
    ]


def tiny_experiments(count: int, folder: Path) -> tuple[list[float], list[float]]:
    """Seconds of computing and seconds around it, for each of ``count`` experiments but the first.

    Raises ``BenchError`` if not all of them ran.
    """
    settings = [argument for setting in TINY for argument in ("--set", setting)]
    options = ["--row", "Baseline", "--budget", "smoke", "--seeds", str(count), "--workers", "1", "--profile"]
    finished, profile = _run_table([*options, *settings], folder)
    computing = [sum(float(seconds) for seconds in parts) for parts in PROFILE.findall(profile)]
    if not len(finished) == len(computing) == count:
        raise BenchError(f"{count} experiments were to run, {len(finished)} did and {len(computing)} have a profile")
    around = [
        after - before - seconds for (before, after), seconds in zip(pairwise(finished), computing[1:], strict=True)
    ]
    return computing[1:], around


def two_workers(folder: Path) -> tuple[list[float], list[float]]:
    """Seconds of the whole command with one worker and with two. Raises ``BenchError`` if it failed."""
    seconds = []
    for workers in (1, 2):  # the second command orders its experiments by the durations of the first
        options = ["--budget", "laptop", "--seeds", str(workers * SEEDS), "--workers", str(workers)]
        start = time.perf_counter()
        _run_table([*options, "--set", f"epochs={EPOCHS}"], folder)
        seconds.append([time.perf_counter() - start])
    return seconds[0], seconds[1]


def _run_table(options: Iterable[str], folder: Path) -> tuple[list[float], str]:
    """Run ``CELLS`` in a home of its own below ``folder``.

    Gives the time (s) at which each experiment was in the ledger, and the output. Raises ``BenchError`` if the command
    failed.
    """
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "BENCH_HOME": str(home),
        "BENCH_RESULTS": str(folder / "results"),
        "BENCH_STORAGE": "",
        "WANDB_MODE": "offline",
    }
    command = [sys.executable, "-m", "sweeps", "table", *CELLS, *options]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, cwd=paths.ROOT, env=environment, stdout=output, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        finished = []
        messages = ""
        for line in process.stderr:
            messages += line
            if re.match(r"\[\d+/\d+\]", line):  # "[3/20] …" is printed when an experiment is in the ledger
                finished.append(time.perf_counter())
        if process.wait():
            raise BenchError(f"{' '.join(command[1:])} failed:\n{messages[-2000:]}")
        output.seek(0)
        return finished, output.read()


def markdown(rows: list[dict[str, Any]]) -> str:
    """Markdown of ``rows`` of ``results/speed.csv``: time around a tiny experiment, and time that a second worker
    saves.
    """
    seconds = {
        (row["workload"], row["implementation"]): float(row["median_ms"]) / 1e3 for row in rows if row["median_ms"]
    }
    lines = []
    computing, around = (seconds.get(("tiny-experiments", name)) for name in IMPLEMENTATIONS["tiny-experiments"])
    if computing is not None and around is not None:
        lines.append(
            f"- A tiny experiment in a running worker: {computing + around:.2f} s, of which {around:.2f} s for queue,"
            " set-up, W&B, checkpoints and ledger."
        )
    with_one, with_two = (seconds.get(("two-workers", name)) for name in IMPLEMENTATIONS["two-workers"])
    if with_one is not None and with_two is not None:
        lines.append(
            f"- The XOR column of roles-6 at laptop budget ({SEEDS} seeds of {EPOCHS} epochs), start-up and all:"
            f" {with_one:.0f} s with one worker, {with_two:.0f} s with two ({100 * with_two / with_one:.0f} %)."
        )
    return "\n".join(lines)
