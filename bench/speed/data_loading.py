"""python -m bench.speed.data_loading: what the data of a training costs, in time and memory, at the size of the full
sets.

Recordings of random numbers with each set's statistics and sample counts (``datamodules.synthetic``) are packed into a
cache file, and the roles network of the set takes training steps on its batches, given dense and as events. ``python -m
bench speed shd-reading`` does the same with a part of the recordings and writes it into ``results/speed.csv``.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from bench import paths
from bench.commands.base import as_json

SHARE = 0.05  # of the recordings, for speed.csv
SETS = {"shd-reading": "shd", "nmnist-reading": "nmnist", "dvs-gesture-reading": "dvs-gesture"}  # workload: task


def rows(workload: str, repeat: int, threads: int, processor_time: bool) -> list[dict[str, Any]]:
    """Rows of ``speed.csv``: "step", and making its batch in each form; no times where it failed."""
    found = alone(SETS[workload], repeat, threads, SHARE, processor_time)
    if not found:
        return [{"workload": workload, "implementation": "step", "median_ms": ""}]
    return [
        {
            "workload": workload,
            "implementation": name,
            **{column: f"{value:.2f}" for column, value in zip(("median_ms", "p10_ms", "p90_ms"), times, strict=True)},
            "peak_mb": f"{found['training_mb']:.0f}",
            "torch": found["torch"],
        }
        for name, times in found["ms"].items()
    ]


def alone(name: str, repeat: int, threads: int, share: float, processor_time: bool) -> dict[str, Any] | None:
    """``measure`` in a process of its own, whose memory is measured; ``None`` where it failed, which is on the
    screen.
    """
    command = [sys.executable, "-m", "bench.speed.data_loading", name, "--serve"]
    command += ["--repeat", str(repeat), "--threads", str(threads), "--share", str(share)]
    command += ["--processor-time"] if processor_time else []
    done = subprocess.run(command, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def shares(found: dict[str, Any]) -> dict[str, float]:
    """Per cent of a training step that making its batch takes, by form."""
    return {name: 100 * times[0] / found["ms"]["step"][0] for name, times in found["ms"].items() if name != "step"}


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: the share of a training step that reading takes."""
    lines = ["| workload | step ms | dense batch ms | % | batch of events ms | % |", "| --- |" + " ---: |" * 5]
    for name in dict.fromkeys(row["workload"] for row in rows):
        ms = {
            row["implementation"]: float(row["median_ms"])
            for row in rows
            if row["workload"] == name and row["median_ms"]
        }
        cells = [
            f"{ms[key]:.1f}" + (f" | {100 * ms[key] / ms['step']:.1f}" if key != "step" else "") if key in ms else " | "
            for key in ("step", "dense", "events")
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def measure(
    name: str, repeat: int, threads: int, share: float, clock: Callable[[], float], folder: Path
) -> dict[str, Any]:
    """Pack ``share`` of the recordings of task ``name`` into ``folder``, then train ``repeat`` steps. Times in s and
    ms, sizes in MB.
    """
    import torch

    import datamodules
    from bench.papers.registry import MODELS, TASKS
    from bench.spec.experiment import Experiment
    from datamodules import cache, recordings, synthetic
    from datamodules.event_data import EventData
    from datamodules.packed import Packed
    from datamodules.sources import SOURCES
    from lightning_modules.spiking import SpikingModule

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    config = {**Experiment(TASKS[name], MODELS["lif"], 0, "paper").config, "seed": 0}
    data = datamodules.build(config["data"], config["data_settings"], config["batch_size"], 0)
    assert isinstance(data, EventData)
    samples = max(50, round(share * sum(SOURCES[name].samples.values())))
    reading = recordings.Reading(getattr(synthetic, data.reader), folder, str(samples), data.transform, data.classes)
    begun, writer = time.perf_counter(), cache.Writer(folder / "train.pack")
    report = recordings.pack(reading, reading.rows(None, samples), writer)
    writer.finish({})
    writer.close()
    packing, packing_mb = (
        time.perf_counter() - begun,
        max(_peak_mb(resource.RUSAGE_SELF), _peak_mb(resource.RUSAGE_CHILDREN)),
    )
    packed = Packed.of(cache.load(writer.path), data.transform.steps, data.transform.channels)
    rows = torch.arange(max(samples, 4 * data.batch_size)).numpy() % samples
    data.sets, data.rows = dict.fromkeys(data.splits, packed), dict.fromkeys(data.splits, rows)

    module = SpikingModule(config)
    optimiser = torch.optim.Adam(module.parameters(), config["lr"])
    forms = ("dense", *(("events",) if packed.frames is None and module.network.takes_events else ()))
    taken: dict[str, list[float]] = {"step": [], **{form: [] for form in forms}}
    streams: dict[str, Iterator[Any]] = {form: iter(()) for form in forms}
    for turn in range(repeat + 2):  # two to warm up: compiling, and the memory that is used again
        for form in forms:
            data.form, begun = form, clock()
            batch = next(streams[form], None)
            if batch is None or len(batch[1]) < data.batch_size:  # an epoch's short last batch is no measure
                streams[form] = iter(data.train_batches(lambda: 0))
                begun = clock()
                batch = next(streams[form])
            made = clock()
            loss, _ = module.objective(module.network(batch[0]), batch[1], **module.loss_settings)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if turn > 1:
                taken[form].append(1e3 * (made - begun))
                taken["step"] += [1e3 * (clock() - made)] if form == forms[-1] else []
            del batch, loss
    return {
        "set": name,
        "recordings": samples,
        "events": report["events"],
        "packing_s": packing,
        "cache_mb": writer.path.stat().st_size / 2**20,
        "packing_mb": packing_mb,
        "training_mb": _peak_mb(resource.RUSAGE_SELF),
        "ms": {key: _spread(times) for key, times in taken.items()},
        "torch": torch.__version__,
    }


def _spread(times: list[float]) -> tuple[float, float, float]:
    """Median, 10 % and 90 %."""
    ordered = sorted(times)
    low, high = (ordered[min(len(ordered) - 1, round(q * (len(ordered) - 1)))] for q in (0.1, 0.9))
    return statistics.median(ordered), low, high


def _peak_mb(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(SETS.values())))
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
    names: tuple[str, ...], share: float, repeat: int, threads: int, processor_time: bool, serve: bool, as_json: bool
) -> None:
    clock, threads = (time.process_time, 1) if processor_time else (time.perf_counter, threads)
    if serve:
        with tempfile.TemporaryDirectory(prefix="reading-") as folder:
            return click.echo(json.dumps(measure(names[0], repeat, threads, share, clock, Path(folder))))
    found = [alone(name, repeat, threads, share, processor_time) for name in names or SETS.values()]
    if None in found:
        sys.exit(1)
    if as_json:
        return click.echo(json.dumps(found))
    head = (
        "set | recordings | events | packing s | cache MB | packing, MB at most | training, MB at most | step ms |"
        " batch ms"
    )
    click.echo(f"| {head} (of the step) |\n| --- |" + " ---: |" * 8)
    for one in found:
        assert one is not None
        forms = ", ".join(f"{form} {one['ms'][form][0]:.1f} ({part:.1f} %)" for form, part in shares(one).items())
        sizes = (one["packing_s"], one["cache_mb"], one["packing_mb"], one["training_mb"], one["ms"]["step"][0])
        click.echo(
            f"| {one['set']} | {one['recordings']:,} | {one['events']:,} | "
            + " | ".join(f"{x:,.0f}" for x in sizes)
            + f" | {forms} |"
        )


if __name__ == "__main__":
    main()
