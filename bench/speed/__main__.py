"""``python -m bench speed``: whole training steps of ours, the plain loop and the fastest peers, side by side, and the
floor under them.

Every implementation of a workload runs in a process of its own; the steps are taken in turns, so that whatever else the
machine does meets all of them alike. The floor is the workload's matrix products alone plus one write and one read of
its spikes and states.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from bench.speed import data_loading, overhead, table
from bench.speed.steps import commit, measure, peers_python, serve
from bench.speed.workloads import COLUMNS, NAMES, WORKLOADS


def main(argv: list[str]) -> int:
    """Measure, write ``results/speed.csv`` (rows of workloads not measured now are kept) and print the table. 0 if all
    ran.
    """
    parser = argparse.ArgumentParser("python -m bench speed", description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="workload", help=f"default: all of {', '.join(NAMES)}")
    parser.add_argument("--repeat", type=int, default=7, help="steps of each implementation (default 7)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="torch threads (default: all)")
    parser.add_argument(
        "--processor-time", action="store_true", help="for a busy machine: processor time on one thread; not written"
    )
    parser.add_argument("--serve", nargs=2, metavar=("workload", "implementation"), help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.serve:
        workload, implementation = args.serve
        return serve(
            workload, implementation, args.threads, time.process_time if args.processor_time else time.perf_counter
        )
    threads = 1 if args.processor_time else args.threads
    unknown = [name for name in args.workloads if name not in NAMES]
    if unknown:
        parser.error(f"unknown workload {', '.join(unknown)}; known: {', '.join(NAMES)}")
    if args.processor_time and (timed := [name for name in args.workloads if name in overhead.SETS]):
        parser.error(f"{', '.join(timed)}: time goes by between processes, processor time says nothing of it")
    chosen = args.workloads or [name for name in NAMES if not (args.processor_time and name in overhead.SETS)]
    python = peers_python() if set(chosen) & set(WORKLOADS) else Path(sys.executable)
    failed, rows = [], []
    for name in chosen:
        if name in data_loading.SETS:
            common = dict.fromkeys(COLUMNS, "") | {"workload": name, "threads": threads, "git_commit": commit()}
            found = [common | row for row in data_loading.rows(name, args.repeat, threads, args.processor_time)]
        elif name in overhead.SETS:
            found = [
                dict.fromkeys(COLUMNS, "") | {"git_commit": commit()} | row for row in overhead.rows(name, args.repeat)
            ]
        else:
            found = measure(name, args.repeat, threads, python, args.processor_time)
        for row in found:
            rows.append(row)
            failed += [row] if row["median_ms"] == "" else []
    print(table.markdown(rows if args.processor_time else table.write(rows)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
