"""Storages that go away, break, fill up or are torn: waited for, mended, or said in one message."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from optuna.exceptions import StorageInternalError

from bench.errors import BenchError
from sweeps import database
from sweeps import storage as storages
from sweeps.database import Database
from sweeps.journal import Journal
from sweeps.queue import Queue
from tests.sweeps import servers
from tests.sweeps.conftest import job


def test_a_lock_that_was_taken_away_and_a_write_that_failed_do_no_harm_to_the_journal(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, fsync, failures = Queue(f"journal:///{places}/q.journal", "s"), os.fsync, [OSError("input/output error")]

    def failing(handle: int) -> None:
        (places / "q.journal.lock").unlink()  # as another does who has waited for the grace
        if failures:
            raise failures.pop()
        fsync(handle)

    monkeypatch.setattr("sweeps.journal.os.fsync", failing)
    with queue.planning():
        assert len(queue.enqueue([(job(), None)])) == 1
    assert not failures
    assert len(queue.storage.waiting(queue.study_id)) == 1


def test_a_disk_that_takes_half_of_a_record_leaves_the_journal_as_it_was_and_is_waited_for(
    places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    path = places / "q.journal"
    queue, reader, full, is_open = Queue(str(path), "s"), Queue(str(path), "s"), [1, 2], Path.open

    class Disk(FileIO):
        def write(self, text: Any) -> int:
            return super().write(text[: 3 * len(text) // 4] if full and full.pop() else text)

    def opened(self: Path, mode: str = "r", *more: Any, **named: Any) -> Any:
        return Disk(self, "a") if mode == "ab" else is_open(self, mode, *more, **named)

    monkeypatch.setattr(Path, "open", opened)
    with queue.planning():
        assert len(queue.enqueue([(job(), None)])) == 1
    assert not full
    assert capsys.readouterr().err == f"waiting for journal {path}: No space left on device\n"
    assert (
        len(reader.storage.waiting(reader.study_id)) == len(Queue(str(path), "s").storage.waiting(queue.study_id)) == 1
    )
    assert not list(places.glob("*.damaged-*"))


def test_a_journal_cut_off_in_the_middle_of_a_line_is_mended_and_a_copy_kept(places: Path) -> None:
    path = places / "q.journal"
    queue = Queue(str(path), "s")
    with queue.planning():
        queue.enqueue([(job(0), None), (job(1), None)])
    complete = path.read_bytes()
    path.write_bytes(complete[:-25])
    mended = Queue(str(path), "s")
    assert [c.name for c in places.glob("q.journal.damaged-*")] == ["q.journal.damaged-1"]
    assert (places / "q.journal.damaged-1").read_bytes() == complete[:-25]
    assert len(mended.storage.waiting(mended.study_id)) == 1
    with mended.planning():
        assert len(mended.enqueue([(job(0), None), (job(1), None)])) == 1
    with path.open("ab") as file:  # torn while it is open: the next writer mends it
        file.write(b'{"op_code": 4, "wor')
    assert mended.claim() is not None
    assert len(Queue(str(path), "s").storage.waiting(mended.study_id)) == 1


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ("{}", "it has no operation"),
        ('{"op_code":42,"worker_id":"w"}', "operation 42 is unknown to this version of Optuna"),
        ('{"op_code":"4","worker_id":"w"}', "operation '4' is unknown"),
        ('{"op_code":[4],"worker_id":"w"}', "unknown"),
        ('{"op_code":9,"worker_id":"w"}', "a record without system_attr, trial_id"),
        ('{"op_code":4,"study_id":0,"datetime_start":null}', "a record without worker_id"),
    ],
)
def test_a_line_of_a_journal_that_is_no_record_is_named(places: Path, record: str, problem: str) -> None:
    path = places / "q.journal"
    queue = Queue(str(path), "s")
    with queue.planning():
        queue.enqueue([(job(0), None)])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], record, *lines[1:], ""]))
    before = path.read_bytes()
    with pytest.raises(BenchError, match=r"q\.journal:2: ") as error:
        Queue(str(path), "s")
    assert problem in str(error.value) and path.read_bytes() == before


@pytest.mark.parametrize(
    "reason",
    ["attempt to write a readonly database", "database or disk is full", "database disk image is malformed"],
)
def test_a_queue_file_that_cannot_be_written_is_one_message_with_its_name(reason: str) -> None:
    def write() -> None:
        raise StorageInternalError from sqlalchemy.exc.OperationalError("q", {}, sqlite3.OperationalError(reason))

    with pytest.raises(BenchError, match=rf"sqlite:////home/queue\.db cannot be used: {reason}"):
        database.retry(write, "sqlite:////home/queue.db")


def test_a_storage_that_is_away_is_waited_for(
    storage: str, places: Path, study: str, request: pytest.FixtureRequest
) -> None:
    """The server is stopped, the shared file is gone, the database is locked by somebody."""
    queue = Queue(storage, study)
    with queue.planning():
        queue.enqueue([(job(), None)])
    path = Path(storage.partition("///")[2])
    if storage.startswith("postgresql"):
        server = request.getfixturevalue("postgres")
        leave, come_back = server.stop, server.start
    elif storage.startswith("journal"):
        moved = path.with_suffix(".aside")
        leave, come_back = partial(path.rename, moved), partial(moved.rename, path)
    else:
        holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        leave, come_back = partial(holder.execute, "BEGIN EXCLUSIVE"), partial(holder.execute, "COMMIT")
    leave()
    timer = threading.Timer(2.0, come_back)
    timer.start()
    begun = time.monotonic()
    assert queue.claim() is not None
    assert time.monotonic() - begun > 1.5
    timer.join()


def test_a_storage_that_cannot_be_used_says_why(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BenchError, match="not an address; known: sqlite"):
        storages.connect("mysql://somewhere/x")
    with pytest.raises(BenchError, match="cannot be used"):
        storages.connect(f"postgresql://a:secret@127.0.0.1:{servers.free_port()}/x")
    (places / "text.db").write_text("not a database " * 100)
    with pytest.raises(BenchError, match="not a database"):
        storages.connect(f"sqlite:///{places}/text.db")
    monkeypatch.setattr(storages, "file_system", lambda folder: "nfs4")
    with pytest.raises(BenchError, match="network disk"):
        storages.connect(f"sqlite:///{places}/q.db")


def test_waiting_for_the_lock_outlives_a_connection_that_breaks(postgres: servers.Postgres, places: Path) -> None:
    """A server that restarts while a process waits for its turn must not keep that process waiting on a dead
    connection.
    """
    holder, waiter = (Database(postgres.address.replace("postgresql", "postgresql+psycopg", 1)) for _ in range(2))
    entered = threading.Event()

    def wait() -> None:
        with waiter.exclusive():
            entered.set()

    with holder.exclusive():
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        for _ in range(1200):
            waiting = holder.query("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if waiting:
                break
            time.sleep(0.05)
        holder.query("SELECT pg_terminate_backend(:pid)", pid=waiting[0][0])
        assert not entered.wait(0.5), "the lock is held by another"
    assert entered.wait(60), "it waits on a connection that is gone"
    thread.join()


def test_who_stands_still_where_it_is_alone_keeps_nobody_waiting_for_ever(
    postgres: servers.Postgres, places: Path, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "IDLE_S", 1)
    holder, other = Queue(postgres.address, study), Queue(postgres.address, study)
    with holder.storage.exclusive():
        assert other.enqueue([(job(), None)]) == [job().experiment.id]
    assert holder.enqueue([(job(), None)]) == []


def test_who_has_lost_its_turn_with_its_connection_queues_nothing_twice(
    postgres: servers.Postgres, places: Path, study: str
) -> None:
    """A server that restarts forgets who held its lock: another may add before the one that held it does."""
    first, second = Queue(postgres.address, study), Queue(postgres.address, study)
    added: list[str] = []

    def executed(connection: object, cursor: object, statement: str, *_: object) -> None:
        if "FOR UPDATE" in statement and not added:
            holders = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            assert second.storage.query(holders)
            added.extend(second.enqueue([(job(0), None), (job(1), None)]))

    sqlalchemy.event.listen(first.storage.engine, "before_cursor_execute", executed)
    with first.planning():
        assert first.enqueue([(job(1), None), (job(2), None)]) == [job(2).experiment.id]
    assert added == [job(0).experiment.id, job(1).experiment.id]
    assert len(second.storage.waiting(second.study_id)) == 3


def test_a_wrong_password_is_said_at_once_and_never_shown(postgres: servers.Postgres) -> None:
    wrong = postgres.address.replace(servers.PASSWORD, "wrong-horse")
    with pytest.raises(BenchError, match="password") as raised:
        storages.connect(wrong, wait=60)
    assert "wrong-horse" not in str(raised.value)


def test_the_clock_of_another_host_is_compared_with_the_storages(
    places: Path, postgres: servers.Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for storage in (storages.connect(postgres.address), Journal(places / "j", 8, 8.0)):
        assert abs(storage.skew()) < 5
        with monkeypatch.context() as patched:
            ahead = time.time() + 300
            patched.setattr(time, "time", lambda ahead=ahead: ahead)
            assert storage.skew() > 200
