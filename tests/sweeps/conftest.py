"""Storages and jobs for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.measures import ACCURACY
from bench.papers.registry import MODELS, TASKS
from bench.plan import Job
from bench.spec.experiment import Experiment
from tests.sweeps import servers


def job(seed: int = 0, model: str = "lif") -> Job:
    """A job that need not run."""
    return Job(Experiment(TASKS["xor"], MODELS[model], seed, "smoke"), (ACCURACY,), ("roles-6",))


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
