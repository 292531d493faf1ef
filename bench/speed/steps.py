"""Training steps of one workload, taken in turns by all implementations, each in a process of its own."""

from __future__ import annotations

import statistics
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench import paths
from bench.speed.workloads import COLUMNS, PEERS, WORKLOADS


def peers_python() -> Path:
    """The interpreter of ``.bench/peers-venv``, built if missing: the peers beside this project's torch, which it never
    replaces.
    """
    venv = paths.home() / "peers-venv"
    python = venv / "bin" / "python"
    if not (venv / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        site = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
            check=True,
            capture_output=True,
            text=True,
        )
        (Path(site.stdout.strip()) / "project.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *PEERS.values(), "loguru"], check=True)
        (venv / "complete").touch()
    return python


def measure(name: str, repeat: int, threads: int, python: Path, processor_time: bool) -> list[dict[str, Any]]:
    """One row per implementation: steps taken in turns after one to warm up."""
    servers, rows = {}, []
    for implementation in WORKLOADS[name].implementations:
        interpreter = python if implementation in PEERS else sys.executable
        command = [interpreter, "-m", "bench.speed", "--threads", str(threads), "--serve", name, implementation]
        command += ["--processor-time"] if processor_time else []
        servers[implementation] = subprocess.Popen(
            command, cwd=paths.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    times: dict[str, list[float]] = {implementation: [] for implementation in servers}
    last: dict[str, list[str]] = {}
    for turn in range(repeat + 2):
        for implementation, server in servers.items():
            try:
                server.stdin.write("step\n")  # type: ignore[union-attr]
                server.stdin.flush()  # type: ignore[union-attr]
            except BrokenPipeError:  # it has stopped with an error of its own, which is on the screen
                continue
            answer = server.stdout.readline().split()  # type: ignore[union-attr]
            if answer and turn > 1:
                times[implementation].append(float(answer[0]))
                last[implementation] = answer
    for implementation, server in servers.items():
        with suppress(BrokenPipeError):
            server.communicate()
        row = dict.fromkeys(COLUMNS, "") | {
            "workload": name,
            "implementation": implementation,
            "git_commit": commit(),
            "threads": threads,
        }
        if times[implementation]:
            ordered = sorted(times[implementation])
            at = [ordered[min(len(ordered) - 1, round(q * (len(ordered) - 1)))] for q in (0.1, 0.9)]
            row |= {
                "median_ms": f"{statistics.median(ordered):.1f}",
                "p10_ms": f"{at[0]:.1f}",
                "p90_ms": f"{at[1]:.1f}",
            }
            row |= {"repeats": str(len(ordered)), "peak_mb": last[implementation][1], "torch": last[implementation][2]}
        rows.append(row)
        print(
            f"{name:18} {implementation:13} {row['median_ms'] or 'failed':>8} ms   {row['peak_mb']:>6} MB", flush=True
        )
    return rows


def commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=paths.ROOT, capture_output=True, text=True)
    return done.stdout.strip()


def serve(name: str, implementation: str, threads: int, clock: Callable[[], float]) -> int:
    """In a process of its own: take a step for each line on stdin and answer ``milliseconds peak_mb torch``."""
    import torch

    torch.set_num_threads(threads)
    work = WORKLOADS[name]
    torch.manual_seed(0)
    from bench.speed import networks

    small = networks.step_of(implementation, work, 2, 2)
    small()  # kernels compiled or loaded, imports done: not part of a step's memory
    step: Callable[[], None] = networks.step_of(implementation, work, work.steps, work.batch)
    before = resident("VmRSS")
    forget_peak()
    for _ in sys.stdin:
        start = clock()
        step()
        milliseconds = 1e3 * (clock() - start)
        print(f"{milliseconds:.2f} {max(0.0, resident('VmHWM') - before):.0f} {torch.__version__}", flush=True)
    return 0


def resident(field: str) -> float:
    """MB of memory this process holds (VmRSS) or has held at most (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return 0.0


def forget_peak() -> None:
    """Let VmHWM start again from the present."""
    Path("/proc/self/clear_refs").write_text("5")
