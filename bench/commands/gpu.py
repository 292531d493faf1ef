"""``gpu``: check, time and compile the kernels for cards. torch is loaded where a command runs."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from bench.commands.base import as_json, print_json
from bench.errors import BenchError, unknown

if TYPE_CHECKING:
    from bench.speed.gpu.check import CaseOutcome

device_option = click.option(
    "--device",
    default="cuda",
    show_default=True,
    help="cuda, or cpu: there the kernels run in Triton's interpreter (TRITON_INTERPRET=1), to try the command.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def gpu() -> None:
    """Check and time the kernels for the GPU, on a machine with a card; compile them on any machine."""


@gpu.command()
@device_option
@click.option("--tiny", is_flag=True, help="Few steps and neurons, each case once. Always so on the CPU.")
@click.option("--processes", type=click.IntRange(1), help="Cases at a time. [default: half of the cores, at most 8]")
@click.option("--case", "names", multiple=True, help="Only this case, and nothing is remembered; repeatable.")
@as_json
def check(device: str, tiny: bool, processes: int | None, names: tuple[str, ...], as_json: bool) -> None:
    """Compare the kernels with the plain loop: every neuron, every kind of network. The outcome is remembered: where it
    is good, networks use the kernels. The exit code is 1 if a case failed.
    """
    from bench.speed.gpu import check as checking

    chosen = checking.usable(device)
    started = time.perf_counter()
    if not as_json:
        click.echo(", ".join(f"{name} {value}" for name, value in checking.machine(chosen).items() if value))
    silent = lambda case: None  # noqa: E731
    report = silent if as_json else _print_case
    done = checking.run(chosen, tiny or chosen.type == "cpu", processes, report, names)
    failed = [case.name for case in done if case.problem]
    seconds = time.perf_counter() - started
    compiling = sum(max(0.0, case.seconds - case.again) for case in done)
    if as_json:
        cases = [vars(case) for case in done]
        print_json({**checking.machine(chosen), "passed": not failed, "seconds": seconds, "cases": cases})
    else:
        words = f"all {len(done)} cases passed"
        if failed:
            words = f"{len(failed)} of {len(done)} cases failed: {', '.join(failed)}"
        click.echo(f"{words}; {seconds:.0f} s, {compiling:.0f} s of all processes went into compilation")
    if failed:
        sys.exit(1)


@gpu.command()
@click.argument("workloads", nargs=-1)
@device_option
@click.option("--tiny", is_flag=True, help="Few neurons and steps, to try the command: nothing is written.")
@click.option("--repeat", default=9, show_default=True, type=click.IntRange(1), help="Steps of each implementation.")
@click.option("--seconds", default=300.0, show_default=True, help="No workload begins later.")
def speed(workloads: tuple[str, ...], device: str, tiny: bool, repeat: int, seconds: float) -> None:
    """Time training steps of WORKLOADS (default: all): the kernels, the plain loop, peers that are installed, an LSTM
    beside recurrent layers, and the floor. Writes results/speed-gpu.csv and results/README.md.
    """
    from bench.ledger import store
    from bench.report import render as rendering
    from bench.speed.gpu import check as checking
    from bench.speed.gpu import speed as timing
    from bench.speed.gpu import timings
    from bench.speed.gpu.workloads import CARD_WORKLOADS

    for name in workloads:
        if name not in CARD_WORKLOADS:
            raise unknown("workload", name, CARD_WORKLOADS)
    chosen = checking.usable(device)
    if chosen.type == "cpu" and not tiny:
        raise BenchError("on the CPU the kernels are interpreted: their times say nothing; try the command with --tiny")
    rows, complete = timing.run(workloads or tuple(CARD_WORKLOADS), chosen, repeat, tiny, seconds, click.echo)
    click.echo(timings.markdown(rows))
    if not tiny:
        rendering.render([], store.read())
    if not complete:
        sys.exit(1)


@gpu.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option("--neuron", "neurons", multiple=True, help="Only this neuron; repeatable. [default: all]")
def resources(targets: tuple[str, ...], neurons: tuple[str, ...]) -> None:
    """Compile the kernels for TARGETs (sm_80, sm_90, gfx942; default: all that Triton has) and print what they need:
    registers, spilled bytes and shared memory. No card is needed.
    """
    if find_spec("triton") is None:
        raise BenchError("the kernels are compiled by Triton, which is not installed: pip install triton")
    from lightning_modules.scan import gpu_resources

    try:
        made = gpu_resources.table(gpu_resources.resources(neurons or None, targets or None))
    except ValueError as error:
        raise BenchError(str(error)) from None
    click.echo(made)


def _print_case(case: CaseOutcome) -> None:
    word = "FAILED" if case.problem else "ok"
    click.echo(f"{case.name:50} {word:6} gradients {case.gradient:.1e}  {case.seconds:6.2f} s")
    if case.problem:
        click.echo(f"  {case.problem}", err=True)
