"""python -m bench.speed.data_loading: time and memory that the data of a training takes, at the size of the full sets.

Recordings of random events with the statistics and sample counts of each set (``datamodules.synthetic``) are packed
into a cache file. The network that the roles paper trains on the set then takes training steps on batches from it,
dense and as events. ``python -m bench speed shd-reading`` does the same with a part of the recordings and writes the
times to ``results/speed.csv``.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench import paths
from bench.commands.base import as_json
from bench.speed import memory
from bench.speed.spread import Spread, spread

if TYPE_CHECKING:
    from datamodules.event_data import EventData
    from lightning_modules.spiking import SpikingModule

SHARE = 0.05  # of the recordings, for results/speed.csv
TASK_NAMES = {  # by workload
    "shd-reading": "shd",
    "nmnist-reading": "nmnist",
    "nmnist-7-reading": "nmnist-7",
    "dvs-gesture-reading": "dvs-gesture",
}
WARM_UP = 2  # steps that compile kernels and allocate memory, which are not counted


def rows(workload: str, repeat: int, threads: int, processor_time: bool) -> list[dict[str, Any]]:
    """Rows of ``results/speed.csv``: "step", and making its batch in each form. There are no times if it failed."""
    common = {"workload": workload, "threads": threads}
    measured = measure_in_process(TASK_NAMES[workload], repeat, threads, SHARE, processor_time)
    if not measured:
        return [common | {"implementation": "step", "median_ms": ""}]
    common |= {"peak_mb": f"{measured['training_mb']:.0f}", "torch": measured["torch"]}
    return [
        common | {"implementation": name} | Spread(*times).columns(digits=2) for name, times in measured["ms"].items()
    ]


def measure_in_process(
    task: str, repeat: int, threads: int, share: float, processor_time: bool
) -> dict[str, Any] | None:
    """``measure`` in a process of its own, so that the memory is that of this task alone. Gives ``None`` if it failed;
    its error is on the screen.
    """
    command = [sys.executable, "-m", "bench.speed.data_loading", task, "--serve"]
    command += ["--repeat", str(repeat), "--threads", str(threads), "--share", str(share)]
    command += ["--processor-time"] if processor_time else []
    process = subprocess.run(command, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)
    return json.loads(process.stdout) if process.returncode == 0 else None


def batch_shares(measured: dict[str, Any]) -> dict[str, float]:
    """Time that making a batch takes, in % of the training step, for each form of batch."""
    step = measured["ms"]["step"][0]
    return {form: 100 * times[0] / step for form, times in measured["ms"].items() if form != "step"}


def markdown(rows: list[dict[str, Any]]) -> str:
    """Markdown of ``rows`` of ``results/speed.csv``: times of a step and of making its batch."""
    lines = ["| workload | step ms | dense batch ms | % | batch of events ms | % |", "| --- |" + " ---: |" * 5]
    for workload in dict.fromkeys(row["workload"] for row in rows):
        ms = {
            row["implementation"]: float(row["median_ms"])
            for row in rows
            if row["workload"] == workload and row["median_ms"]
        }
        cells = [f"{ms['step']:.1f}" if "step" in ms else " | "]
        for form in ("dense", "events"):
            cells.append(f"{ms[form]:.1f} | {100 * ms[form] / ms['step']:.1f}" if form in ms else " | ")
        lines.append(f"| {workload} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def measure(
    task: str, repeat: int, threads: int, share: float, clock: Callable[[], float], folder: Path
) -> dict[str, Any]:
    """Pack ``share`` of the recordings of ``task`` into ``folder``, then take ``repeat`` training steps.

    Gives plain types: times in s and ms, sizes in MB.
    """
    import torch

    import datamodules
    from bench.papers.registry import MODELS, TASKS
    from bench.spec.experiment import Experiment
    from datamodules.event_data import EventData
    from datamodules.sources import SOURCES
    from lightning_modules.spiking import SpikingModule

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    config = {**Experiment(TASKS[task], MODELS["lif"], 0, "paper").config, "seed": 0}
    data = datamodules.build(config["data"], config["data_settings"], config["batch_size"], 0)
    assert isinstance(data, EventData)
    recordings = max(50, round(share * sum(SOURCES[task].samples.values())))
    packing = pack(data, task, recordings, folder)
    times = step_times(SpikingModule(config), data, config["lr"], repeat, clock)
    return {
        "set": task,
        "recordings": recordings,
        **packing,
        "training_mb": memory.largest_mb(),
        "ms": {name: spread(values) for name, values in times.items()},
        "torch": torch.__version__,
    }


def pack(data: EventData, task: str, count: int, folder: Path) -> dict[str, Any]:
    """Pack ``count`` synthetic recordings into ``folder`` and let ``data`` read them. Gives time and size."""
    import numpy as np

    from datamodules import cache, recordings, synthetic
    from datamodules.packed import PackedSplit

    reading = recordings.Reading(getattr(synthetic, data.reader), folder, str(count), data.transform, data.classes)
    start = time.perf_counter()
    writer = cache.Writer(folder / "train.pack")
    report = recordings.pack(reading, reading.rows(None, count), writer)
    writer.finish({})
    writer.close()
    seconds = time.perf_counter() - start
    largest_mb = max(memory.largest_mb(), memory.largest_mb(resource.RUSAGE_CHILDREN))
    packed = PackedSplit.of(cache.load(writer.path), data.transform.steps, data.transform.channels)
    rows = np.arange(max(count, 4 * data.batch_size)) % count
    data.sets = dict.fromkeys(data.splits, packed)
    data.rows = dict.fromkeys(data.splits, rows)
    return {
        "events": report["events"],
        "packing_s": seconds,
        "cache_mb": writer.path.stat().st_size / 2**20,
        "packing_mb": largest_mb,
    }


def step_times(
    module: SpikingModule, data: EventData, lr: float, repeat: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Times in ms of ``repeat`` training steps ("step") and of making their batches, "dense" and as "events"."""
    import torch

    optimiser = torch.optim.Adam(module.parameters(), lr)
    takes_events = data.sets["train"].frames is None and module.network.takes_events
    forms = ("dense", "events") if takes_events else ("dense",)
    times: dict[str, list[float]] = {"step": [], **{form: [] for form in forms}}
    streams: dict[str, Iterator[Any]] = {form: iter(()) for form in forms}
    for turn in range(WARM_UP + repeat):
        for form in forms:
            data.form = form
            start = clock()
            batch = next(streams[form], None)
            if batch is None or len(batch[1]) < data.batch_size:  # the last batch of an epoch is shorter
                streams[form] = iter(data.train_batches(lambda: 0))
                start = clock()
                batch = next(streams[form])
            made = clock()
            loss, _ = module.objective(module.network(batch[0]), batch[1], **module.loss_settings)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            end = clock()
            if turn >= WARM_UP:
                times[form].append(1e3 * (made - start))
                if form == forms[-1]:
                    times["step"].append(1e3 * (end - made))
            del batch, loss
    return times


