"""What a training leaves beside its measures: its history, and which test samples it decides right."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.ledger import correct, histories
from bench.measures import ACCURACY, LOSS_CURVE
from bench.papers.celif.models_baselines import LSTM_256
from bench.papers.celif.tasks import ADDING_100, COPY_100
from bench.spec.experiment import Experiment
from bench.spec.task import Task
from bench.training import run, trained
from tests.bench import test_trained

E = replace(test_trained.E, seed=1)  # its best epoch is the first of two
REGRESSION, COPY = (
    replace(task, budgets={"smoke": {"epochs": 1, "batch_size": 8, "data_settings": settings}})
    for task, settings in (
        (ADDING_100, {"steps": 6, "batches": 1, "test": 8}),
        (COPY_100, {"delay": 4, "batches": 1, "test": 8}),
    )
)
LSTM_SMALL = replace(LSTM_256, by_task={"adding-100": {"layers": (2, 4, 1)}, "copy-100": {"layers": (10, 4, 10)}})


def stop_after_an_epoch() -> None:
    """Start a training that is stopped after its first epoch."""

    def stop() -> None:
        if trained.checkpoint_file(E).exists():
            raise SystemExit(143)

    with pytest.raises(SystemExit):
        run.run(E, (ACCURACY,), check=stop)


def test_history_and_correctness_are_written_after_a_training_and_from_kept_weights(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, _ = run.run(E, (ACCURACY,))
    history = histories.read(E, epochs=2)
    assert history is not None
    assert list(history) == ["epoch", "step", "train_loss", "test_loss", "test_accuracy", "spike_rate"]
    assert history["step"] == [1, 2] and len(set(history["train_loss"])) == 2
    for line in lines:
        assert histories.value(E, ACCURACY, 2, line.protocol) == line.value
        right = (correct.read(E) or {})[line.protocol]
        assert len(right) == 40 and 100 * right.mean() == line.value
    files = [histories.path(E), correct.path(E)]
    texts = [file.read_text() for file in files]
    for file in files:
        file.unlink()
    monkeypatch.setattr(run, "_train", lambda *a: pytest.fail("trained again"))
    run.run(E, (ACCURACY,))
    assert [file.read_text() for file in files] == texts


def test_correctness_is_that_of_each_sample_in_the_order_of_the_test_set(places: Path) -> None:
    run.run(E, (ACCURACY,))
    kept = trained.load(E)
    assert kept is not None
    for protocol in ("last", "best_test"):
        module = kept.module(protocol)
        expected = [
            module.objective(module(x), y, **module.loss_settings)[1].argmax(1) == y
            for x, y in kept.data().test_batches()
        ]
        assert torch.equal(kept.correct[protocol], torch.cat(expected))
    assert (correct.read(E) or {})["best_test"].tolist() == kept.correct["best_test"].tolist()


@pytest.mark.parametrize("task", [REGRESSION, COPY], ids=["regression", "a target at every step"])
def test_without_one_class_a_sample_there_is_no_correctness(places: Path, task: Task) -> None:
    experiment = Experiment(task, LSTM_SMALL, 0, "smoke")
    lines, _ = run.run(experiment, (LOSS_CURVE,))
    assert [line.status for line in lines] == ["ok"]
    assert correct.read(experiment) is None
    assert histories.value(experiment, LOSS_CURVE, 1, "last") == float(f"{lines[0].value:.7g}")


def test_a_training_that_goes_on_in_another_home_has_the_history_and_correctness_of_one_without_a_stop(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.run(E, (ACCURACY,))
    files = [histories.path(E), correct.path(E)]
    texts = [file.read_text() for file in files]
    monkeypatch.setenv("BENCH_HOME", str(places / "home" / "second"))
    monkeypatch.setenv("BENCH_RESULTS", str(places / "second"))

    stop_after_an_epoch()
    assert not histories.path(E).exists()
    stopped = trained.folder(E)
    monkeypatch.setenv("BENCH_HOME", str(places / "home" / "third"))  # of another host, say
    shutil.copytree(stopped, trained.folder(E))
    lines, _ = run.run(E, (ACCURACY,))
    assert {line.status for line in lines} == {"ok"}
    assert [(places / "second" / file.relative_to(places / "results")).read_text() for file in files] == texts


def test_checkpoints_and_weights_of_earlier_versions_are_taken(places: Path) -> None:
    stop_after_an_epoch()
    checkpoint = torch.load(trained.checkpoint_file(E), weights_only=True)
    del checkpoint["correctness"]
    del checkpoint["history"][0]["train/loss"]
    torch.save(checkpoint, trained.checkpoint_file(E))
    lines, _ = run.run(E, (ACCURACY,))
    assert [(line.status, line.epochs) for line in lines] == [("ok", 2)] * 2
    assert "last" in (correct.read(E) or {}) and "train_loss" not in (histories.read(E) or {})

    path = trained.folder(E) / "weights.pt"
    content = torch.load(path, weights_only=True)
    del content["correct"]
    torch.save(content, path)
    kept = trained.load(E)
    assert kept is not None and kept.correct == {}
