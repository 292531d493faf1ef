"""On a card a worker trains experiments of one form together; each has the results that it has alone."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from bench.ledger import histories
from bench.ledger.store import Line
from bench.measures import ACCURACY, MEASURES
from bench.papers.registry import MODELS, TASKS
from bench.plan import Job
from bench.spec.experiment import Experiment
from bench.training import run
from lightning_modules import scan
from lightning_modules.graphed_step import WARMUP, Capture
from lightning_modules.graphed_training import GraphedModule
from sweeps import worker
from sweeps.collecting import collect
from sweeps.queue import Queue
from tests.sweeps.test_faults import SMALL

OWN_START = ("network_settings.start", "own")  # whose steps are graphs
SEEDS = 3
STEPS = 3 * 4


def job(seed: int, model: str = "lif", **changes: object) -> Job:
    overrides = tuple(sorted({**dict([*SMALL, OWN_START]), **changes}.items()))
    measures = (ACCURACY, MEASURES["spike-rate"]) if seed == 1 else (ACCURACY,)
    return Job(Experiment(TASKS["xor"], MODELS[model], seed, "smoke", overrides), measures, ("roles-6",))


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Trainings as on a card, with an eager stand-in for a graph; grows by one with every launch of it."""
    launches: list[int] = []

    def capture(step: Callable[[], None]) -> Callable[[], object]:
        def replay() -> None:
            launches.append(1)
            step()

        return replay

    def capture_of(module: GraphedModule, optimiser: torch.optim.Optimizer) -> Capture:
        return capture

    monkeypatch.setenv("BENCH_WANDB", "off")
    monkeypatch.setattr(GraphedModule, "capture_of", capture_of)
    monkeypatch.setattr(run, "SpikingModule", GraphedModule)
    monkeypatch.setattr(run, "together", lambda experiment: experiment.config["network"] == "dense")
    with scan.using("loop"):
        yield launches


def collected(queue: Queue) -> dict[tuple[str, int], list[Line]]:
    """Lines by model and seed."""
    with queue.planning():
        return {(record.lines[0].model, record.lines[0].seed): record.lines for record in collect(queue)}


def work(*jobs: Job, together: int = 8) -> tuple[int, dict[tuple[str, int], list[Line]]]:
    queue = Queue()
    with queue.planning():
        queue.enqueue([(job, 1.0) for job in jobs])
    code = worker.work(queue, together=together)
    return code, collected(queue)


def made(lines: dict[tuple[str, int], list[Line]]) -> dict[tuple[str, int], list[tuple[object, ...]]]:
    """What a training gave, without its time and memory."""
    return {
        place: [(line.measure, line.protocol, line.status, line.value, line.checkpoint_sha256) for line in of_seed]
        for place, of_seed in lines.items()
    }


