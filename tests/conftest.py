"""Every test has its own home, results and data folders, and no network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # tests run side by side already: threads that wait for each other cost more than they do
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes by their number: an archive holds the time it was made at, and a test has one name in all processes."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections to anything but this machine fail at once."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address):  # type: ignore[no-untyped-def]
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"no network in tests: {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Own BENCH_HOME, BENCH_RESULTS and BENCH_DATA below ``tmp_path``."""
    make_places(tmp_path, monkeypatch)
    return tmp_path


def make_places(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``folder`` hold home, results and data of this process."""
    for name in ("home", "results", "data"):
        monkeypatch.setenv(f"BENCH_{name.upper()}", str(folder / name))
    monkeypatch.setenv("WANDB_MODE", "offline")
    (folder / "home").mkdir()


def bench(*arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """``python -m bench`` as a user runs it."""
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, env=os.environ.copy())
