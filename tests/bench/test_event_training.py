"""Experiments on event sets: events or dense the same weights, and a validation split that chooses an epoch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.ledger.store import Line
from bench.measures import ACCURACY, AT_RESOLUTION, ENERGY_INFERENCE
from bench.papers.roles.models import LIF, LIF_RECURRENT, RNN_512
from bench.papers.roles.tasks import NMNIST, SSC
from bench.spec.experiment import Experiment
from bench.spec.task import Task
from bench.training import run, trained
from datamodules.event_data import EventData
from tests.datamodules import tiny_sets


@pytest.fixture
def nmnist(places: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    rng = np.random.default_rng(2)
    splits = [[(tiny_sets.camera(rng, 34, 900, 60_000), i % 10) for i in range(count)] for count in (24, 8)]
    tiny_sets.install("nmnist", tiny_sets.nmnist_archives(*splits), {"train": 24, "test": 8}, monkeypatch)
    return replace(NMNIST, budgets={"smoke": {"epochs": 2, "batch_size": 10, "lr": 1e-2}})


@pytest.fixture
def ssc(places: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    rng, sizes = np.random.default_rng(1), {"train": 24, "valid": 10, "test": 40}
    archives = {
        f"ssc_{n}.h5.zip": tiny_sets.zipped({f"ssc_{n}.h5": tiny_sets.spikes_h5(tiny_sets.cochlea(rng, c, 35))})
        for n, c in sizes.items()
    }
    tiny_sets.install("ssc", archives, sizes, monkeypatch)
    return replace(
        SSC,
        budgets={"smoke": {"epochs": 4, "batch_size": 24, "data_settings": {"bin_ms": 20}, "layers": (700, 40, 35)}},
    )


def by_protocol(task: Task) -> dict[str, Line]:
    lines, _ = run.run(Experiment(task, LIF, 0, "smoke"), (ACCURACY,))
    assert {line.status for line in lines} == {"ok"}, lines
    return {line.protocol: line for line in lines}


@pytest.mark.parametrize("model", [LIF, LIF_RECURRENT])
def test_batches_of_events_train_the_same_weights_and_cost_no_dense_batch(
    nmnist: Task, monkeypatch: pytest.MonkeyPatch, model
) -> None:
    seen: list[str] = []
    make = EventData._batches
    monkeypatch.setattr(EventData, "_batches", lambda self, *a: (seen.append(self.form), make(self, *a))[1])
    results = []
    experiment = Experiment(nmnist, model, 0, "smoke")
    for form in ("events", "dense"):
        monkeypatch.setattr(EventData, "has_events", form == "events")
        lines, _ = run.run(experiment, (ACCURACY,))
        assert lines[0].status == "ok" and set(seen) == {form}
        results.append((lines[0].checkpoint_sha256, lines[0].value, lines[0].synops, lines[0].spike_rate))
        seen.clear()
        (trained.folder(experiment) / "weights.pt").unlink()
    assert results[0] == results[1]


def test_a_network_without_spikes_trains_and_is_read_on_batches_of_events_too(
    nmnist: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = Experiment(nmnist, RNN_512, 0, "smoke")
    losses = []
    for form in ("events", "dense"):
        monkeypatch.setattr(EventData, "has_events", form == "events")
        lines, _ = run.run(experiment, (ACCURACY, AT_RESOLUTION[1], ENERGY_INFERENCE))
        assert {line.status for line in lines} == {"ok"}, {(x.measure, x.error) for x in lines if x.error}
        losses.append([record["test/loss"] for record in trained.load(experiment).history])  # type: ignore[union-attr]
        (trained.folder(experiment) / "weights.pt").unlink()
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_batches_for_a_card_train_the_same_weights(nmnist: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a card they are bits of a set that stays there, made ahead by a thread; evaluations take several at a time."""
    experiment = Experiment(nmnist, LIF, 0, "smoke")
    results = []
    for placed in (False, True):
        if placed:
            monkeypatch.setattr(run, "_choose_form", lambda data, module: data.place(module.device, 4))
        lines, _ = run.run(experiment, (ACCURACY,))
        assert {line.status for line in lines} == {"ok"}, lines
        history = trained.load(experiment).history  # type: ignore[union-attr]
        losses = [record["test/loss"] for record in history]
        results.append((lines[0].checkpoint_sha256, lines[0].value, [record["n_test"] for record in history], losses))
        (trained.folder(experiment) / "weights.pt").unlink()
    assert results[0][:3] == results[1][:3]
    assert results[0][3] == pytest.approx(results[1][3], rel=1e-6)


def test_a_set_with_a_validation_split_has_its_epoch_chosen_by_it_too(ssc: Task) -> None:
    lines = by_protocol(ssc)
    assert list(lines) == ["last", "best_test", "best_val"]
    trained_experiment = trained.load(Experiment(ssc, LIF, 0, "smoke"))
    assert trained_experiment is not None and len(trained_experiment.history) == 4
    chosen = max(trained_experiment.history, key=lambda record: record["val/accuracy"])
    line = lines["best_val"]
    assert (line.epoch, line.n_test) == (chosen["epoch"], 40) and line.value == pytest.approx(
        chosen["test/accuracy"], abs=1e-4
    )
    module, data = trained_experiment.module("best_val"), trained_experiment.data()
    for batches, value in ((data.test_batches(), line.value), (data.validation_batches(), chosen["val/accuracy"])):
        scores = [(module.objective(module(x), y, **module.loss_settings)[1].argmax(1) == y) for x, y in batches]
        assert 100 * float(np.mean(np.concatenate([s.numpy() for s in scores]))) == pytest.approx(value, abs=1e-4)


def test_validation_chooses_an_epoch_only_if_the_recipe_or_the_set_has_it(nmnist: Task) -> None:
    assert set(by_protocol(nmnist)) == {"last", "best_test"}
    carved = replace(nmnist, data_settings={**nmnist.data_settings, "validation": 0.25})
    assert set(by_protocol(carved)) == {"last", "best_test", "best_val"}