def in_a_place_of_its_own(places: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_HOME", str(places / name / "home"))
    monkeypatch.setenv("BENCH_RESULTS", str(places / name / "results"))


def test_seeds_that_wait_are_trained_together_with_the_results_that_each_has_alone(
    places: Path, replays: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [job(seed) for seed in range(SEEDS)]
    in_a_place_of_its_own(places, "alone", monkeypatch)
    _, alone = work(*jobs, together=1)
    assert len(replays) == SEEDS * (STEPS - WARMUP)
    histories_alone = {j.experiment.id: histories.path(j.experiment).read_text() for j in jobs}
    replays.clear()
    in_a_place_of_its_own(places, "together", monkeypatch)
    monkeypatch.setenv("BENCH_WANDB", "offline")
    code, together = work(*jobs)
    assert (code, len(replays)) == (0, STEPS - WARMUP)
    assert {line.wandb_run for lines in together.values() for line in lines} == {j.experiment.id for j in jobs}
    assert made(together) == made(alone)
    assert {j.experiment.id: histories.path(j.experiment).read_text() for j in jobs} == histories_alone
    assert {line.status for lines in together.values() for line in lines} == {"ok"}


def test_costs_are_shares_and_every_experiment_has_a_heartbeat_before_the_first_is_trained(
    places: Path, replays: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[float] = []
    beating: list[int] = []

    class Cost(run.Cost):
        def __init__(self, share: float) -> None:
            shares.append(share)
            beating.append(sum(isinstance(thread, worker.Heartbeat) for thread in threading.enumerate()))
            super().__init__(share)

    monkeypatch.setattr(run, "Cost", Cost)
    work(*(job(seed, epochs=1) for seed in range(2)))
    assert (shares, beating) == ([0.5, 0.5], [2, 2])
    started = time.perf_counter()
    monkeypatch.setattr(time, "perf_counter", lambda: started)
    cost = Cost(0.25)
    monkeypatch.setattr(time, "perf_counter", lambda: started + 8.0)
    assert cost.seconds == 2.0


def test_leaks_of_a_sweep_share_steps_and_have_the_results_that_each_has_alone(
    places: Path, replays: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [job(0, "lif-leak-0.5"), job(0, "lif-no-leak")]
    in_a_place_of_its_own(places, "alone", monkeypatch)
    _, alone = work(*jobs, together=1)
    replays.clear()
    in_a_place_of_its_own(places, "together", monkeypatch)
    _, together = work(*jobs)
    assert len(replays) == STEPS - WARMUP
    assert made(together) == made(alone)
    assert len({line[-1] for lines in made(together).values() for line in lines}) == len(jobs)


def test_only_experiments_of_one_form_and_no_more_than_are_allowed_share_steps(
    places: Path, replays: list[int]
) -> None:
    shorter = [job(seed, epochs=2) for seed in range(2)]
    recurrent = job(0, "lif-recurrent")
    _, lines = work(*(job(seed) for seed in range(SEEDS)), *shorter, recurrent, together=2)
    assert len(replays) == 3 * (STEPS - WARMUP) + (8 - WARMUP)  # two seeds, the third, the recurrent one; the shorter
    assert {line.status for of_seed in lines.values() for line in of_seed} == {"ok"}


def test_a_stopped_group_is_recorded_for_each_seed_and_goes_on_together(
    places: Path, replays: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [job(seed) for seed in range(SEEDS)]
    in_a_place_of_its_own(places, "whole", monkeypatch)
    _, whole = work(*jobs)
    in_a_place_of_its_own(places, "stopped", monkeypatch)
    check = worker.Heartbeat.check
    calls: list[int] = []

    def signalled(heartbeat: worker.Heartbeat) -> None:
        calls.append(1)
        if len(calls) == SEEDS * (4 + 2) + 2:  # in the second epoch, of the second seed
            os.kill(os.getpid(), signal.SIGUSR1)
        check(heartbeat)

    with monkeypatch.context() as patched:
        patched.setattr(worker.Heartbeat, "check", signalled)
        code, stopped = work(*jobs)
    assert code == worker.PREEMPTED
    errors = {line.error for lines in stopped.values() for line in lines}
    assert (sorted(stopped), errors) == (
        [("lif", 0), ("lif", 1), ("lif", 2)],
        {"SIGUSR1; goes on from its last checkpoint"},
    )
    queue = Queue()
    replays.clear()
    assert worker.work(queue) == 0
    assert len(replays) < STEPS - WARMUP  # on from the first epoch
    assert made(collected(queue)) == made(whole)


def test_a_process_that_is_stuck_records_every_seed_that_it_trains(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue()
    with queue.planning():
        queue.enqueue([(job(seed), None) for seed in range(2)])
    first = queue.claim()
    assert first is not None
    claims = [first, *queue.claim_alike(first, 7)]
    stop_request = worker.StopRequest()
    heartbeats = [worker.Heartbeat(queue, claim, stop_request) for claim in claims]
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    stop_request.set("SIGTERM")
    stop_request.time -= worker.STUCK_S + 1
    heartbeats[1]._end_if_stuck()
    assert ended == [worker.PREEMPTED]
    lines = collected(queue)
    assert {seed: of_seed[0].status for (_, seed), of_seed in lines.items()} == {0: "preempted", 1: "preempted"}
    assert len(queue.storage.waiting(queue.study_id)) == 2


def test_out_of_memory_says_that_fewer_together_take_less(
    places: Path, replays: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("lightning_modules.together.forward_seeds", fail)
    _, lines = work(job(0), job(2))
    ends = {(line.status, line.error) for of_seed in lines.values() for line in of_seed}
    assert ends == {("oom", "CUDA out of memory; 2 were trained together, --together takes fewer")}


def test_without_a_card_nothing_is_trained_together(places: Path) -> None:
    assert not run.together(job(0).experiment)
