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
from pathlib import Path
from typing import Any

import pytest

from bench.ledger import store
from bench.measures import ACCURACY
from bench.papers.registry import MODELS, TASKS
from bench.plan import Job
from bench.spec.experiment import Experiment
from sweeps import worker
from sweeps.collecting import collect
from sweeps.queue import Claim, Queue
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


def job(seed: int = 0, **changes: object) -> Job:
    overrides = tuple(sorted({**dict(SMALL), **changes}.items()))
    return Job(Experiment(TASKS["xor"], MODELS["lif"], seed, "smoke", overrides), (ACCURACY,), ("roles-6",))


def once(queue: Queue, limit_s: float | None = None, **changes: object) -> tuple[int, store.Line]:
    with queue.planning():
        queue.enqueue([(job(**changes), None)], limit_s)
    code = worker.work(queue, limit=1)
    with queue.planning():
        results = collect(queue)
    return code, results[-1].lines[0]


@pytest.mark.slow
def test_interrupted_at_a_random_batch_it_ends_with_the_same_weights_in_20_of_20_tries(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, undisturbed = once(Queue())
    rng, check, same = random.Random(7), worker.Heartbeat.check, 0
    batches = 3 * (4 + 2)  # three epochs of four batches to train and two to test
    for attempt in range(20):
        monkeypatch.setenv("BENCH_HOME", str(places / f"home-{attempt}"))
        monkeypatch.setenv("BENCH_RESULTS", str(places / f"results-{attempt}"))
        at, calls = rng.randint(1, batches), Counter[str]()

        def signalled(self: worker.Heartbeat, at: int = at, calls: Counter[str] = calls, number: int = attempt) -> None:
            calls["n"] += 1
            if calls["n"] == at:
                os.kill(os.getpid(), worker.SIGNALS[number % 3])
            check(self)

        monkeypatch.setattr(worker.Heartbeat, "check", signalled)
        queue = Queue()
        code, preempted = once(queue)
        assert (code, preempted.status) == (75, "preempted"), at
        monkeypatch.setattr(worker.Heartbeat, "check", check)
        assert worker.work(queue) == 0  # it was queued again
        with queue.planning():
            ((line, *_),) = [c.lines for c in collect(queue)]
        same += (line.checkpoint_sha256, line.value) == (undisturbed.checkpoint_sha256, undisturbed.value)
    assert same == 20


def test_an_experiment_over_its_time_is_recorded_as_timeout_and_the_next_one_runs(places: Path) -> None:
    queue = Queue()
    _, late = once(queue, limit_s=0.0)
    assert late.status == "timeout"
    _, fine = once(queue, seed=1)
    assert fine.status == "ok"


def test_an_experiment_end_if_stuck_in_one_batch_is_recorded_as_timeout_and_its_worker_ends(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue()
    with queue.planning():
        queue.enqueue([(job(), None)], limit_s=1.0)
    claim = queue.claim()
    assert claim is not None
    heartbeat, ended = worker.Heartbeat(queue, claim, worker.StopRequest()), []
    monkeypatch.setattr(os, "_exit", ended.append)
    heartbeat._end_over_limit()
    assert not ended
    heartbeat.started_at -= 63.0  # twice the limit and a minute
    heartbeat._end_over_limit()
    assert ended == [1]
    with queue.planning():
        ((line,),) = [c.lines for c in collect(queue)]
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
        results = {line.seed: (line.status, line.error) for c in collect(queue) for line in c.lines}
    assert results == {0: ("oom", "no 80 GB here"), 1: ("failed", "ZeroDivisionError: in a step"), 2: ("ok", "")}


@pytest.mark.slow
def test_a_worker_told_to_stop_by_a_signal_exits_75_and_another_finishes_its_experiment(places: Path) -> None:
    queue = Queue()
    with queue.planning():
        queue.enqueue([(job(epochs=400), None)])
    command = [sys.executable, "-m", "sweeps", "worker", "--study", queue.name]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "W&B" in process.stderr.readline()
    assert "start" in process.stderr.readline()
    until = time.monotonic() + 60
    while not list((places / "home" / "experiments").glob("*/last.ckpt")) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(60) == 75
    with queue.planning():
        (line,) = [line for record in collect(queue) for line in record.lines]
    assert (line.status, line.error) == ("preempted", "SIGUSR1; goes on from its last checkpoint")
    assert len(queue.storage.waiting(queue.study_id)) == 1


def test_a_result_is_handed_in_when_nothing_watches_over_it_any_more(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching: list[bool] = []
    handing_in = Queue.finish

    def finish(queue: Queue, claim: Claim, *rest: Any) -> bool:
        watching.append(any(isinstance(thread, worker.Heartbeat) for thread in threading.enumerate()))
        return handing_in(queue, claim, *rest)

    def slow(heartbeat: worker.Heartbeat) -> None:
        """It is about to say that the experiment is stuck when this comes to its end."""
        heartbeat.ended.wait(60.0)
        time.sleep(0.3)

    monkeypatch.setattr(worker.Heartbeat, "_end_if_stuck", slow)
    monkeypatch.setattr(worker.Heartbeat, "_interval", lambda heartbeat: 0.05)
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
    stop_request, ended = worker.StopRequest(), []
    heartbeat = worker.Heartbeat(queue, claim, stop_request)
    monkeypatch.setattr(os, "_exit", ended.append)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)  # the same one, from the command
    heartbeat._end_if_stuck()
    assert ended == []
    stop_request.time -= worker.STUCK_S + 1
    heartbeat._end_if_stuck()
    assert ended == [worker.PREEMPTED]
    with queue.planning():
        ((line,),) = [c.lines for c in collect(queue)]
    assert (line.status, line.error[:7]) == ("preempted", "SIGTERM")
    assert queue.claim() is not None  # and no death counts


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Counter[tuple[str, ...]]:
    folder = tmp_path_factory.mktemp("alone")
    return soak.undisturbed(folder / "alone", 12)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "workers"), [("postgresql", 4), ("sqlite", 2), ("journal", 4)])
def test_workers_killed_and_servers_restarted_everything_is_there_once_and_right(
    kind: str, workers: int, places: Path, expected: Counter[tuple[str, ...]], request: pytest.FixtureRequest
) -> None:
    """A short soak; ``make soak`` runs 200 experiments on each storage."""
    server = request.getfixturevalue("postgres") if kind == "postgresql" else None
    address = server.address if server else f"{kind}:///{places}/queue.{kind}"
    results, killed, _ = soak.soak(places / "soak", 12, workers, address, 3.0, server, 1 if server else 0)
    soak.check(results, expected, 12)
    assert killed
