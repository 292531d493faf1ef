"""Speed of the queue: ``python -m tests.sweeps.queue_speed``. Nothing is trained.

For each storage and number of queued experiments: seconds to queue them, to show their status, and of a claim. Then
claims a second of several worker processes on one PostgreSQL server.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from sweeps import status
from sweeps.queue import Queue
from tests.sweeps import servers
from tests.sweeps.conftest import job, ok

CLAIMS = 100  # of one process


def fill(address: str, study: str, count: int) -> float:
    """Queue ``count`` experiments in ``study``; the seconds that it took."""
    jobs = [(job(seed), float(seed % 100)) for seed in range(count)]
    queue = Queue(address, study)
    started = time.perf_counter()
    with queue.planning():
        queue.enqueue(jobs)
    return time.perf_counter() - started


def claim_times(address: str, study: str, claims: int, start: Any = None) -> list[float]:
    """Seconds of each of ``claims`` claims; every experiment is finished at once. ``start`` is a barrier to wait at."""
    queue = Queue(address, study)
    ok(job())  # asks for the environment, once a process
    if start is not None:
        start.wait()
    times = []
    for _ in range(claims):
        started = time.perf_counter()
        claim = queue.claim()
        times.append(time.perf_counter() - started)
        if claim is None:
            break
        queue.finish(claim, ok(claim.job))
    return times


def row(name: str, address: str, count: int) -> str:
    study = f"{name}-{count}"
    queued = fill(address, study, count)
    started = time.perf_counter()
    status.all_states(address, study)
    shown = time.perf_counter() - started
    times = [1000 * seconds for seconds in claim_times(address, study, CLAIMS)]
    return (
        f"| {name} | {count:,} | {queued:.1f} s | {shown:.2f} s | {times[0]:.0f} ms | {statistics.median(times):.0f} ms"
        f" | {max(times):.0f} ms |"
    )


def claims_a_second(address: str, workers: int, claims: int) -> float:
    """Claims and records a second of ``workers`` processes that claim from one study at the same time."""
    study = f"workers-{workers}"
    fill(address, study, workers * claims)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(workers + 1)
    arguments = (address, study, claims, start)
    processes = [context.Process(target=claim_times, args=arguments, daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    start.wait()
    started = time.perf_counter()
    for process in processes:
        process.join()
    return workers * claims / (time.perf_counter() - started)


@click.command()
@click.option("--count", "counts", type=int, multiple=True, default=(1_000, 100_000), show_default=True)
@click.option("--workers", type=int, multiple=True, default=(2, 8, 16, 32), show_default=True)
@click.option("--claims", default=CLAIMS, show_default=True, help="Of each worker process.")
def main(counts: tuple[int, ...], workers: tuple[int, ...], claims: int) -> None:
    """Print tables in Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"BENCH_HOME": f"{folder}/home", "BENCH_RESULTS": f"{folder}/results"}
        server = servers.Postgres()
        try:
            click.echo("| storage | queued | queueing | status | first claim | median claim | longest claim |")
            click.echo("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
            for count in counts:
                for name, address in (
                    ("SQLite", f"sqlite:///{Path(folder)}/{count}.db"),
                    ("PostgreSQL", server.address),
                ):
                    click.echo(row(name, address, count))
            click.echo("\n| worker processes | claims and records a second |\n| ---: | ---: |")
            for number in workers:
                click.echo(f"| {number} | {claims_a_second(server.address, number, claims):.0f} |")
        finally:
            server.remove()


if __name__ == "__main__":
    main()
