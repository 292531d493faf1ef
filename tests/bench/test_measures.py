"""What each measure promises, on tiny networks and recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score

from bench.ledger import series
from bench.measures import (
    ACCURACY,
    AT_RESOLUTION,
    AT_RESOLUTION_FULL,
    AT_RESOLUTION_SAME,
    EVENT_DROP,
    MEASURES,
    SILHOUETTE,
    SPIKE_RATE,
    T_SNE,
    feature_space,
)
from bench.measures.event_drop import event_drop
from bench.papers.roles.models import LIF, LIF_RECURRENT, LSTM_512
from bench.papers.roles.tasks import NMNIST, XOR
from bench.spec.experiment import Experiment
from bench.training import run, trained
from datamodules import cache, events
from lightning_modules import scan
from tests.bench import cameras


def packed() -> list[str]:
    return sorted(entry.split for entry in cache.entries())


def test_at_the_trained_resolution_and_without_drop_the_accuracy_is_that_of_the_training(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras.install(monkeypatch)
    experiment = Experiment(
        NMNIST, LIF, 0, "smoke", (("batch_size", 7), ("epochs", 3), ("layers", [2312, 24, 10]), ("lr", 1e-3))
    )
    lines, _ = run.run(experiment, (ACCURACY, AT_RESOLUTION[3], AT_RESOLUTION[5]))
    assert [line.status for line in lines] == ["ok"] * 6
    value = {(line.measure, line.protocol): line.value for line in lines}
    trained_experiment = trained.load(experiment)
    assert trained_experiment is not None
    for protocol in ("last", "best_test"):
        assert value["accuracy@3ms", protocol] == value["accuracy", protocol]
        assert event_drop(trained_experiment, protocol, 0.0).value == value["accuracy", protocol]
    assert {line.n_test for line in lines} == {30}
    assert packed() == ["test", "test", "train"], "another resolution packs the test set alone"


def test_resolutions_have_the_trained_number_of_windows_the_trained_stretch_or_the_whole_recording(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras.install(monkeypatch)
    trained_experiment = cameras.untrained()
    seen = []
    monkeypatch.setattr(
        "bench.measures.generalisation.accuracy", lambda module, data: seen.append(data.transform) or (0.0, 1)
    )
    for measures in (AT_RESOLUTION, AT_RESOLUTION_SAME, AT_RESOLUTION_FULL):
        for measure in measures.values():
            list(trained.read(trained_experiment, measure))
    assert [t.window_ms for t in seen] == [1, 2, 3, 5, 10] * 3
    assert [t.steps for t in seen] == [15] * 5 + [45, 23, 15, 9, 5, 300, 150, 100, 60, 30]


def test_event_drop_takes_its_share_of_the_events_before_windows_are_made(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras.install(monkeypatch)
    trained_experiment = cameras.untrained()
    remaining = [
        trained_experiment.data("test", drop=rho, steps="full", values="counts").sets["test"]
        for rho in (0.0, 0.25, 0.5, 1.0)
    ]  # type: ignore[attr-defined]
    whole = remaining[0].counts.sum() / 30
    assert whole >= 870, "of 900 events, all but those after 300 ms"
    assert [s.counts.sum() / 30 / whole for s in remaining] == pytest.approx([1.0, 0.75, 0.5, 0.0], abs=0.01)
    assert len(remaining[3].places) == 0 and all(np.array_equal(s.labels, remaining[0].labels) for s in remaining)
    assert event_drop(trained_experiment, "last", 1.0).value == 10.0, "without any event all are taken for one class"
    train = trained_experiment.data("fit", drop=0.5).sets["train"]  # type: ignore[attr-defined]
    assert np.array_equal(train.places, trained_experiment.data("fit").sets["train"].places), (
        "trainings see every event"
    )  # type: ignore[attr-defined]


def test_what_is_dropped_follows_from_the_recording_and_grows_with_the_share() -> None:
    recording = np.arange(1000)
    some, more = (events.drop(recording, ratio, np.random.default_rng([5, 7])) for ratio in (0.3, 0.6))
    assert (len(some), len(more)) == (700, 400) and set(more) < set(some) and np.all(np.diff(some) > 0)
    assert np.array_equal(some, events.drop(recording, 0.3, np.random.default_rng([5, 7])))
    assert not np.array_equal(some, events.drop(recording, 0.3, np.random.default_rng([5, 8])))
    assert np.array_equal(events.drop(recording, 0.0, np.random.default_rng(0)), recording)
    assert len(events.drop(recording, 1.0, np.random.default_rng(0))) == 0


@pytest.mark.parametrize("drop", [-0.1, 1.5])
def test_a_share_outside_0_to_1_is_an_error(places: Path, drop: float) -> None:
    with pytest.raises(ValueError, match="0 <= drop <= 1"):
        cameras.untrained().data("test", drop=drop)


@pytest.mark.parametrize("measure", [AT_RESOLUTION[1], AT_RESOLUTION_FULL[10], EVENT_DROP[0.5]])
def test_data_without_events_of_a_camera_has_no_such_measure(places: Path, measure) -> None:
    trained_experiment = trained.Trained(Experiment(XOR, LIF_RECURRENT, 0, "smoke"), {}, [], 0, {})
    with pytest.raises(trained.NotApplicable, match="task xor"):
        list(trained.read(trained_experiment, measure))


def test_every_measure_is_registered_under_its_own_name_and_says_its_parameters() -> None:
    assert all(name == measure.name for name, measure in MEASURES.items())
    assert {"accuracy@1ms", "accuracy@10ms", "accuracy@1ms-full", "event-drop@0.1", "event-drop@0.9"} <= set(MEASURES)


def test_the_spike_rate_of_the_distribution_is_that_of_the_training(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras.install(monkeypatch)
    experiment = Experiment(
        NMNIST, LIF_RECURRENT, 0, "smoke", (("batch_size", 7), ("layers", [2312, 24, 10]), ("neuron.threshold", 0.02))
    )
    lines, _ = run.run(experiment, (SPIKE_RATE,))
    assert [line.value for line in lines] == pytest.approx([line.spike_rate for line in lines], abs=2e-6) and lines[
        0
    ].value
    columns = series.read(experiment, SPIKE_RATE, "last")
    assert columns is not None
    assert columns["layer"] == [1.0] * 24 + [2.0] * 10 and columns["neuron"] == [*range(24), *range(10)]
    assert np.mean(columns["rate"]) == pytest.approx(lines[0].value, abs=1e-5)
    assert len(set(columns["rate"])) > 5, "a distribution, not one number"


def test_the_silhouette_is_scikit_learn_s_of_the_hidden_layer_s_rates(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras.install(monkeypatch)
    trained_experiment = cameras.untrained(gain=3.0)
    module, data = trained_experiment.module("last"), trained_experiment.data("test")
    x = torch.cat([x.dense() if hasattr(x, "dense") else x for x, _ in data.test_batches()], 1)
    labels = torch.cat([y for _, y in data.test_batches()])
    hidden = scan.scan_stack([module.network.stack[0].spec], x, backend="loop").output  # type: ignore[attr-defined]
    assert hidden is not None
    rates = hidden.mean(0).detach().double().numpy()
    assert rates.any(1).all()
    reading = feature_space.silhouette(trained_experiment, "last")
    assert reading.value == pytest.approx(silhouette_score(rates, labels.numpy(), metric="cosine"), abs=1e-6)
    assert reading.series["class"] == list(range(10)) and reading.series["samples"] == [3] * 10
    assert np.mean(reading.series["silhouette"]) == pytest.approx(reading.value)


def test_samples_without_a_spike_are_left_out_of_the_silhouette_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    points, classes = rng.random((30, 6)), np.arange(30) % 3
    points[[0, 3, 7]] = 0.0
    spiking = points.any(1)
    monkeypatch.setattr(feature_space, "features", lambda trained, protocol: (points, classes))
    monkeypatch.setattr(feature_space, "_classes", lambda trained: 3)
    reading = feature_space.silhouette(cameras.untrained(), "last")
    assert reading.n_test == 27 and reading.series["silent"] == [2, 1, 0] and reading.series["samples"] == [8, 9, 10]
    assert reading.value == pytest.approx(silhouette_score(points[spiking], classes[spiking], metric="cosine"))


@pytest.mark.parametrize(
    ("classes", "test", "measure", "message"),
    [
        (9, 30, SILHOUETTE, "too few for: 9$"),
        (10, 12, SILHOUETTE, "too few for: 2, 3, 4, 5, 6, 7, 8, 9$"),
        (10, 30, T_SNE, "needs 90 samples, the test set has 30"),
    ],
)
def test_absent_classes_and_too_few_samples_are_reported(
    places: Path, monkeypatch: pytest.MonkeyPatch, classes: int, test: int, measure, message: str
) -> None:
    cameras.install(monkeypatch, classes, {"train": 24, "test": test})
    with pytest.raises(trained.NotApplicable, match=message):
        list(trained.read(cameras.untrained(gain=3.0), measure))


def test_t_sne_gives_the_same_map_again(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    points, classes = rng.random((120, 8)), np.arange(120) % 3
    monkeypatch.setattr(feature_space, "features", lambda trained, protocol: (points, classes))
    monkeypatch.setattr(feature_space, "_classes", lambda trained: 3)
    first, second = (feature_space.t_sne(cameras.untrained(), "last", samples=100, perplexity=30.0) for _ in range(2))
    assert first == second
    assert len(first.series["x"]) == len(first.series["class"]) == first.n_test == 100


@pytest.mark.parametrize("measure", [SPIKE_RATE, SILHOUETTE, T_SNE])
def test_a_network_without_spikes_has_no_measure_of_spikes(
    places: Path, monkeypatch: pytest.MonkeyPatch, measure
) -> None:
    cameras.install(monkeypatch)
    with pytest.raises(trained.NotApplicable, match="LSTM has no spikes"):
        list(trained.read(cameras.untrained(LSTM_512), measure))


@pytest.mark.parametrize("model", [LIF, LSTM_512], ids=lambda m: m.name)
def test_every_network_is_measured_at_other_resolutions_and_under_event_drop(
    places: Path, monkeypatch: pytest.MonkeyPatch, model
) -> None:
    cameras.install(monkeypatch)
    trained_experiment = cameras.untrained(model)
    for measure in (AT_RESOLUTION[10], EVENT_DROP[0.5]):
        assert all(
            0 <= reading.value <= 100 and reading.n_test == 30
            for _, reading in trained.read(trained_experiment, measure)
        )
