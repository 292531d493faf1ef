"""What each measure promises, on tiny networks and recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import run, trained
from bench.experiment import Experiment
from bench.measures import ACCURACY, AT_RESOLUTION, AT_RESOLUTION_FULL, EVENT_DROP, MEASURES
from bench.measures.event_drop import event_drop
from bench.models.roles import LIF, LIF_RECURRENT
from bench.tasks.roles import NMNIST, XOR
from datamodules import cache, events
from tests.bench import cameras


def packed() -> list[str]:
    return sorted(entry.split for entry in cache.entries())


def test_at_the_trained_resolution_and_without_drop_the_accuracy_is_that_of_the_training(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras.install(monkeypatch)
    experiment = Experiment(NMNIST, LIF, 0, "smoke", (("batch_size", 7), ("epochs", 3), ("layers", [2312, 24, 10]), ("lr", 1e-3)))
    lines, _ = run.run(experiment, (ACCURACY, AT_RESOLUTION[3], AT_RESOLUTION[5]))
    assert [line.status for line in lines] == ["ok"] * 6
    value = {(line.measure, line.protocol): line.value for line in lines}
    kept = trained.load(experiment)
    assert kept is not None
    for protocol in ("last", "best_test"):
        assert value["accuracy@3ms", protocol] == value["accuracy", protocol]
        assert event_drop(kept, protocol, 0.0).value == value["accuracy", protocol]
    assert {line.n_test for line in lines} == {30}
    assert packed() == ["test", "test", "train"], "another resolution packs the test set alone"


def test_resolutions_have_the_trained_number_of_windows_or_the_whole_recording(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cameras.install(monkeypatch)
    kept = cameras.untrained()
    seen = []
    monkeypatch.setattr("bench.measures.generalisation.accuracy", lambda module, data: seen.append(data.transform) or (0.0, 1))
    for measures in (AT_RESOLUTION, AT_RESOLUTION_FULL):
        for measure in measures.values():
            list(trained.read(kept, measure))
    assert [t.window_ms for t in seen] == [ms for ms in (1, 2, 3, 5, 10) for _ in range(2)] * 2
    assert [t.steps for t in seen] == [15] * 10 + [s for s in (300, 150, 100, 60, 30) for _ in range(2)]


def test_event_drop_takes_its_share_of_the_events_before_windows_are_made(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cameras.install(monkeypatch)
    kept = cameras.untrained()
    left = [kept.data("test", drop=rho, steps="full", values="counts").sets["test"] for rho in (0.0, 0.25, 0.5, 1.0)]  # type: ignore[attr-defined]
    whole = left[0].counts.sum() / 30
    assert whole >= 870, "of 900 events, all but those after 300 ms"
    assert [s.counts.sum() / 30 / whole for s in left] == pytest.approx([1.0, 0.75, 0.5, 0.0], abs=0.01)
    assert len(left[3].places) == 0 and all(np.array_equal(s.labels, left[0].labels) for s in left)
    assert event_drop(kept, "last", 1.0).value == 10.0, "without any event all are taken for one class"
    train = kept.data("fit", drop=0.5).sets["train"]  # type: ignore[attr-defined]
    assert np.array_equal(train.places, kept.data("fit").sets["train"].places), "trainings see every event"  # type: ignore[attr-defined]


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
def test_data_without_events_of_a_camera_is_said_to_have_no_such_measure(places: Path, measure) -> None:
    kept = trained.Trained(Experiment(XOR, LIF_RECURRENT, 0, "smoke"), {}, [], 0, {})
    with pytest.raises(trained.NotApplicable, match="task xor"):
        list(trained.read(kept, measure))


def test_every_measure_is_registered_under_its_own_name_and_says_its_parameters() -> None:
    assert all(name == measure.name for name, measure in MEASURES.items())
    assert {"accuracy@1ms", "accuracy@10ms", "accuracy@1ms-full", "event-drop@0.1", "event-drop@0.9"} <= set(MEASURES)
