"""A lock is held by one process at a time, is free once its holder is dead, and fails with a clear reason."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
from filelock import FileLock

from datamodules.locks import LockError, locked
from tests.conftest import ROOT

HOLD = """
import sys, time
from pathlib import Path
from datamodules.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "a.lock"


def holder(path: Path) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    return process


def test_a_lock_can_be_taken_again_and_again_and_not_twice_at_once(path: Path) -> None:
    for _ in range(2):
        with locked(path) as held:
            assert held
            with locked(path, wait=False) as held_twice:
                assert not held_twice
            with locked(path, wait=False) as held_twice:
                assert not held_twice, "leaving an attempt that failed does not free the lock"


def test_the_lock_of_a_killed_process_is_free_at_once(path: Path) -> None:
    process = holder(path)
    with locked(path, wait=False) as held:
        assert not held
    waiting = Mock(side_effect=lambda: process.send_signal(signal.SIGKILL))
    with locked(path, waiting) as held:
        assert held
    waiting.assert_called_once_with()
    assert process.wait() == -signal.SIGKILL
    with locked(path, waiting) as held:
        assert held
    waiting.assert_called_once_with()


def test_a_folder_that_cannot_be_written_names_the_reason(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("a file")
    with pytest.raises(LockError) as error, locked(tmp_path / "locks" / "a.lock"):
        pass
    assert error.value.strerror == "File exists" and error.value.errno == errno.EEXIST


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (OSError(errno.ENOLCK, "No locks available"), "a disk without locks: No locks available"),
        (NotImplementedError("no flock"), "a disk without locks: no flock"),
    ],
)
def test_a_disk_without_locks_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, reason: str
) -> None:
    monkeypatch.setattr(FileLock, "_acquire", Mock(side_effect=failure))
    with pytest.raises(LockError) as error, locked(path):
        pass
    assert error.value.strerror == reason


@pytest.mark.parametrize("fail", [lambda: 1 / 0, lambda: Path("nothing/here").read_text()])
def test_an_error_inside_the_block_is_passed_on_and_frees_the_lock(path: Path, fail: Callable[[], object]) -> None:
    with pytest.raises((ZeroDivisionError, FileNotFoundError)), locked(path):
        fail()
    with locked(path, wait=False) as held:
        assert held
