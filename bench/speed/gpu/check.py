"""``python -m bench gpu check``: whether the kernels for the GPU give what the plain loop gives, on this card.

The cases are shared out to several processes, since most of the time is the compilation of kernels. The outcome is
remembered for this card, torch, Triton and text of the scan; without it the scan does not use the kernels.
"""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from typing import Any

import torch

from bench.errors import BenchError, unknown
from bench.ledger import provenance
from bench.speed.gpu import cases
from bench.training import libraries
from lightning_modules.scan import outcomes

PROCESSES = 8  # at most
WORST_SHOWN = 3  # lines of a traceback


@dataclass(frozen=True)
class CaseOutcome:
    """Of one case. ``seconds``: its first run, with compilation; ``again``: its second."""

    name: str
    problem: str
    gradient: float
    seconds: float
    again: float


def usable(name: str) -> torch.device:
    """The device called ``name``. Raises ``BenchError`` where the kernels cannot run on it."""
    if name not in ("cuda", "cpu"):
        raise BenchError(f"device {name!r} is not one of cuda, cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise BenchError(
            "torch finds no card here: run this on a machine with one, or try it in the interpreter with"
            " TRITON_INTERPRET=1 and --device cpu"
        )
    if name == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
        raise BenchError("on the CPU the kernels run in Triton's interpreter only: set TRITON_INTERPRET=1")
    return torch.device(name, torch.cuda.current_device()) if name == "cuda" else torch.device(name)


def machine(device: torch.device) -> dict[str, str]:
    """Card, driver and versions, as they are printed and written beside numbers."""
    built = libraries.libraries() if device.type == "cuda" else {}
    known = outcomes.versions(device)
    return {
        "device": known["card"],
        "driver": provenance.cuda_driver(),
        "cuda": built.get("cuda", ""),
        "cudnn": built.get("cudnn", ""),
        "torch": known["torch"],
        "triton": known["triton"],
    }


def run_case(name: str, device: str, tiny: bool) -> CaseOutcome:
    """Run one case twice, in this process."""
    case = cases.cases(cases.TINY if tiny else cases.FULL)[name]
    torch.use_deterministic_algorithms(True)
    times = []
    problem = ""
    gradient = float("nan")
    with torch.device(device):
        for _ in range(1 if tiny else 2):
            torch.manual_seed(0)
            started = time.perf_counter()
            try:
                difference = case()
            except Exception as error:  # the other cases still count
                last = traceback.format_exc(limit=-WORST_SHOWN)
                problem = f"{type(error).__name__}: {error}\n{last}"
                times.append(time.perf_counter() - started)
                break
            times.append(time.perf_counter() - started)
            problem = difference.problem
            gradient = difference.gradient
    return CaseOutcome(name, problem, gradient, times[0], times[-1])


def run(
    device: torch.device,
    tiny: bool,
    processes: int | None,
    report: Callable[[CaseOutcome], None],
    chosen: Sequence[str] = (),
) -> list[CaseOutcome]:
    """Run the ``chosen`` cases on ``device``, or all and remember the outcome. ``report`` is called as each case ends.

    Raises ``BenchError`` for an unknown case, and where a process dies.
    """
    known = list(cases.cases(cases.TINY))
    for name in chosen:
        if name not in known:
            raise unknown("case", name, known)
    names = list(chosen) or known
    count = processes or (1 if device.type == "cpu" else min(PROCESSES, max(1, (os.cpu_count() or 1) // 2)))
    done: list[CaseOutcome] = []
    if count == 1:
        for name in names:
            done.append(run_case(name, str(device), tiny))
            report(done[-1])
    else:
        with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
            futures = [pool.submit(run_case, name, str(device), tiny) for name in names]
            try:
                for future in as_completed(futures):
                    done.append(future.result())
                    report(done[-1])
            except BrokenProcessPool:
                missing = sorted(set(names) - {case.name for case in done})
                raise BenchError(f"a process died; --processes 1 names the case of {', '.join(missing)}") from None
    if not chosen and (not tiny or device.type == "cpu"):  # a tiny check says too little of a card
        _remember(device, done)
    return done


def _remember(device: torch.device, done: list[CaseOutcome]) -> None:
    failed = [case.name for case in done if case.problem]
    details: dict[str, Any] = {"failed": failed, "cases": [asdict(case) for case in done]}
    try:
        outcomes.remember(device, not failed, {**machine(device), **details})
    except OSError as error:
        raise BenchError(f"the outcome cannot be kept ({error}): set BENCH_HOME to a folder of yours") from None
