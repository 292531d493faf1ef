"""How trials end, on every storage: nothing lost, nothing counted twice. No training here."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from optuna.trial import TrialState

from bench.ledger import store
from bench.ledger.new_lines import new_lines
from bench.measures import ACCURACY
from sweeps import closing
from sweeps.queue import Queue
from sweeps.status import status
from sweeps.trials import WORKER_DIED
from tests.sweeps.conftest import collect, enqueue, job, ok


def _claim_and_die(address: str, study: str, home: str) -> None:
    os.environ["BENCH_HOME"] = home
    assert Queue(address, study, wait=30).claim()
    os.kill(os.getpid(), signal.SIGKILL)


def die(address: str, study: str, home: str) -> None:
    process = multiprocessing.get_context("fork").Process(target=_claim_and_die, args=(address, study, home))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def again(queue: Queue, seconds: float = 15) -> object:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if claim := queue.claim():
            return claim
        time.sleep(0.2)
    raise AssertionError("not queued again")


def test_what_a_killed_worker_had_is_queued_again_and_fails_after_three_deaths(
    storage: str, study: str, places: Path
) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    for _ in range(2):
        die(storage, study, str(places / "home"))
        queue.reap(force=True)
        assert len(queue.storage.waiting(queue.study_id)) == 1
    die(storage, study, str(places / "home"))
    queue.reap_due = 0.0
    assert queue.claim() is None
    assert collect(queue) == [job().experiment.id]
    (line,) = store.read()
    assert line.status == "failed"
    assert "killed 3 times" in line.error
    assert (status(queue)["tables"]["roles-6"]["failed"], status(queue)["tables"]["roles-6"]["left"]) == (1, 0)


@pytest.mark.parametrize("ending", ["killed", "preempted", "waiting"])
def test_what_ended_is_queued_again_also_when_who_closed_it_dies_before_that(
    storage: str, study: str, places: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    if ending == "killed":
        die(storage, study, str(places / "home"))
    claim = None if ending == "killed" else queue.claim()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        if ending == "waiting":  # for its turn to close
            patched.setattr(type(queue.storage), "exclusive", killed)
        else:
            patched.setattr(closing, "requeue", killed)
        queue.reap_due = 0.0
        if claim:
            queue.finish(claim, new_lines(job().experiment, (ACCURACY,), "preempted", "SIGTERM"))
        queue.reap()
    assert queue.storage.waiting(queue.study_id) == []
    for other in (Queue(storage, study), Queue(storage, study)):
        other.reap()
    (waiting,) = queue.storage.waiting(queue.study_id)
    assert queue.storage.get_trial(waiting[0]).system_attrs["deaths"] == (1 if ending == "killed" else 0)
    again = queue.claim()
    assert again is not None
    assert queue.finish(again, ok(again.job))
    queue.reap_due = 0.0
    assert queue.claim() is None  # and that was the last of it


def test_of_a_worker_that_records_while_it_is_given_up_only_the_second_run_counts(
    storage: str, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    given_up = queue.storage.get_trial(claim.trial_id)
    store_record = closing.store_record

    def late(*record: object) -> bool:
        stored = store_record(*record)
        closing.give_up(queue, given_up)
        return stored

    with monkeypatch.context() as patched:
        patched.setattr(closing, "store_record", late)
        assert queue.finish(claim, ok(job(), 1.0)) is False
    again = queue.claim()
    assert again is not None
    assert queue.finish(again, ok(job(), 2.0))
    assert collect(queue) == [job().experiment.id]
    assert [line.value for line in store.read()] == [2.0]


def test_a_worker_that_closes_just_before_it_is_given_up_has_its_result_counted(storage: str, study: str) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    close = queue.storage.set_trial_state_values

    def late(trial: int, state: TrialState, values: object = None) -> bool:
        queue.storage.set_trial_user_attr(trial, "status", WORKER_DIED)  # who gives it up has come so far
        return bool(close(trial, state, values))

    queue.storage.set_trial_state_values = late  # type: ignore[method-assign, assignment]
    assert queue.finish(claim, ok(job()))
    assert status(queue)["tables"]["roles-6"]["done"] == 1
    assert enqueue(queue, job()) == 0
    assert collect(queue) == [job().experiment.id]


def test_a_worker_of_another_host_is_dead_when_it_has_been_silent_for_the_grace(
    storage: str, study: str, places: Path
) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    die(storage, study, str(places / "elsewhere"))  # another home: its locks say nothing here
    queue.reap_due = 0.0
    assert queue.claim() is None
    begun = time.monotonic()
    claim = again(queue)
    assert time.monotonic() - begun > 1.5
    assert claim.job.experiment == job().experiment  # type: ignore[attr-defined]


def test_a_worker_that_was_given_up_cannot_record_any_more(storage: str, study: str) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    assert queue.heartbeat(claim, "epoch 1/2")
    closing.give_up(queue, queue.storage.get_trial(claim.trial_id))
    assert not queue.heartbeat(claim)
    assert not queue.finish(claim, ok(claim.job))
    assert collect(queue) == []
    assert queue.claim() is not None


def test_a_preempted_experiment_is_recorded_and_queued_again_without_counting_as_a_death(
    storage: str, study: str
) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    for _ in range(5):
        claim = queue.claim()
        assert claim is not None
        queue.finish(claim, new_lines(claim.job.experiment, claim.job.measures, "preempted", "SIGTERM"))
    assert len(collect(queue)) == 5
    assert {line.status for line in store.read()} == {"preempted"}
    assert queue.claim() is not None


@pytest.mark.parametrize("status", ["ok", "preempted"])
def test_a_worker_that_died_before_it_closed_its_trial_loses_nothing(
    storage: str, study: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    done = status == "ok"
    failed = new_lines(claim.job.experiment, claim.job.measures, status, "SIGTERM")
    with monkeypatch.context() as patched:
        patched.setattr(closing, "close", lambda *a, **k: False)
        queue.finish(claim, ok(claim.job, 77.0) if done else failed)
    other = Queue(storage, study)
    other.reap()
    assert collect(other) == [job().experiment.id]
    assert [(line.status, line.value) for line in store.read()] == [(status, 77.0 if done else None)]
    assert (other.claim() is None) == done  # preempted, it waits again
