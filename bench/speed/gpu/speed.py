"""``python -m bench gpu speed``: times training steps on a card, and the floor below them.

The steps of all implementations of a workload are taken in turns. Bandwidth and rate of the floor are measured in the
same call.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import torch

from bench.ledger import provenance
from bench.speed.gpu import check, clocks, steps, timings
from bench.speed.gpu.workloads import (
    CARD_WORKLOADS,
    MEMORY_GB,
    PUBLIC,
    SEEDS,
    SEVERAL_SEEDS,
    bytes_moved,
    implementations,
    neuron_steps,
    products,
    tiny,
)
from bench.speed.spread import spread
from bench.speed.workloads import Workload
from bench.training import memory

WARM_UP = 2  # steps of each implementation that are not counted, after the first
COPY_BYTES = 2**30
PRODUCT_WIDTH = 8192
Report = Callable[[str], None]


def run(
    names: Sequence[str], device: torch.device, repeat: int, is_tiny: bool, seconds: float, report: Report
) -> tuple[list[dict[str, Any]], bool]:
    """Rows of ``results/speed-gpu.csv``, written workload by workload unless ``is_tiny``, and whether all ran.

    No workload begins after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    commit, _ = provenance.git()
    common = {**dict.fromkeys(timings.COLUMNS, ""), **check.machine(device), "git_commit": commit}
    common |= {"date": datetime.now(UTC).date().isoformat()}
    bandwidth, rate = ceilings(device, is_tiny)
    common |= {"copy_gb_s": f"{bandwidth / 1e9:.0f}", "tflop_s": f"{rate / 1e12:.1f}"}
    report(f"a copy moves {bandwidth / 1e9:.0f} GB/s, a product in float32 runs at {rate / 1e12:.1f} TFLOP/s")
    rows: list[dict[str, Any]] = []
    complete = True
    missing: dict[str, dict[str, None]] = {}
    for name in names:
        reason = _left_out(name, device, deadline)
        if reason:
            report(f"{name}: left out, {reason}")
            complete = complete and "memory" in reason
            continue
        work = tiny(CARD_WORKLOADS[name]) if is_tiny else CARD_WORKLOADS[name]
        measured, absent = workload_rows(name, work, device, repeat, deadline, report)
        for reason in absent:
            missing.setdefault(reason, {})[name] = None
        measured.append({"implementation": "floor", **floor(work, bandwidth, rate)})
        rows += [common | {"workload": name} | row for row in measured]
        complete = complete and all(row["median_ms"] for row in measured)
        if not is_tiny:
            timings.write([row for row in rows if row["workload"] == name and row["median_ms"]])
    for reason, workloads in missing.items():
        report(f"not timed: {reason} ({', '.join(workloads)})")
    return rows, complete


def _left_out(name: str, device: torch.device, deadline: float) -> str:
    if time.monotonic() > deadline:
        return "the time is up"
    least = MEMORY_GB.get(name, 0.0)
    if device.type == "cuda" and torch.cuda.get_device_properties(device).total_memory < least * 2**30:
        return f"it needs {least:g} GB of the card's memory"
    return ""


def workload_rows(
    name: str, work: Workload, device: torch.device, repeat: int, deadline: float, report: Report
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of one workload, and the reasons of what could not be timed."""
    built: dict[str, steps.Step] = {}
    first: dict[str, float] = {}
    taken: dict[str, list[steps.Times]] = {}
    absent: list[str] = []

    def attempt(implementation: str, act: Callable[[], Any]) -> Any:
        try:
            with torch.device(device):
                return act()
        except steps.Missing as reason:
            absent.append(str(reason))
        except Exception as error:  # the others still count
            text = str(error).strip().splitlines() or [""]
            exhausted = "out of memory" if memory.is_exhausted(error) else f"{type(error).__name__}: {text[0]}"
            absent.append(f"{implementation} failed ({exhausted})")
        built.pop(implementation, None)
        return None

    for implementation in implementations(name):
        torch.manual_seed(0)
        started = time.perf_counter()
        step = attempt(implementation, lambda i=implementation: steps.build(i, work, name not in PUBLIC))  # type: ignore[misc]
        if step is not None:
            built[implementation] = step
            attempt(implementation, lambda s=step: steps.timed(s, device))  # type: ignore[misc]
            first[implementation] = time.perf_counter() - started
        del step
    for turn in range(WARM_UP + repeat):
        if turn > WARM_UP and time.monotonic() > deadline:
            break
        for implementation, step in list(built.items()):
            times = attempt(implementation, lambda s=step: steps.timed(s, device))  # type: ignore[misc]
            if times is not None and turn >= WARM_UP:
                taken.setdefault(implementation, []).append(times)
    rows = []
    for implementation in implementations(name):
        if implementation in taken and implementation in built:
            rows.append(_row(implementation, work, taken[implementation], first[implementation]))
            report(f"{name:18} {implementation:20} {rows[-1]['median_ms']:>9} ms {rows[-1]['peak_mb']:>8} MB")
    if rows and device.type == "cuda":
        clock = attempt(rows[0]["implementation"], lambda: _clocks(built[rows[0]["implementation"]], device)) or {}
        rows = [row | clock for row in rows]
    built.clear()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return rows, absent


def _clocks(step: steps.Step, device: torch.device) -> dict[str, str]:
    """Clock and power of the card while it takes ``step``."""
    uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    return clocks.while_busy(lambda: steps.timed(step, device), uuid)


def _row(implementation: str, work: Workload, taken: list[steps.Times], first: float) -> dict[str, Any]:
    totals = spread([times.total for times in taken])
    forwards = [times.forward for times in taken if times.forward is not None]
    networks = SEEDS if implementation == SEVERAL_SEEDS else 1
    return {
        "implementation": implementation,
        **totals.columns(digits=4),
        "forward_ms": f"{statistics.median(forwards):.4f}" if forwards else "",
        "peak_mb": f"{max(times.peak_mb for times in taken):.0f}",
        "repeats": str(len(taken)),
        "ps_per_neuron_step": f"{1e9 * totals.median / (networks * neuron_steps(work)):.1f}",
        "first_s": f"{first:.2f}",
    }


def floor(work: Workload, bandwidth: float, rate: float) -> dict[str, Any]:
    """The least time of a step in ms, from ``bandwidth`` in bytes/s and ``rate`` in FLOP/s."""
    moving = 1e3 * bytes_moved(work) / bandwidth
    multiplying = 1e3 * products(work) / rate
    least = max(moving, multiplying)
    return {
        "median_ms": f"{least:.4f}",
        "bound": "memory" if moving >= multiplying else "products",
        "ps_per_neuron_step": f"{1e9 * least / neuron_steps(work):.1f}",
    }


def ceilings(device: torch.device, is_tiny: bool) -> tuple[float, float]:
    """Bytes a second of a copy, read and written, and FLOP/s of a product in float32."""
    count = (2**20 if is_tiny else COPY_BYTES) // 4
    width = 64 if is_tiny else PRODUCT_WIDTH
    with torch.device(device):
        source = torch.rand(count)
        target = torch.empty_like(source)
        a = torch.rand(width, width)
        copying = _seconds(lambda: target.copy_(source), device)
        multiplying = _seconds(lambda: a @ a, device)
    return 2 * source.nbytes / copying, 2 * width**3 / multiplying


def _seconds(act: Callable[[], Any], device: torch.device) -> float:
    """Median of a few repetitions, the first one aside."""
    step = steps.Step(act, lambda _: None)
    return statistics.median([steps.timed(step, device).total for _ in range(8)][1:]) / 1e3
