"""``python -m bench speed``: times whole training steps of this suite, of the plain loop and of the fastest peers, and
the floor below them.

Every implementation of a workload runs in a process of its own. The steps are taken in turns, so that other load on the
machine slows all of them alike. The floor is the matrix products of the workload alone, with one write and one read of
its spikes and states.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import paths
from bench.speed import data_loading, overhead, peers, timings, training_steps
from bench.speed.workloads import COLUMNS, NAMES, WORKLOADS


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    options = argparse.ArgumentParser("python -m bench speed", description=__doc__)
    options.add_argument("workloads", nargs="*", metavar="workload", help=f"default: all of {', '.join(NAMES)}")
    options.add_argument("--repeat", type=int, default=7, help="steps of each implementation (default 7)")
    options.add_argument("--threads", type=int, default=os.cpu_count(), help="torch threads (default: all)")
    options.add_argument(
        "--processor-time", action="store_true", help="for a busy machine: processor time on one thread; not written"
    )
    options.add_argument("--serve", nargs=2, metavar=("workload", "implementation"), help=argparse.SUPPRESS)
    return options


def main(argv: list[str]) -> int:
    """Time the chosen workloads, write ``results/speed.csv`` and print the table. Rows of other workloads stay in the
    file. Gives 0 if every implementation ran, otherwise 1.
    """
    options = parser()
    args = options.parse_args(argv)
    if args.serve:
        clock = time.process_time if args.processor_time else time.perf_counter
        workload, implementation = args.serve
        return training_steps.serve(workload, implementation, args.threads, clock)
    if unknown := [name for name in args.workloads if name not in NAMES]:
        options.error(f"unknown workload {', '.join(unknown)}; known: {', '.join(NAMES)}")
    several_processes = [name for name in args.workloads if name in overhead.IMPLEMENTATIONS]
    if args.processor_time and several_processes:
        names = ", ".join(several_processes)
        options.error(f"{names}: several processes wait for each other, processor time does not count that")
    workloads = args.workloads or [n for n in NAMES if not (args.processor_time and n in overhead.IMPLEMENTATIONS)]
    threads = 1 if args.processor_time else args.threads
    implementations = {
        name for workload in workloads if workload in WORKLOADS for name in WORKLOADS[workload].implementations
    }
    python = peers.python() if implementations & set(peers.PEERS) else Path(sys.executable)
    common = dict.fromkeys(COLUMNS, "") | {"git_commit": commit()}
    rows = [
        common | row
        for workload in workloads
        for row in workload_rows(workload, args.repeat, threads, python, args.processor_time)
    ]
    print(timings.markdown(rows if args.processor_time else timings.write(rows)))
    return 1 if any(row["median_ms"] == "" for row in rows) else 0


def workload_rows(
    workload: str, repeat: int, threads: int, peers_python: Path, processor_time: bool
) -> list[dict[str, Any]]:
    """Rows of ``results/speed.csv`` for one workload; no times where an implementation failed."""
    if workload in data_loading.TASK_NAMES:
        return data_loading.rows(workload, repeat, threads, processor_time)
    if workload in overhead.IMPLEMENTATIONS:
        return overhead.rows(workload, repeat)
    return training_steps.rows(workload, repeat, threads, peers_python, processor_time)


def commit() -> str:
    """The short hash of the commit that is checked out."""
    git = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(git, cwd=paths.ROOT, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
