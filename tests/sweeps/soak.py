"""The soak: workers killed every few seconds, connections cut, the server restarted, and in the end every result is
there once and right.

``python -m tests.sweeps.soak`` (``make soak``) runs it at full length on each storage; the suite runs a short one.
"""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench.speed.overhead import TINY
from tests.conftest import ROOT
from tests.sweeps import servers


def command(experiments: int, workers: int, storage: str | None) -> list[str]:
    chosen = ["roles-6", "--column", "XOR", "--row", "Baseline", "--budget", "smoke", "--seeds", str(experiments)]
    settings = [part for text in TINY for part in ("--set", text)]
    storage_options = ["--storage", storage, "--study", "soak"] if storage else []
    return [
        sys.executable,
        "-m",
        "sweeps",
        "table",
        *chosen,
        *settings,
        "--workers",
        str(workers),
        "--threads",
        "1",
        *storage_options,
    ]


def home(folder: Path) -> dict[str, str]:
    """Environment of a home of its own."""
    places = {f"BENCH_{name.upper()}": str(folder / name) for name in ("home", "results", "data")}
    return {**os.environ, **places, "WANDB_MODE": "offline", "BENCH_GRACE": "8", "BENCH_DEATHS": "50"}


def results(folder: Path) -> Counter[tuple[str, ...]]:
    """Finished lines without what differs from run to run, and how often each is in the ledger."""
    path = folder / "home" / "exploratory" / "runs" / "xor.csv"
    lines = csv.DictReader(path.open(encoding="utf-8")) if path.exists() else []
    names = ("experiment", "measure", "protocol", "value", "checkpoint_sha256")
    return Counter(tuple(line[name] for name in names) for line in lines if line["status"] == "ok")


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def undisturbed(folder: Path, experiments: int) -> Counter[tuple[str, ...]]:
    """What one worker gives whom nobody kills."""
    subprocess.run(command(experiments, 1, None), cwd=ROOT, env=home(folder), check=True, capture_output=True)
    return results(folder)


def soak(
    folder: Path,
    experiments: int,
    workers: int,
    storage: str,
    every_s: float,
    server: servers.Postgres | None,
    restarts: int,
) -> tuple[Counter[tuple[str, ...]], int, str]:
    """Results, number of workers killed and what the command said; kills one every ``every_s`` seconds.

    The next one is killed when something was finished since the last, or later: on a busy machine nobody would live to
    finish anything.
    """
    rng = random.Random(experiments)
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command(experiments, workers, storage), cwd=ROOT, env=home(folder), stdout=output, stderr=output
        )
        killed, next_kill, left, finished = 0, time.monotonic() + every_s, restarts, -1
        until = time.monotonic() + 120 + 10 * experiments
        while process.poll() is None:
            time.sleep(0.2)
            if time.monotonic() > until:
                process.kill()
                output.seek(0)
                raise AssertionError(f"not finished in time:\n{output.read()[-3000:]}")
            there = len(results(folder))
            done = there / (2 * experiments)  # two protocols
            if server is not None and left and done > (restarts - left + 1) / (restarts + 1.5):
                server.stop()
                time.sleep(2.0)
                server.start()
                left -= 1
            if server is not None and there:  # who starts while the server is away says so and ends
                server.cut()
            alive = [worker for child in _children(process.pid) for worker in _children(child)]
            if alive and time.monotonic() > next_kill + (0 if there > finished else 10 * every_s):
                os.kill(rng.choice(alive), signal.SIGKILL)
                killed, next_kill, finished = killed + 1, time.monotonic() + every_s, there
        output.seek(0)
        text = output.read()
    assert process.returncode == 0, text[-9000:]
    assert not left, "the server was not restarted as often as asked"
    return results(folder), killed, text


def check(found: Counter[tuple[str, ...]], expected: Counter[tuple[str, ...]], experiments: int) -> None:
    """Raises ``AssertionError`` unless all are there, none twice, all as an undisturbed worker gives them."""
    assert set(found.values()) == {1}, "something is in the ledger twice"
    assert len({key[0] for key in found}) == experiments, "something is lost"
    assert found == expected, "a value differs"


def main() -> None:
    experiments = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begun = time.monotonic()
        expected = undisturbed(folder / "alone", experiments)
        print(f"undisturbed, 1 worker: {time.monotonic() - begun:.0f} s", flush=True)
        for kind, workers in (("postgresql", 4), ("sqlite", 2), ("journal", 4)):
            server = None
            if kind == "postgresql":
                if servers.binaries() is None:
                    print("postgresql: skipped, no server binaries (apt-get install postgresql)", flush=True)
                    continue
                server = servers.Postgres()
            try:
                begun = time.monotonic()
                address = server.address if server else f"{kind}:///{folder}/queue.{kind}"
                restarts = 2 if server else 0
                found, killed, _ = soak(folder / kind, experiments, workers, address, 4.0, server, restarts)
                check(found, expected, experiments)
                more = ", server restarted twice" if server else ""
                took = time.monotonic() - begun
                print(
                    f"{kind}: {experiments} of {experiments}, {workers} workers, {killed} killed{more}, {took:.0f} s",
                    flush=True,
                )
            finally:
                if server:
                    server.remove()


if __name__ == "__main__":
    main()
