"""``python -m bench speed``: whole training steps of ours, the plain loop and the fastest peers, side by side, and the floor under them.

Every implementation of a workload runs in a process of its own; the steps are taken in turns, so that whatever else the machine does
meets all of them alike. The floor is the workload's matrix products alone plus one write and one read of its spikes and states.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import overhead, paths, reading

PEERS = {"spikingjelly": "spikingjelly==2.0.0", "snntorch": "snntorch==1.0.0"}
COLUMNS = ("workload", "implementation", "median_ms", "p10_ms", "p90_ms", "peak_mb", "repeats", "threads", "torch", "git_commit")


@dataclass(frozen=True)
class Workload:
    """A network and its input. ``readout`` linear: the last layer is a plain projection of the mean spikes, as celif has it."""

    layers: tuple[int, ...]
    neuron: str  # its name, or module:class of one that is not registered
    steps: int
    batch: int
    settings: tuple[tuple[str, Any], ...] = ()
    recurrent: tuple[int, ...] = ()  # numbers of the recurrent layers
    density: float | None = None  # of a binary input; None: analog
    linear_readout: bool = False
    implementations: tuple[str, ...] = ("ours", "loop", "spikingjelly", "snntorch", "floor")
    projected: bool = True  # False: the neurons of one layer alone
    checkpoint_every: int | None = None


OWN = ("ours", "loop", "floor")
USER = "tests.lightning_modules.scan.user_neuron:Resonant"  # as a user's own: no code of ours knows it
LEARNED = (("learn_leak", True),)
WORKLOADS = {
    "lif-seq": Workload((1, 64, 256, 256, 10), "lif", 784, 256),
    "celif-seq": Workload((1, 64, 152, 152, 10), "celif", 784, 256, linear_readout=True, implementations=OWN),
    "celif-seq-sparing": Workload((1, 64, 152, 152, 10), "celif", 784, 256, linear_readout=True, implementations=OWN, checkpoint_every=56),
    "glif-seq": Workload(
        (1, 24, 40, 40, 10), "glif", 784, 256, linear_readout=True, implementations=("ours", "loop", "spikingjelly", "floor")
    ),
    "lif-rec": Workload((1, 64, 256, 256, 10), "lif", 784, 256, recurrent=(0, 1)),
    "alif-rec": Workload((1, 64, 256, 256, 10), "alif", 784, 256, recurrent=(0, 1), implementations=OWN),
    "xor": Workload((20, 16, 2), "lif", 200, 500, LEARNED, density=0.1),
    "shd": Workload((700, 64, 20), "lif", 1000, 100, LEARNED, density=0.01),
    "nmnist": Workload((2312, 512, 10), "lif", 15, 512, density=0.015),
    "celif-neurons": Workload((152, 152), "celif", 784, 256, projected=False, implementations=("ours", "loop")),
    "glif-neurons": Workload((40, 40), "glif", 784, 256, projected=False, implementations=("ours", "loop")),
    "alif-neurons": Workload((256, 256), "alif", 784, 256, projected=False, implementations=("ours", "loop")),
    "user-neurons": Workload((152, 152), USER, 784, 256, projected=False, implementations=("ours", "loop")),
}
NAMES = (*WORKLOADS, *reading.SETS, *overhead.SETS)


def main(argv: list[str]) -> int:
    """Measure, write ``results/speed.csv`` (rows of workloads not measured now are kept) and print the table. 0 if all ran."""
    parser = argparse.ArgumentParser("python -m bench speed", description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="workload", help=f"default: all of {', '.join(NAMES)}")
    parser.add_argument("--repeat", type=int, default=7, help="steps of each implementation (default 7)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="torch threads (default: all)")
    parser.add_argument("--processor-time", action="store_true", help="for a busy machine: processor time on one thread; not written")
    parser.add_argument("--serve", nargs=2, metavar=("workload", "implementation"), help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.serve:
        workload, implementation = args.serve
        return serve(workload, implementation, args.threads, time.process_time if args.processor_time else time.perf_counter)
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
        if name in reading.SETS:
            common = dict.fromkeys(COLUMNS, "") | {"workload": name, "threads": threads, "git_commit": commit()}
            found = [common | row for row in reading.rows(name, args.repeat, threads, args.processor_time)]
        elif name in overhead.SETS:
            found = [dict.fromkeys(COLUMNS, "") | {"git_commit": commit()} | row for row in overhead.rows(name, args.repeat)]
        else:
            found = measure(name, args.repeat, threads, python, args.processor_time)
        for row in found:
            rows.append(row)
            failed += [row] if row["median_ms"] == "" else []
    print(table(rows if args.processor_time else write(rows)))
    return 1 if failed else 0


def peers_python() -> Path:
    """The interpreter of ``.bench/peers-venv``, built if missing: the peers beside this project's torch, which it never replaces."""
    venv = paths.home() / "peers-venv"
    python = venv / "bin" / "python"
    if not (venv / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        site = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"], check=True, capture_output=True, text=True
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
        servers[implementation] = subprocess.Popen(command, cwd=paths.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
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
        row = dict.fromkeys(COLUMNS, "") | {"workload": name, "implementation": implementation, "git_commit": commit(), "threads": threads}
        if times[implementation]:
            ordered = sorted(times[implementation])
            at = [ordered[min(len(ordered) - 1, round(q * (len(ordered) - 1)))] for q in (0.1, 0.9)]
            row |= {"median_ms": f"{statistics.median(ordered):.1f}", "p10_ms": f"{at[0]:.1f}", "p90_ms": f"{at[1]:.1f}"}
            row |= {"repeats": str(len(ordered)), "peak_mb": last[implementation][1], "torch": last[implementation][2]}
        rows.append(row)
        print(f"{name:18} {implementation:13} {row['median_ms'] or 'failed':>8} ms   {row['peak_mb']:>6} MB", flush=True)
    return rows


def commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=paths.ROOT, capture_output=True, text=True)
    return done.stdout.strip()


def write(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merge into ``results/speed.csv`` and give all of its rows."""
    path = paths.results() / "speed.csv"
    old = list(csv.DictReader(path.open())) if path.exists() else []
    new = {row["workload"] for row in rows}
    merged = [row for row in old if row["workload"] not in new and row["workload"] in NAMES] + rows
    merged.sort(key=lambda row: NAMES.index(row["workload"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(merged)
    return merged


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: medians, and how ours compares with the fastest peer, the loop, the floor and the loop's memory; what reading and sweeping
    cost."""
    lines = [
        "| workload | ours ms | loop ms | spikingjelly ms | snntorch ms | floor ms "
        "| fastest peer / ours | loop / ours | ours / floor | memory / loop |",
        "| --- |" + " ---: |" * 9,
    ]

    def ratio(a: float | None, b: float | None, digits: int = 1) -> str:
        return "" if not a or not b else f"{a / b:.{digits}f}"

    for name in dict.fromkeys(row["workload"] for row in rows if row["workload"] in WORKLOADS):
        mine = {row["implementation"]: row for row in rows if row["workload"] == name}
        ms = {i: float(row["median_ms"]) for i, row in mine.items() if row["median_ms"]}
        mb = {i: float(row["peak_mb"]) for i, row in mine.items() if row["peak_mb"]}
        peer = min((ms[p] for p in PEERS if p in ms), default=None)
        cells = [f"{ms[i]:.0f}" if i in ms else "" for i in ("ours", "loop", "spikingjelly", "snntorch", "floor")]
        ours = ms.get("ours")
        cells += [ratio(peer, ours), ratio(ms.get("loop"), ours), ratio(ours, ms.get("floor"), 2), ratio(mb.get("ours"), mb.get("loop"), 2)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    parts = [(reading.SETS, reading.table), (overhead.SETS, overhead.table)]
    found = ["\n".join(lines), *(part([row for row in rows if row["workload"] in names]) for names, part in parts)]
    return "\n\n".join(text for text in found if text)


def serve(name: str, implementation: str, threads: int, clock: Callable[[], float]) -> int:
    """In a process of its own: take a step for each line on stdin and answer ``milliseconds peak_mb torch``."""
    import torch

    torch.set_num_threads(threads)
    work = WORKLOADS[name]
    torch.manual_seed(0)
    from bench import speed_networks

    small = speed_networks.step_of(implementation, work, 2, 2)
    small()  # kernels compiled or loaded, imports done: not part of a step's memory
    step: Callable[[], None] = speed_networks.step_of(implementation, work, work.steps, work.batch)
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