@click.command(help=__doc__)
@click.argument("tasks", nargs=-1, type=click.Choice(list(TASK_NAMES.values())))
@click.option(
    "--share",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="Of the set's recordings.",
)
@click.option("--repeat", default=7, show_default=True, type=click.IntRange(1), help="Training steps.")
@click.option("--threads", default=os.cpu_count(), type=click.IntRange(1), help="torch threads (default: all)")
@click.option(
    "--processor-time", is_flag=True, help="For a busy machine: processor time of steps and batches, on one thread."
)
@click.option("--serve", is_flag=True, hidden=True)
@as_json
def main(
    tasks: tuple[str, ...], share: float, repeat: int, threads: int, processor_time: bool, serve: bool, as_json: bool
) -> None:
    clock = time.process_time if processor_time else time.perf_counter
    threads = 1 if processor_time else threads
    if serve:
        with tempfile.TemporaryDirectory(prefix="reading-") as folder:
            return click.echo(json.dumps(measure(tasks[0], repeat, threads, share, clock, Path(folder))))
    measured = []
    for task in tasks or TASK_NAMES.values():
        result = measure_in_process(task, repeat, threads, share, processor_time)
        if result is None:
            sys.exit(1)
        measured.append(result)
    if as_json:
        return click.echo(json.dumps(measured))
    head = (
        "set | recordings | events | packing s | cache MB | packing, MB at most | training, MB at most | step ms |"
        " batch ms"
    )
    click.echo(f"| {head} (of the step) |\n| --- |" + " ---: |" * 8)
    for result in measured:
        ms = result["ms"]
        batches = ", ".join(f"{form} {ms[form][0]:.1f} ({part:.1f} %)" for form, part in batch_shares(result).items())
        numbers = [result[name] for name in ("packing_s", "cache_mb", "packing_mb", "training_mb")]
        cells = [f"{number:,.0f}" for number in (*numbers, ms["step"][0])]
        counts = f"| {result['set']} | {result['recordings']:,} | {result['events']:,} | "
        click.echo(counts + " | ".join(cells) + f" | {batches} |")


if __name__ == "__main__":
    main()
