"""What is queued and claimed, on every storage: nothing twice, one claim a trial. No training here."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy

from bench.errors import BenchError
from bench.ledger import provenance, store
from bench.measures import ACCURACY
from bench.papers.registry import MODELS, TASKS
from bench.plan import Job
from bench.spec.experiment import Experiment
from sweeps import database
from sweeps import storage as storages
from sweeps.candidates import Candidates
from sweeps.database import Database
from sweeps.queue import Queue
from sweeps.status import status
from tests.sweeps.conftest import collect, enqueue, job, ok


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


def test_experiments_of_one_form_that_wait_are_claimed_with_the_first_and_nothing_else(
    storage: str, study: str
) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job(2, "lif-no-leak"), seconds=50.0)
    enqueue(queue, job(0, "lif-full-leak"), job(1, "lif-no-leak"), job(0, "lif-no-leak"), seconds=5.0)
    enqueue(queue, job(3, "lif-no-leak"), seconds=9.0)
    enqueue(queue, job(0), job(0, "lif-recurrent"), seconds=1.0)
    first = queue.claim()
    assert first is not None
    alike = queue.claim_alike(first, 2, left_s=8.0)
    assert [(c.job.experiment.model.name, c.job.experiment.seed) for c in alike] == [
        ("lif-no-leak", 0),
        ("lif-no-leak", 1),
    ]
    assert queue.claim_alike(first, 7, left_s=8.0, workers=4) == []  # its share of the three that may be alike
    assert [c.job.experiment.model.name for c in queue.claim_alike(first, 7, left_s=8.0)] == ["lif-full-leak"]
    left = [queue.claim(), queue.claim(), queue.claim()]
    assert {c.job.experiment.model.name for c in left if c} == {"lif-no-leak", "lif", "lif-recurrent"}
    assert queue.claim() is None


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
        receiver, sender = context.Pipe()
        process = context.Process(target=_claim_all, args=(storage, study, sender))
        process.start()
        sender.close()  # or nobody would hear of its end
        ends.append((process, receiver))
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


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
def test_a_trial_is_taken_also_when_the_answer_to_that_was_lost(
    storage: str, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, other = Queue(storage, study), Queue(storage, study)
    enqueue(queue, job())
    with monkeypatch.context() as patched:
        patched.setattr(database, "retry", lambda call, address: [call(), call()][1])
        ((trial, _),) = queue.storage.waiting(queue.study_id)
        assert queue.storage.take(trial, {"host": "here"}) is True
    assert other.storage.take(trial, {"host": "here"}) is False


def test_a_trial_that_has_finished_meanwhile_cannot_be_taken(storage: str, study: str) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    queue.finish(claim, ok(claim.job))
    assert queue.storage.take(claim.trial_id, {}) is False


def test_a_parent_that_stops_takes_back_its_own_and_nothing_else(storage: str, study: str) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job(0), job(1), job(2))
    claim = queue.claim()
    assert claim is not None
    rest = {0, 1, 2} - {claim.job.experiment.seed}
    withdrawn = job(min(rest)).experiment.id
    queue.withdraw([withdrawn, claim.job.experiment.id])
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

    def late(self: Database, study_id: int) -> object:  # the other one opens and queues while this one looks
        if other.ident is None:
            other.start()
            other.join(2.0)
        return states(self, study_id)

    monkeypatch.setattr(kind, "states", late)
    queue = Queue(storage, study)
    other.join()
    assert queued == [1]
    assert queue.claim() is not None


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


def statements(queue: Queue, action: Callable[[], object]) -> int:
    """How many SQL statements ``action`` takes."""
    assert isinstance(queue.storage, Database)
    counted: list[str] = []
    sqlalchemy.event.listen(queue.storage.engine, "before_cursor_execute", lambda *event: counted.append(event[2]))
    action()
    return len(counted)


@pytest.mark.parametrize("count", [3, 40])
def test_taking_back_and_collecting_take_as_many_questions_whatever_the_queue_s_length(
    places: Path, study: str, count: int
) -> None:
    queue = Queue(f"sqlite:///{places}/queue.db", study)
    enqueue(queue, *(job(seed) for seed in range(count)))
    claims = [claim for _ in range(count // 2) if (claim := queue.claim())]
    for claim in claims:
        queue.finish(claim, ok(claim.job))
    ids = [job(seed).experiment.id for seed in range(count)]
    queue.withdraw(ids)
    other = Queue(queue.address, study)
    assert statements(other, lambda: collect(other)) < 40
    assert {q.attributes["status"] for q in queue.storage.queued(queue.study_id)} == {"ok", "taken back"}
    assert queue.claim() is None and len(store.read()) == count // 2
    enqueue(queue, *(job(count + seed) for seed in range(count)))
    ids = [job(count + seed).experiment.id for seed in range(count)]
    assert statements(queue, lambda: queue.withdraw(ids)) < 12


def test_a_worker_looks_at_a_long_queue_once_for_many_claims_and_finds_what_came_later(
    storage: str, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(storage, study)
    enqueue(queue, *(job(seed) for seed in range(4)))
    looks: list[int] = []
    waiting = queue.storage.waiting
    monkeypatch.setattr(queue.storage, "waiting", lambda study_id: looks.append(1) or waiting(study_id))
    monkeypatch.setattr("sweeps.queue.PAUSE_TIMES", 1e6)  # as if looking had taken very long
    other = Queue(storage, study).claim()  # takes one that this worker has not looked at yet
    claims = [queue.claim() for _ in range(3)]
    assert other is not None and all(claims) and len(looks) == 1
    assert len({claim.trial_id for claim in [other, *claims] if claim}) == 4
    enqueue(queue, job(9))
    later = queue.claim()
    assert later is not None and later.job.experiment.seed == 9 and len(looks) == 2


def test_workers_with_the_same_candidates_seldom_try_what_another_has_taken(
    storage: str, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = [Queue(storage, study) for _ in range(8)]
    enqueue(workers[0], *(job(seed) for seed in range(32)))
    for worker in workers:  # all of them look at the same moment
        worker.candidates.replace(worker.storage.waiting(worker.study_id))
        worker.candidates.until = float("inf")
    misses: list[int] = []
    missed = Candidates.missed
    monkeypatch.setattr(Candidates, "missed", lambda self: misses.append(1) or missed(self))
    claims = [worker.claim() for _ in range(4) for worker in workers]
    assert len({claim.trial_id for claim in claims if claim}) == 32
    assert len(misses) < 2 * len(claims)  # in order, it would be seven for each


def test_looking_for_dead_workers_takes_as_many_questions_however_many_are_alive(places: Path, study: str) -> None:
    queue = Queue(f"sqlite:///{places}/queue.db", study)
    enqueue(queue, *(job(seed) for seed in range(40)))
    claims = [queue.claim() for _ in range(3)]
    few = statements(queue, lambda: queue.reap(force=True))
    claims += [queue.claim() for _ in range(30)]
    many = statements(Queue(queue.address, study), lambda: queue.reap(force=True))
    assert all(claims) and many <= few
