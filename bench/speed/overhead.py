"""What the machinery around a training costs: ``python -m bench speed tiny-experiments two-workers``. No torch.

tiny-experiments: many of one training step each, one after the other in a running worker. Between one's arrival in the
ledger and the next's goes by what it computes, and "around" it the rest: queue, set-up, W&B, checkpoints, weights,
ledger. two-workers: the XOR column of roles-6 at laptop budget, with fewer epochs: the whole command with one worker,
then, other seeds, with two.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench import paths
from bench.errors import BenchError

SETS = ("tiny-experiments", "two-workers")
TINY = (
    "data_settings.batches=1",
    "data_settings.test=50",
    "data_settings.steps=20",
    "loss_settings.first=10",
    "batch_size=10",
)
EPOCHS, SEEDS = 2, 2  # of the table with one worker and with two
CELLS = ("roles-6", "--column", "XOR", "--threads", "1")


def rows(workload: str, repeat: int) -> list[dict[str, Any]]:
    """Rows of ``speed.csv``; no times where it failed, which is on the screen."""
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        try:
            found = tiny(3 * repeat, Path(folder)) if workload == "tiny-experiments" else _workers(Path(folder))
        except BenchError as error:
            print(error, file=sys.stderr)
            return [{"workload": workload, "implementation": name, "median_ms": ""} for name in NAMES[workload]]
    return [
        {
            "workload": workload,
            "implementation": name,
            **{
                column: f"{1e3 * seconds:.0f}"
                for column, seconds in zip(("median_ms", "p10_ms", "p90_ms"), _spread(times), strict=True)
            },
            "repeats": str(len(times)),
            "threads": "1",
        }
        for name, times in zip(NAMES[workload], found, strict=True)
    ]


NAMES = {"tiny-experiments": ("computing", "around"), "two-workers": ("1 worker", "2 workers")}


def tiny(experiments: int, folder: Path) -> tuple[list[float], list[float]]:
    """Seconds of computing and seconds around it, of each experiment but the first. Raises ``BenchError``."""
    settings = [part for text in TINY for part in ("--set", text)]
    chosen = ["--row", "Baseline", "--budget", "smoke", "--seeds", str(experiments), "--workers", "1", "--profile"]
    arrived, profile = _command([*chosen, *settings], folder)
    computing = [sum(float(part) for part in found) for found in re.findall(_PROFILE, profile, re.MULTILINE)]
    if not len(arrived) == len(computing) == experiments:
        raise BenchError(
            f"{experiments} experiments were to run, {len(arrived)} did and {len(computing)} have a profile"
        )
    around = [after - before - own for before, after, own in zip(arrived[:-1], arrived[1:], computing[1:], strict=True)]
    return computing[1:], around


_PROFILE = r"^[0-9a-f]{12} +[\d.]+ s +([\d.]+) s +([\d.]+) s +([\d.]+) s "  # total, then steps, data, evaluation


def _workers(folder: Path) -> tuple[list[float], list[float]]:
    """Seconds of the whole command with one worker and with two."""
    taken = []
    for workers in (1, 2):  # the second knows from the first how long each will take
        chosen = [
            "--budget",
            "laptop",
            "--seeds",
            str(workers * SEEDS),
            "--set",
            f"epochs={EPOCHS}",
            "--workers",
            str(workers),
        ]
        begun = time.perf_counter()
        _command(chosen, folder)
        taken.append([time.perf_counter() - begun])
    return taken[0], taken[1]


def _command(chosen: Iterable[str], folder: Path) -> tuple[list[float], str]:
    """When each experiment was in the ledger (s), and what was printed. Raises ``BenchError`` where not all
    finished.
    """
    home = folder / "home"
    home.mkdir(exist_ok=True)
    kernels = paths.home() / "kernels"  # compiled once, not here
    kernels.mkdir(parents=True, exist_ok=True)
    if not (home / "kernels").exists():
        (home / "kernels").symlink_to(kernels.resolve())
    environment = {
        **os.environ,
        "BENCH_HOME": str(home),
        "BENCH_RESULTS": str(folder / "results"),
        "BENCH_STORAGE": "",
        "WANDB_MODE": "offline",
    }
    command = [sys.executable, "-m", "sweeps", "table", *CELLS, *chosen]
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            command, cwd=paths.ROOT, env=environment, stdout=out, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        arrived, said = [], ""
        for line in process.stderr:
            said += line
            arrived += [time.perf_counter()] if re.match(r"\[\d+/\d+\]", line) else []
        if process.wait():
            raise BenchError(f"{' '.join(command[1:])} failed:\n{said[-2000:]}")
        out.seek(0)
        return arrived, out.read()


def _spread(times: list[float]) -> tuple[float, float, float]:
    """Median, 10 % and 90 %."""
    ordered = sorted(times)
    low, high = (ordered[round(q * (len(ordered) - 1))] for q in (0.1, 0.9))
    return statistics.median(ordered), low, high


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: what goes on around an experiment, and what a second worker saves."""
    seconds = {
        (row["workload"], row["implementation"]): float(row["median_ms"]) / 1e3 for row in rows if row["median_ms"]
    }
    text = []
    own, around = (seconds.get(("tiny-experiments", name)) for name in NAMES["tiny-experiments"])
    if own is not None and around is not None:
        text.append(
            f"- A tiny experiment in a running worker: {own + around:.2f} s, of which {around:.2f} s for queue, set-up,"
            " W&B, checkpoints and ledger."
        )
    one, two = (seconds.get(("two-workers", name)) for name in NAMES["two-workers"])
    if one is not None and two is not None:
        text.append(
            f"- The XOR column of roles-6 at laptop budget ({SEEDS} seeds of {EPOCHS} epochs), start-up and all:"
            f" {one:.0f} s with one worker, {two:.0f} s with two ({100 * two / one:.0f} %)."
        )
    return "\n".join(text)
