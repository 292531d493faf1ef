"""The queue's promises, on every storage: nothing twice, nothing lost, one claim a trial. No training here."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.trial import TrialState

from bench.errors import BenchError
from bench.ledger import provenance, store
from bench.ledger.new_lines import new_lines
from bench.ledger.validity import valid
from bench.measures import ACCURACY
from bench.papers.registry import MODELS, TASKS
from bench.plan import Job
from bench.spec.experiment import Experiment
from sweeps import storage as storages
from sweeps.queue import DIED, Queue
from sweeps.status import status
from tests.sweeps.conftest import job


def ok(job: Job, value: float = 50.0) -> list[store.Line]:
    (line,) = new_lines(job.experiment, job.measures, "ok", "")
    return [replace(line, value=value, protocol="last", epoch=1, environment=provenance.environment("cpu", 1))]


def enqueue(queue: Queue, *jobs: Job, seconds: float | None = None, **more: object) -> int:
    with queue.planning():
        return len(queue.enqueue([(j, seconds) for j in jobs], **more))  # type: ignore[arg-type]


def collect(queue: Queue) -> list[str]:
    with queue.planning():
        return [c.experiment for c in queue.collect()]


def test_an_experiment_is_queued_once_claimed_once_and_its_record_reaches_the_ledger_once(
    storage: str, study: str
) -> None:
    queue, other = Queue(storage, study), Queue(storage, study)
    assert enqueue(queue, job(0), job(1)) == 2
    assert enqueue(other, job(0), job(1), job(2)) == 1
    claims = [claim for q in (queue, other, queue, other) if (claim := q.claim())]
    assert sorted(c.job.experiment.seed for c in claims) == [0, 1, 2]
    assert claims[0].job == job(claims[0].job.experiment.seed)
    for claim in claims:
        assert queue.finish(claim, ok(claim.job))
    assert enqueue(other, job(0)) == 0  # finished, not in the ledger yet: not planned again
    assert len(collect(queue)) == 3
    assert collect(other) == collect(queue) == []
    lines = store.read()
    assert sorted(line.seed for line in lines) == [0, 1, 2]
    assert {line.optuna_study for line in lines} == {study}
    assert provenance.rows([lines[0].environment])
    assert enqueue(queue, job(0)) == 1  # the ledger may have lost it: the plan decides


def test_the_longest_goes_first_and_what_does_not_fit_into_the_time_left_waits(storage: str, study: str) -> None:
    queue = Queue(storage, study)
    for seed, seconds in enumerate((5.0, 50.0, None, 500.0)):
        enqueue(queue, job(seed), seconds=seconds)
    order = []
    while claim := queue.claim(left_s=100.0):
        order.append(claim.job.experiment.seed)
        queue.finish(claim, ok(claim.job))
    assert order == [2, 1, 0]
    last = queue.claim()
    assert last is not None
    assert last.job.experiment.seed == 3


def _claim_all(address: str, study: str, out: object) -> None:
    queue = Queue(address, study, wait=30)
    out.send("ready")  # type: ignore[attr-defined]
    out.recv()  # type: ignore[attr-defined]
    taken = []
    while claim := queue.claim():
        taken.append(claim.number)
        queue.finish(claim, ok(claim.job))
        time.sleep(0.02)  # as if it had worked: one alone may not be through with all before the others are awake
    out.send(taken)  # type: ignore[attr-defined]


def test_workers_that_claim_at_the_same_moment_never_take_the_same_trial(storage: str, study: str) -> None:
    queue = Queue(storage, study)
    enqueue(queue, *(job(seed) for seed in range(24)))
    context = multiprocessing.get_context("fork")
    ends = []
    for _ in range(4):
        ours, theirs = context.Pipe()
        process = context.Process(target=_claim_all, args=(storage, study, theirs))
        process.start()
        theirs.close()  # or nobody would hear of its end
        ends.append((process, ours))
    for _, end in ends:
        assert end.recv() == "ready"
    for _, end in ends:
        end.send("go")
    taken = [end.recv() for _, end in ends]
    for process, _ in ends:
        process.join()
    numbers = sorted(n for part in taken for n in part)
    assert numbers == list(range(24))
    assert sum(bool(part) for part in taken) > 1


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
        queue.reaped = 0.0
        queue.reap()
        assert len(queue.storage.waiting(queue.study_id)) == 1
    die(storage, study, str(places / "home"))
    queue.reaped = 0.0
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
            patched.setattr(type(queue.storage), "alone", killed)
        else:
            patched.setattr(Queue, "_again", killed)
        queue.reaped = 0.0
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
    queue.reaped = 0.0
    assert queue.claim() is None  # and that was the last of it


def test_of_a_worker_that_records_while_it_is_given_up_only_the_second_run_counts(storage: str, study: str) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    given_up = queue.storage.get_trial(claim.trial_id)
    hand_in = queue._hand_in

    def late(*record: object) -> bool:
        done = hand_in(*record)
        queue._bury(given_up)
        return done

    queue._hand_in = late  # type: ignore[method-assign, assignment]
    assert queue.finish(claim, ok(job(), 1.0)) is False
    queue._hand_in = hand_in  # type: ignore[method-assign]
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
        queue.storage.set_trial_user_attr(trial, "status", DIED)  # who gives it up has come so far
        return bool(close(trial, state, values))

    queue.storage.set_trial_state_values = late  # type: ignore[method-assign, assignment]
    assert queue.finish(claim, ok(job()))
    assert status(queue)["tables"]["roles-6"]["done"] == 1
    assert enqueue(queue, job()) == 0
    assert collect(queue) == [job().experiment.id]


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
def test_a_trial_is_taken_also_when_the_answer_to_that_was_lost(
    storage: str, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, other = Queue(storage, study), Queue(storage, study)
    enqueue(queue, job())
    with monkeypatch.context() as patched:
        patched.setattr(storages, "patiently", lambda call, where: [call(), call()][1])
        ((trial, _),) = queue.storage.waiting(queue.study_id)
        assert queue.storage.take(trial, {"host": "here"}) is True
    assert other.storage.take(trial, {"host": "here"}) is False


def test_a_worker_of_another_host_is_dead_when_it_has_been_silent_for_the_grace(
    storage: str, study: str, places: Path
) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    die(storage, study, str(places / "elsewhere"))  # another home: its locks say nothing here
    queue.reaped = 0.0
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
    assert queue.beat(claim, "epoch 1/2")
    queue._bury(queue.storage.get_trial(claim.trial_id))
    assert not queue.beat(claim)
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
def test_a_worker_that_died_over_the_last_word_loses_nothing(storage: str, study: str, status: str) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    queue._close = lambda *a, **k: False  # type: ignore[method-assign]
    done = status == "ok"
    queue.finish(
        claim, ok(claim.job, 77.0) if done else new_lines(claim.job.experiment, claim.job.measures, status, "SIGTERM")
    )
    other = Queue(storage, study)
    other.reap()
    assert collect(other) == [job().experiment.id]
    assert [(line.status, line.value) for line in store.read()] == [(status, 77.0 if done else None)]
    assert (other.claim() is None) == done  # preempted, it waits again


def test_a_trial_that_has_finished_meanwhile_cannot_be_taken(storage: str, study: str) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    queue.finish(claim, ok(claim.job))
    assert queue.storage.take(claim.trial_id, {}) is False


def test_weights_of_an_environment_that_this_ledger_never_saw_are_handed_in(storage: str, study: str) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    assert queue.finish(claim, [replace(line, environment="0123456789ab") for line in ok(claim.job)])
    assert collect(queue) == [job().experiment.id]


def test_a_parent_that_stops_takes_back_its_own_and_nothing_else(storage: str, study: str) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job(0), job(1), job(2))
    claim = queue.claim()
    assert claim is not None
    rest = {0, 1, 2} - {claim.job.experiment.seed}
    mine = job(min(rest)).experiment.id
    queue.clear([mine, claim.job.experiment.id])
    assert queue.finish(claim, ok(claim.job))
    left = queue.claim()
    assert left is not None
    assert left.job.experiment.seed == max(rest)
    assert enqueue(queue, job(min(rest))) == 1


def test_another_version_is_refused_by_the_worker_and_said_in_status(
    storage: str, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    xor = TASKS["xor"]
    monkeypatch.setitem(TASKS, "xor", replace(xor, version=xor.version + 1))
    older = Queue(storage, study)
    assert older.claim() is None
    (refused,) = status(queue)["refused"]
    assert "another version" in refused["reason"]
    assert status(queue)["tables"]["roles-6"]["left"] == 1
    monkeypatch.setitem(TASKS, "xor", xor)
    assert Queue(storage, study).claim() is not None


def test_data_that_is_not_here_leaves_the_experiment_to_others(storage: str, study: str) -> None:
    queue = Queue(storage, study)
    enqueue(queue, Job(Experiment(TASKS["mnist"], MODELS["lif"], 0, "smoke"), (ACCURACY,), ("roles-6",)))
    assert queue.claim() is None
    assert "data missing here: mnist" in status(queue)["refused"][0]["reason"]


def test_a_study_of_another_schema_is_refused_with_both_numbers(storage: str, study: str) -> None:
    Queue(storage, study).study.set_user_attr("schema", 99)
    with pytest.raises(BenchError, match="schema 99, this checkout knows 1"):
        Queue(storage, study)


def test_two_that_make_a_study_in_the_same_moment_both_get_it(
    storage: str, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(storages.connect(storage))
    states, queued = kind.states, []
    other = threading.Thread(target=lambda: queued.append(enqueue(Queue(storage, study), job())))

    def late(self: storages.Database, study_id: int) -> object:  # the other one opens and queues while this one looks
        if other.ident is None:
            other.start()
            other.join(2.0)
        return states(self, study_id)

    monkeypatch.setattr(kind, "states", late)
    queue = Queue(storage, study)
    other.join()
    assert queued == [1]
    assert queue.claim() is not None


def test_exploratory_lines_come_into_no_other_ledger_by_a_study_of_one_name(
    storage: str, study: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_RESULTS", str(places / "home" / "exploratory"))
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    queue.finish(claim, new_lines(claim.job.experiment, claim.job.measures, "failed", "for a test"), None)
    monkeypatch.setenv("BENCH_RESULTS", str(places / "results"))
    for use in (Queue(storage, study).collect, lambda: enqueue(Queue(storage, study), job(seed=1))):
        with pytest.raises(
            BenchError, match="holds exploratory experiments, this run's are official: name another study"
        ):
            use()
    assert not list((places / "results").rglob("*.csv"))
    monkeypatch.setenv("BENCH_RESULTS", str(places / "home" / "exploratory"))
    assert len(Queue(storage, study).collect()) == 1


def test_two_ledgers_on_one_storage_both_get_the_record(
    storage: str, study: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    queue.finish(claim, ok(claim.job))
    assert len(collect(queue)) == 1
    monkeypatch.setenv("BENCH_RESULTS", str(places / "second"))
    assert len(collect(queue)) == 1
    assert len(store.read()) == 1


def test_a_ledger_that_cannot_be_written_leaves_the_record_where_it_is(storage: str, study: str, places: Path) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    queue.finish(claim, ok(claim.job))
    runs = places / "results" / "runs"
    runs.write_text("in the way")
    with pytest.raises((BenchError, OSError)):
        collect(queue)
    runs.unlink()
    assert len(collect(queue)) == 1
    assert valid(store.read()[0], job().experiment, ACCURACY)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_with_a_thousand_queued_a_claim_takes_under_50_ms_and_status_under_a_second(
    kind: str, places: Path, request: pytest.FixtureRequest, study: str
) -> None:
    address = f"sqlite:///{places}/many.db" if kind == "sqlite" else request.getfixturevalue("postgres").address
    queue = Queue(address, study)
    begun = time.perf_counter()
    enqueue(queue, *(job(seed) for seed in range(1000)))
    print(f"enqueue {time.perf_counter() - begun:.2f} s")
    busy = max(
        1.0, os.getloadavg()[0] / (os.cpu_count() or 1)
    )  # processes for each core: what others take of the time is no defect
    times, claims = [], []
    for _ in range(60):
        begun = time.perf_counter()
        claims.append(queue.claim())
        times.append(time.perf_counter() - begun)
    print(f"claim {1000 * min(times):.1f} ms, median {1000 * sorted(times)[30]:.1f} ms, {busy:.1f} processes a core")
    assert None not in claims
    assert min(times) < 0.05 * busy
    begun = time.perf_counter()
    counts = status(queue)["tables"]["roles-6"]
    took = time.perf_counter() - begun
    print(f"status {took:.3f} s")
    assert took < 1 * busy
    assert counts == {"done": 0, "running": 60, "failed": 0, "left": 940}


def test_the_record_is_plain_json(places: Path, study: str) -> None:
    queue = Queue(None, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    queue.finish(claim, ok(claim.job), {"total": 1.0})
    record = queue.storage.get_trial(claim.trial_id).system_attrs["record"]
    assert json.loads(json.dumps(record)) == record
    assert storages.is_default(queue.address)
