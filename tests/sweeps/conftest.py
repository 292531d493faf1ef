"""Storages and jobs for tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.ledger import provenance, store
from bench.ledger.new_lines import new_lines
from bench.measures import ACCURACY
from bench.papers.registry import MODELS, TASKS
from bench.plan import Job
from bench.spec.experiment import Experiment
from sweeps import collecting
from sweeps.queue import Queue
from sweeps.worker import SIGNALS
from tests.sweeps import servers


def job(seed: int = 0, model: str = "lif") -> Job:
    """A job that need not run."""
    return Job(Experiment(TASKS["xor"], MODELS[model], seed, "smoke"), (ACCURACY,), ("roles-6",))


def ok(job: Job, value: float = 50.0) -> list[store.Line]:
    """The ledger lines of ``job`` with a result."""
    (line,) = new_lines(job.experiment, job.measures, "ok", "")
    return [replace(line, value=value, protocol="last", epoch=1, environment=provenance.environment("cpu", 1))]


def enqueue(queue: Queue, *jobs: Job, seconds: float | None = None, **more: object) -> int:
    with queue.planning():
        return len(queue.enqueue([(j, seconds) for j in jobs], **more))  # type: ignore[arg-type]


def collect(queue: Queue) -> list[str]:
    """The experiments of the records that go into the ledger now."""
    with queue.planning():
        return [record.experiment for record in collecting.collect(queue)]


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    """Handlers that a test installs do not stay."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Postgres]:
    """A server for the whole session; tests name studies of their own."""
    if servers.binaries() is None:
        pytest.skip("no PostgreSQL server binaries (apt-get install postgresql)")
    server = servers.Postgres()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql", "journal"])
def storage(request: pytest.FixtureRequest, places: Path) -> str:
    """The address of an empty storage of each kind."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres").address
    return f"{request.param}:///{places}/queue.{request.param}"


@pytest.fixture
def study(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A study of the test's own; workers elsewhere count as dead after a few seconds."""
    monkeypatch.setenv("BENCH_GRACE", "4")
    return request.node.name
