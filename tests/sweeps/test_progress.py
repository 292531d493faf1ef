"""What a run shows of its experiments: how they ended, and the time that is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bench.ledger.new_lines import new_lines
from bench.ledger.store import Line
from bench.measures import ACCURACY
from bench.papers.registry import MODELS, TASKS
from bench.spec.experiment import Experiment
from sweeps.progress import Progress

EXPERIMENT = Experiment(TASKS["xor"], MODELS["lif"], 0, "smoke")


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A function that sets the time."""
    now = [0.0]
    monkeypatch.setattr("sweeps.progress.time.monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, seconds)


def result(status: str = "ok", error: str = "", **values: float) -> list[Line]:
    """Ledger lines of an experiment; ``values`` by protocol."""
    (line,) = new_lines(EXPERIMENT, (ACCURACY,), status, error)
    lines = [replace(line, protocol=protocol, value=value, wall_s=5.0, epoch=3) for protocol, value in values.items()]
    return lines or [line]


def test_time_left_leaves_out_what_a_checkpoint_had_done(
    at: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    progress = Progress({"a": "a", "b": "b"}, {"a": 100.0, "b": 100.0})
    progress.start("a")
    progress.update("a", 50, 100, batch=1, batches=10)  # 50 epochs came with the checkpoint
    at(10.0)
    progress.update("a", 60, 100, value=98.0)  # 10 epochs in 10 s: 40 + 100 are left
    assert "epoch 60/100, 98; 0:10 so far, about 2:20 left of this run" in capsys.readouterr().err


def test_the_line_at_the_end_names_the_epoch_of_each_value(
    at: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    progress = Progress({"a": "XOR"}, {"a": 1.0})
    at(5.0)
    progress.finish("a", result(last=95.25, best_test=96.02))
    output = capsys.readouterr().err
    assert (
        output == "[1/1] XOR: 96.02 % best test epoch, 95.25 % last (0:05); 0:05 so far, about 0:00 left of this run\n"
    )


def test_the_line_at_the_end_has_what_the_training_gave_and_names_what_was_read_later(
    at: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    read = [replace(line, measure="accuracy@1ms", epoch=None, wall_s=1.0) for line in result(last=45.5)]
    Progress({"a": "XOR"}, {"a": 1.0}).finish("a", [*read, *result(last=91.8)])
    Progress({"a": "XOR"}, {"a": 1.0}).finish("a", read)
    both, later = capsys.readouterr().err.splitlines()
    assert "XOR: 91.8 % last (0:05)" in both
    assert "XOR: accuracy@1ms 45.5 % last (0:01)" in later


def test_a_stopped_experiment_has_not_ended_and_no_time_is_left_after_a_stop(
    at: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    progress = Progress({"a": "first", "b": "second"}, {"a": 1.0, "b": 1.0})
    progress.update("a", 1, 2, value=50.0)
    capsys.readouterr()
    at(5.0)
    progress.stopped = True
    progress.finish("a", result("preempted", "SIGINT; goes on from its last checkpoint"))
    progress.finish("b", result("diverged", "loss is not finite"))
    first, second = capsys.readouterr().err.splitlines()
    assert first == "first stopped: SIGINT; goes on from its last checkpoint"
    assert second == "[1/2] second: diverged: loss is not finite (0:00); 0:05 so far"


def test_an_experiment_that_goes_on_after_a_stop_of_its_worker_counts_once(
    at: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    progress = Progress({"a": "XOR", "b": "other"}, {"a": 1.0, "b": 1.0})
    progress.update("a", 1, 2, value=50.0)
    progress.finish("a", result("preempted", "SIGUSR1; goes on from its last checkpoint"))
    at(10.0)
    progress.update("a", 2, 2, value=60.0)  # half of it had been left: one experiment in 10 s
    progress.finish("a", result(last=60.0))
    assert "[1/2] XOR: 60 % last (0:05); 0:10 so far, about 0:10 left of this run" in capsys.readouterr().err
