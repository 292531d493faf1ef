"""Signals, time limits, parents and workers that end: nothing lost, nothing different."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from bench.ledger import store
from bench.ledger.new_lines import new_lines
from bench.measures import ACCURACY
from bench.papers.registry import MODELS, TASKS
from bench.plan import Job, Plan
from bench.spec.experiment import Experiment
from sweeps import table, worker
from sweeps.pool import Pool
from sweeps.queue import Claim, Collected, Queue
from tests.conftest import ROOT
from tests.sweeps import soak

SMALL = (
    ("batch_size", 10),
    ("data_settings.batches", 4),
    ("data_settings.steps", 20),
    ("data_settings.test", 20),
    ("epochs", 3),
    ("loss_settings.first", 10),
)

# what another process does to record: in the storage and study that it is given
WRITE = """
import sys
from sweeps.queue import Queue
queue = Queue(*sys.argv[1:])
with queue.storage.alone():
    queue.study.set_user_attr("here", 1)
"""


@pytest.fixture(autouse=True)
def signals_as_before():
    before = {number: signal.getsignal(number) for number in worker.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def job(seed: int = 0, **changes: object) -> Job:
    overrides = tuple(sorted({**dict(SMALL), **changes}.items()))
    return Job(Experiment(TASKS["xor"], MODELS["lif"], seed, "smoke", overrides), (ACCURACY,), ("roles-6",))


def once(queue: Queue, limit_s: float | None = None, **changes: object) -> tuple[int, store.Line]:
    with queue.planning():
        queue.enqueue([(job(**changes), None)], limit_s)
    code = worker.work(queue, most=1)
    with queue.planning():
        found = queue.collect()
    return code, found[-1].lines[0]


def test_interrupted_at_a_random_batch_it_ends_with_the_same_weights_in_20_of_20_tries(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, undisturbed = once(Queue())
    rng, check, same = random.Random(7), worker.Watch.check, 0
    batches = 3 * (4 + 2)  # three epochs of four batches to train and two to test
    for attempt in range(20):
        monkeypatch.setenv("BENCH_HOME", str(places / f"home-{attempt}"))
        monkeypatch.setenv("BENCH_RESULTS", str(places / f"results-{attempt}"))
        (places / f"home-{attempt}").mkdir()
        (places / f"home-{attempt}" / "kernels").symlink_to((places / "home" / "kernels").resolve())
        at, calls = rng.randint(1, batches), Counter[str]()

        def signalled(self: worker.Watch, at: int = at, calls: Counter[str] = calls, number: int = attempt) -> None:
            calls["n"] += 1
            if calls["n"] == at:
                os.kill(os.getpid(), worker.SIGNALS[number % 3])
            check(self)

        monkeypatch.setattr(worker.Watch, "check", signalled)
        queue = Queue()
        code, preempted = once(queue)
        assert (code, preempted.status) == (75, "preempted"), at
        monkeypatch.setattr(worker.Watch, "check", check)
        assert worker.work(queue) == 0  # it was queued again
        with queue.planning():
            ((line, *_),) = [c.lines for c in queue.collect()]
        same += (line.checkpoint_sha256, line.value) == (undisturbed.checkpoint_sha256, undisturbed.value)
    assert same == 20


def test_an_experiment_over_its_time_is_recorded_as_timeout_and_the_next_one_runs(places: Path) -> None:
    queue = Queue()
    _, late = once(queue, limit_s=0.0)
    assert late.status == "timeout"
    _, fine = once(queue, seed=1)
    assert fine.status == "ok"


def test_an_experiment_stuck_in_one_batch_is_recorded_as_timeout_and_its_worker_ends(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue()
    with queue.planning():
        queue.enqueue([(job(), None)], limit_s=1.0)
    claim = queue.claim()
    assert claim is not None
    watch, ended = worker.Watch(queue, claim, worker.Told()), []
    monkeypatch.setattr(os, "_exit", ended.append)
    watch._limit()
    assert not ended
    watch.begun -= 63.0  # twice the limit and a minute
    watch._limit()
    assert ended == [1]
    with queue.planning():
        ((line,),) = [c.lines for c in queue.collect()]
    assert (line.status, line.error) == ("timeout", "stuck for more than twice 1 s")


def test_out_of_memory_and_a_crash_are_lines_with_their_reason_and_the_next_experiment_runs(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.training import run

    train = run._train

    def fail(experiment: Experiment, *rest: object) -> object:
        errors = {0: MemoryError("no 80 GB here"), 1: ZeroDivisionError("in a step")}
        if experiment.seed in errors:
            raise errors[experiment.seed]
        return train(experiment, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "_train", fail)
    queue = Queue()
    with queue.planning():
        queue.enqueue([(job(seed), None) for seed in range(3)])
    assert worker.work(queue) == 0
    with queue.planning():
        found = {line.seed: (line.status, line.error) for c in queue.collect() for line in c.lines}
    assert found == {0: ("oom", "no 80 GB here"), 1: ("failed", "ZeroDivisionError: in a step"), 2: ("ok", "")}


def test_a_worker_told_to_stop_by_a_signal_exits_75_and_another_finishes_its_experiment(places: Path) -> None:
    queue = Queue()
    with queue.planning():
        queue.enqueue([(job(epochs=400), None)])
    command = [sys.executable, "-m", "sweeps", "worker", "--study", queue.name]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "start" in process.stderr.readline()
    until = time.monotonic() + 60
    while not list((places / "home" / "experiments").glob("*/last.ckpt")) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(60) == 75
    with queue.planning():
        assert [line.status for c in queue.collect() for line in c.lines] == ["preempted"]
    assert len(queue.storage.waiting(queue.study_id)) == 1


def test_a_signal_within_a_transaction_does_not_keep_the_workers_from_recording(
    storage: str, study: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, recorded, fsync = [], [], os.fsync

    def signalled(where: str) -> None:
        if not sent:
            sent.append(where)
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

    def stop(pool: Pool) -> None:  # what workers do that are told to stop
        subprocess.run([sys.executable, "-c", WRITE, storage, study], cwd=ROOT, check=True, timeout=60)
        recorded.append(study)

    monkeypatch.setattr(Pool, "fill", lambda pool, most: None)
    monkeypatch.setattr(Pool, "stop", stop)
    try:
        outcome = table.run(replan, 1, 1, storage=storage, study=study)
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
        with queue.planning():
            queue.collect()
    return claim.job.experiment.id


def test_what_failed_is_not_trained_again_when_another_parent_has_collected_it(
    storage: str, study: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, ended = Queue(storage, study), []
    with other.planning():
        other.enqueue([(job(seed=1), 1.0)])  # the other's own failure is not this one's; unknown times go first

    def fill(pool: Pool, most: int) -> None:
        ended.append(finish(other, "diverged"))
        finish(other, "oom")

    monkeypatch.setattr(Pool, "fill", fill)
    monkeypatch.setattr(Pool, "messages", lambda pool, timeout: [{"done": ""}])
    outcome = table.run(lambda: Plan(1, 0, (job(),), (), ()), 1, 1, storage=storage, study=study)
    assert ended == [job().experiment.id]
    assert outcome.failed == {job().experiment.id: "diverged: so it ended"}


def test_a_run_ends_when_the_ledger_has_what_failed_also_between_collecting_and_planning(
    storage: str, study: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, ended, collect = Queue(storage, study), [], Queue.collect

    def late(queue: Queue) -> list[Collected]:
        """The second ends as soon as the first is collected."""
        collected = collect(queue)
        if len(collected) == len(ended) == 1:
            ended.append(finish(other, "diverged", collected=False))
        return collected

    monkeypatch.setattr(Queue, "collect", late)
    monkeypatch.setattr(
        Pool, "fill", lambda pool, most: ended or ended.append(finish(other, "diverged", collected=False))
    )
    monkeypatch.setattr(Pool, "messages", lambda pool, timeout: [{"done": ""}])
    outcome = table.run(lambda: Plan(2, 0, (job(0), job(1)), (), ()), 1, 1, storage=storage, study=study)
    both = {job(0).experiment.id, job(1).experiment.id}
    assert set(outcome.failed) == {line.experiment for line in store.read()} == both
    assert sorted(ended) == sorted(both)


def test_a_parent_that_is_stopped_leaves_what_others_have_queued(
    places: Path, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(None, study)
    with queue.planning():
        queue.enqueue([(job(0), None)])
    monkeypatch.setattr(Pool, "fill", lambda pool, most: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr(Pool, "messages", lambda pool, timeout: [])
    assert table.run(lambda: Plan(2, 0, (job(0), job(1)), (), ()), 1, 1, study=study).stopped == "SIGTERM"
    claim = queue.claim()
    assert claim is not None and claim.job.experiment == job(0).experiment
    assert queue.claim() is None


def test_a_parent_that_is_stopped_leaves_what_a_detached_command_has_asked_for(
    storage: str, study: str, places: Path
) -> None:
    parent, detached = Queue(storage, study), Queue(storage, study)
    with parent.planning():
        own = parent.enqueue([(job(0), None), (job(1), None)])
    table.run(lambda: Plan(1, 0, (job(0),), (), ()), 1, 1, storage=storage, study=study, detach=True)
    assert finish(parent, "preempted") == job(0).experiment.id  # queued again, it is still the other's
    parent.clear(own)
    claim = detached.claim()
    assert claim is not None and claim.job.experiment == job(0).experiment
    assert detached.claim() is None


def test_a_parent_that_is_stopped_takes_back_what_its_killed_workers_had(
    storage: str, study: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Pool.stop

    def killed(pool: Pool) -> None:
        """As a worker that did not stop when it was told to."""
        claim = Queue(storage, study).claim()
        assert claim is not None
        claim.held.close()
        stop(pool)

    monkeypatch.setattr(Pool, "fill", lambda pool, most: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr(Pool, "messages", lambda pool, timeout: [])
    monkeypatch.setattr(Pool, "stop", killed)
    assert table.run(lambda: Plan(1, 0, (job(),), (), ()), 1, 1, storage=storage, study=study).stopped == "SIGTERM"
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

    outcome = table.run(replan, 1, 1, study=study, launch=launch)
    assert outcome.failed == {}
    assert launched == [1] * (1 if status == "ok" else 2)


def test_a_result_is_handed_in_when_nothing_watches_over_it_any_more(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching: list[bool] = []
    handing_in = Queue.finish

    def finish(queue: Queue, claim: Claim, *rest: Any) -> bool:
        watching.append(any(isinstance(thread, worker.Watch) for thread in threading.enumerate()))
        return handing_in(queue, claim, *rest)

    def slow(watch: worker.Watch) -> None:
        """It is about to say that the experiment is stuck when this comes to its end."""
        watch.over.wait(60.0)
        time.sleep(0.3)

    monkeypatch.setattr(worker.Watch, "_stuck", slow)
    monkeypatch.setattr(worker.Watch, "_pause", lambda watch: 0.05)
    monkeypatch.setattr(Queue, "finish", finish)
    _, line = once(Queue())
    assert line.status == "ok"
    assert watching == [False]


def test_a_worker_that_comes_to_no_end_of_a_batch_records_all_the_same_that_it_was_preempted(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue()
    with queue.planning():
        queue.enqueue([(job(), None)])
    claim = queue.claim()
    assert claim is not None
    told, ended = worker.Told(), []
    watch = worker.Watch(queue, claim, told)
    monkeypatch.setattr(os, "_exit", ended.append)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)  # the same one, from the command
    watch._stuck()
    assert ended == []
    told.at -= worker.STUCK + 1
    watch._stuck()
    assert ended == [worker.PREEMPTED]
    with queue.planning():
        ((line,),) = [c.lines for c in queue.collect()]
    assert (line.status, line.error[:7]) == ("preempted", "SIGTERM")
    assert queue.claim() is not None  # and no death counts


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Counter[tuple[str, ...]]:
    folder = tmp_path_factory.mktemp("alone")
    kernels = Path(os.environ.get("BENCH_TEST_KERNELS", ROOT / ".bench" / "kernels")).resolve()
    return soak.undisturbed(folder / "alone", kernels, 12)


@pytest.mark.parametrize(("kind", "workers"), [("postgresql", 4), ("sqlite", 2), ("journal", 4)])
def test_workers_killed_and_servers_restarted_everything_is_there_once_and_right(
    kind: str, workers: int, places: Path, expected: Counter[tuple[str, ...]], request: pytest.FixtureRequest
) -> None:
    """A short soak; ``make soak`` runs 200 experiments on each storage."""
    server = request.getfixturevalue("postgres") if kind == "postgresql" else None
    address = server.address if server else f"{kind}:///{places}/queue.{kind}"
    kernels = (places / "home" / "kernels").resolve()
    found, killed, _ = soak.soak(places / "soak", kernels, 12, workers, address, 3.0, server, 1 if server else 0)
    soak.check(found, expected, 12)
    assert killed
