"""A run and its queue: what it waits for, what it withdraws, what it tells. No training here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy

from bench.ledger import store
from bench.ledger.new_lines import new_lines
from bench.plan import Plan
from sweeps import collecting, scheduler
from sweeps.collecting import Record
from sweeps.pool import Pool
from sweeps.queue import Queue
from sweeps.scheduler import Options
from sweeps.study import Study
from tests.conftest import ROOT
from tests.sweeps.conftest import collect, job

# what another process does to record: in the storage and study that it is given
WRITE = """
import sys
from sweeps.queue import Queue
queue = Queue(*sys.argv[1:])
with queue.storage.exclusive():
    queue.study.set_user_attr("here", 1)
"""


def test_a_signal_within_a_transaction_does_not_keep_the_workers_from_recording(
    storage: str, study: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, recorded, fsync = [], [], os.fsync

    def signalled(place: str) -> None:
        if not sent:
            sent.append(place)
            os.kill(os.getpid(), signal.SIGINT)

    def executed(
        connection: object, cursor: object, statement: str, *_: object
    ) -> None:  # its result is not looked at yet
        if "FROM studies" in statement:
            signalled(statement)

    def synced(handle: int) -> None:  # the journal's lock is held
        signalled("journal")
        fsync(handle)

    def replan() -> Plan:  # from here on
        if storage.startswith("journal"):
            monkeypatch.setattr("sweeps.journal.os.fsync", synced)
        else:
            sqlalchemy.event.listen(sqlalchemy.Engine, "after_cursor_execute", executed)
        return Plan(1, 0, (job(),), (), ())

    def stop(pool: Pool, number: int) -> None:  # what workers do that are told to stop
        subprocess.run([sys.executable, "-c", WRITE, storage, study], cwd=ROOT, check=True, timeout=60)
        recorded.append(study)

    monkeypatch.setattr(Pool, "fill", lambda pool, limit: None)
    monkeypatch.setattr(Pool, "stop", stop)
    try:
        outcome = scheduler.run(replan, 1, 1, Options(storage, study))
    finally:
        if not storage.startswith("journal"):
            sqlalchemy.event.remove(sqlalchemy.Engine, "after_cursor_execute", executed)
    assert len(sent) == 1
    assert outcome.stopped == "SIGINT"
    assert recorded == [study]
    queue = Queue(storage, study)
    assert queue.storage.waiting(queue.study_id) == []  # it was taken back


def finish(queue: Queue, status: str, collected: bool = True) -> str:
    """What another parent and its worker do with the next waiting experiment."""
    claim = queue.claim()
    assert claim is not None
    value = {"value": 50.0, "protocol": "last"} if status == "ok" else {}
    queue.finish(
        claim,
        [replace(line, **value) for line in new_lines(claim.job.experiment, claim.job.measures, status, "so it ended")],
    )
    if collected:
        collect(queue)
    return claim.job.experiment.id


def test_what_failed_is_not_trained_again_when_another_parent_has_collected_it(
    storage: str, study: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, ended = Queue(storage, study), []
    with other.planning():
        other.enqueue([(job(seed=1), 0.001)])  # its failure belongs to the other command; longer ones go first

    def fill(pool: Pool, limit: int) -> None:
        ended.append(finish(other, "diverged"))
        finish(other, "oom")

    monkeypatch.setattr(Pool, "fill", fill)
    monkeypatch.setattr(Pool, "messages", lambda pool, timeout: [{"done": ""}])
    outcome = scheduler.run(lambda: Plan(1, 0, (job(),), (), ()), 1, 1, Options(storage, study))
    assert ended == [job().experiment.id]
    assert outcome.failed == {job().experiment.id: "diverged: so it ended"}


def test_a_run_ends_when_the_ledger_has_what_failed_also_between_collecting_and_planning(
    storage: str, study: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, ended = Queue(storage, study), []

    def late(study: Study) -> list[Record]:
        """The second ends as soon as the first is collected."""
        collected = collecting.collect(study)
        if len(collected) == len(ended) == 1:
            ended.append(finish(other, "diverged", collected=False))
        return collected

    monkeypatch.setattr(scheduler, "collect", late)
    monkeypatch.setattr(
        Pool, "fill", lambda pool, limit: ended or ended.append(finish(other, "diverged", collected=False))
    )
    monkeypatch.setattr(Pool, "messages", lambda pool, timeout: [{"done": ""}])
    outcome = scheduler.run(lambda: Plan(2, 0, (job(0), job(1)), (), ()), 1, 1, Options(storage, study))
    both = {job(0).experiment.id, job(1).experiment.id}
    assert set(outcome.failed) == {line.experiment for line in store.read()} == both
    assert sorted(ended) == sorted(both)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGUSR1])
def test_workers_get_the_signal_that_stopped_the_command(
    places: Path, monkeypatch: pytest.MonkeyPatch, sent: signal.Signals
) -> None:
    received: list[int] = []
    monkeypatch.setattr(Pool, "fill", lambda pool, limit: os.kill(os.getpid(), sent))
    monkeypatch.setattr(Pool, "messages", lambda pool, timeout: [])
    monkeypatch.setattr(Pool, "_send", lambda pool, number: received.append(number))
    outcome = scheduler.run(lambda: Plan(1, 0, (job(),), (), ()), 1, 1)
    assert (outcome.stopped, received) == (sent.name, [sent])


def test_a_parent_that_is_stopped_leaves_what_others_have_queued(
    places: Path, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(None, study)
    with queue.planning():
        queue.enqueue([(job(0), None)])
    monkeypatch.setattr(Pool, "fill", lambda pool, limit: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr(Pool, "messages", lambda pool, timeout: [])
    assert scheduler.run(lambda: Plan(2, 0, (job(0), job(1)), (), ()), 1, 1, Options(study=study)).stopped == "SIGTERM"
    claim = queue.claim()
    assert claim is not None and claim.job.experiment == job(0).experiment
    assert queue.claim() is None


def test_a_parent_that_is_stopped_leaves_what_a_detached_command_has_asked_for(
    storage: str, study: str, places: Path
) -> None:
    parent, detached = Queue(storage, study), Queue(storage, study)
    with parent.planning():
        own = parent.enqueue([(job(0), None), (job(1), None)])
    scheduler.run(lambda: Plan(1, 0, (job(0),), (), ()), 1, 1, Options(storage, study, detach=True))
    assert finish(parent, "preempted") == job(0).experiment.id  # queued again, it is still the other's
    parent.withdraw(own)
    claim = detached.claim()
    assert claim is not None and claim.job.experiment == job(0).experiment
    assert detached.claim() is None


def test_a_parent_that_is_stopped_takes_back_what_its_killed_workers_had(
    storage: str, study: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Pool.stop

    def killed(pool: Pool, number: int) -> None:
        """As a worker that did not stop when it was told to."""
        claim = Queue(storage, study).claim()
        assert claim is not None
        claim.lock.close()
        stop(pool, number)

    monkeypatch.setattr(Pool, "fill", lambda pool, limit: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr(Pool, "messages", lambda pool, timeout: [])
    monkeypatch.setattr(Pool, "stop", killed)
    assert scheduler.run(lambda: Plan(1, 0, (job(),), (), ()), 1, 1, Options(storage, study)).stopped == "SIGTERM"
    queue = Queue(storage, study)
    assert queue.claim() is None


@pytest.mark.parametrize("status", ["ok", "preempted"])
def test_jobs_of_a_cluster_that_end_between_two_looks_have_come_somewhere(
    places: Path, study: str, status: str
) -> None:
    queue, launched = Queue(None, study), []

    def replan() -> Plan:
        left = () if any(line.status == "ok" for line in store.read()) else (job(),)
        return Plan(1, 0, left, (), ())

    def launch(_: Queue, experiments: int) -> Callable[[], bool]:
        launched.append(experiments)
        jobs = iter(["ok" if len(launched) > 1 else status])

        def alive() -> bool:
            for ends in jobs:
                finish(queue, ends, collected=False)
            return False

        return alive

    outcome = scheduler.run(replan, 1, 1, Options(study=study, launch=launch))
    assert outcome.failed == {}
    assert launched == [1] * (1 if status == "ok" else 2)
