"""All results of an experiment stem from one training: new weights replace the lines and series of old ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.ledger import correct, histories, merge, series, store, validity
from bench.ledger.new_lines import new_lines
from bench.ledger.store import Line
from bench.measures import ACCURACY, ATTACK, SILHOUETTE, SPIKE_RATE
from bench.papers.registry import MODELS, TASKS
from bench.report import render
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure
from tests.conftest import ROOT, bench

E = Experiment(TASKS["mnist"], MODELS["lif"], 3, "laptop")
OTHER = Experiment(TASKS["mnist"], MODELS["lif-recurrent"], 3, "laptop")
RECORDS = [{"test/loss": 0.5, "test/accuracy": 88.0}]


def finished(experiment: Experiment, weights: str, *measures: Measure, status: str = "ok") -> list[Line]:
    """Lines of ``measures`` as a run with ``weights`` gives them."""
    lines = new_lines(experiment, measures, status, "" if status == "ok" else "why")
    known = {"value": 1.0, "protocol": "last", "epochs": 1, "started_utc": "2026-01-01T00:00:00Z"}
    return [replace(line, **known, checkpoint_sha256=weights) for line in lines]


def write_series(experiment: Experiment, *measures: Measure) -> None:
    for measure in measures:
        series.write_series(experiment, measure, "last", {"x": [1.0]})
    histories.write(experiment, RECORDS, 10)
    correct.write(experiment, {"last": [True, False]})


def kinds(experiment: Experiment) -> set[str]:
    """Folders of the series that ``experiment`` has."""
    return {p.parent.parent.name for p in (Path(store.folder()).parent / "series").glob(f"*/*/*_{experiment.id}.csv")}


def test_lines_of_new_weights_replace_those_of_old_ones_and_their_series(places: Path) -> None:
    failure = finished(E, "", ATTACK, status="failed")
    neighbour = finished(OTHER, "old", ACCURACY, SPIKE_RATE)
    store.append([*finished(E, "old", ACCURACY, SPIKE_RATE, SILHOUETTE), *failure, *neighbour])
    for experiment in (E, OTHER):
        write_series(experiment, SPIKE_RATE, SILHOUETTE)
    new = finished(E, "new", ACCURACY, SPIKE_RATE)
    store.append(new, [histories.path(E)])
    assert store.read() == [*failure, *neighbour, *new]
    assert kinds(E) == {"spike-rate", "history"}
    assert kinds(OTHER) == {"spike-rate", "silhouette", "history", "correct"}


def test_of_two_trainings_that_come_in_together_the_last_counts(places: Path) -> None:
    last = finished(E, "b", ACCURACY)
    store.append([*finished(E, "a", ACCURACY, SPIKE_RATE), *last])
    assert store.read() == last


def test_a_measure_that_does_not_apply_to_new_weights_replaces_old_lines_too(places: Path) -> None:
    store.append(finished(E, "old", ACCURACY))
    new = finished(E, "new", SILHOUETTE, status="not applicable")
    store.append(new)
    assert store.read() == new


@pytest.mark.parametrize(
    "lines",
    [
        finished(E, "old", SPIKE_RATE),
        finished(E, "", SPIKE_RATE, status="failed"),
        finished(E, "new", SPIKE_RATE, status="failed"),
        finished(OTHER, "new", ACCURACY),
    ],
    ids=["the same weights", "no weights", "a failed reading", "another experiment"],
)
def test_nothing_else_replaces_a_line(places: Path, lines: list[Line]) -> None:
    store.append(finished(E, "old", ACCURACY))
    write_series(E, SPIKE_RATE)
    store.append(lines)
    assert store.read() == [*finished(E, "old", ACCURACY), *lines]
    assert kinds(E) == {"spike-rate", "history", "correct"}


def test_a_replacement_that_cannot_be_written_changes_nothing(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append(finished(E, "old", ACCURACY))
    write_series(E)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("datamodules.files.write_atomically", refuse)
    with pytest.raises(BenchError, match="No space left on device"):
        store.append(finished(E, "new", ACCURACY))
    assert store.read() == finished(E, "old", ACCURACY)
    assert kinds(E) == {"history", "correct"}


def two_weights() -> list[Line]:
    """A ledger as runs of earlier versions left it."""
    path = store.folder() / "mnist.csv"
    store.append_to(path, [*finished(E, "a" * 64, ACCURACY), *finished(E, "b" * 64, SPIKE_RATE, SILHOUETTE)])
    return store.read()


def test_lines_of_two_weights_are_named_with_what_each_gave_and_what_to_do(places: Path) -> None:
    with pytest.raises(BenchError) as error:
        validity.check_weights(two_weights(), lambda line: ["roles-6", "roles-7"])
    for part in (
        f"experiment {E.id} (mnist/lif/laptop/3) has results of 2 weights",
        "weights aaaaaaaaaaaa gave accuracy; weights bbbbbbbbbbbb gave spike-rate, silhouette",
        "Delete the lines of all but one of them from results/runs/mnist.csv",
        "python -m bench run roles-6 roles-7 --budget laptop --seeds 4",
    ):
        assert part in str(error.value)


def test_rendering_and_its_check_refuse_lines_of_two_weights(places: Path) -> None:
    two_weights()
    done = bench("render", "--check")
    assert done.returncode == 1
    assert f"experiment {E.id}" in done.stderr and "bench run roles-6 " in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(BenchError, match="2 weights"):
        render.render([], store.read())


def test_a_history_of_another_length_than_the_ledger_s_is_found_by_rendering(places: Path) -> None:
    store.append(finished(E, "a", ACCURACY))
    histories.write(E, RECORDS * 2, 10)
    with pytest.raises(BenchError, match="it has 2 epochs where the ledger has 1"):
        histories.check(store.read())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"epochs": 99}, r"\(mnist/lif/laptop/3\) has 99 epochs where its recipe has \d: delete its lines"),
        ({"epochs": None}, "has None epochs where"),
        ({"n_test": 9_000}, r"\(mnist/lif/laptop/3\) was tested on 9000 samples where others were on 10000"),
        ({"n_test": None}, "was tested on None samples"),
    ],
)
def test_a_line_of_a_training_that_is_not_what_its_recipe_says_is_named_by_rendering(
    places: Path, changes: dict[str, int | None], says: str
) -> None:
    whole = {"epochs": E.config["epochs"], "n_test": 10_000}
    others = [replace(line, **whole) for line in finished(OTHER, "b", ACCURACY)]
    store.append([*others, *(replace(line, **whole) for line in finished(E, "a", ACCURACY))])
    assert render.check(store.read()) is None
    store.append([replace(line, **{**whole, **changes}) for line in finished(E, "c", ACCURACY)])
    with pytest.raises(BenchError, match=says):
        render.check(store.read())


def test_lines_of_an_earlier_recipe_are_stale_whatever_their_epochs(places: Path) -> None:
    store.append([replace(line, config_hash="earlier") for line in finished(E, "a", ACCURACY)])
    assert render.check(store.read()) is None


def test_no_committed_experiment_has_results_of_two_weights() -> None:
    validity.check_weights(store.read(ROOT / "results"), lambda line: [])


def test_merging_takes_history_and_correctness_of_the_same_weights(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = places / "other"
    monkeypatch.setenv("BENCH_RESULTS", str(other))
    known = finished(E, "same", ACCURACY)
    store.append([*known, *finished(OTHER, "there", ACCURACY)])
    for experiment in (E, OTHER):
        write_series(experiment)
    monkeypatch.setenv("BENCH_RESULTS", str(places / "results"))
    store.append(known)
    merge.write(merge.plan(other), other)
    assert kinds(E) == kinds(OTHER) == {"history", "correct"}
    histories.write(E, [{"test/loss": 0.5000001, "test/accuracy": 88.0}], 10)
    again = merge.plan(other)
    assert (again.lines, again.series, again.conflicts) == ([], {}, [])


def test_merging_replaces_an_experiment_of_other_weights_on_request(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = places / "other"
    monkeypatch.setenv("BENCH_RESULTS", str(other))
    new = finished(E, "new", ACCURACY, SPIKE_RATE)
    same = finished(OTHER, "same", ACCURACY)
    store.append([*new, *same])
    write_series(E, SPIKE_RATE)
    there = histories.path(E).read_bytes()
    monkeypatch.setenv("BENCH_RESULTS", str(places / "results"))
    store.append([*finished(E, "old", ACCURACY, SPIKE_RATE, SILHOUETTE), *same])
    series.write_series(E, SPIKE_RATE, "last", {"x": [2.0]})
    series.write_series(E, SILHOUETTE, "last", {"x": [2.0]})
    histories.write(E, [{"test/loss": 0.6, "test/accuracy": 80.0}], 10)
    found = merge.plan(other, replace=True)
    assert (found.replaced, found.conflicts, found.known) == ({E.id}, [], 1)
    merge.write(found, other)
    assert sorted(store.read(), key=str) == sorted([*new, *same], key=str)
    assert kinds(E) == {"spike-rate", "history", "correct"}
    assert histories.path(E).read_bytes() == there
    assert series.read(E, SPIKE_RATE, "last") == {"x": [1.0]}
    assert merge.plan(other, replace=True).replaced == set()


def test_merging_takes_nothing_of_other_weights(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = places / "other"
    monkeypatch.setenv("BENCH_RESULTS", str(other))
    refused = finished(E, "there", SPIKE_RATE) + finished(E, "there", SILHOUETTE, status="not applicable")
    mixed = [*finished(OTHER, "there", ACCURACY), *finished(OTHER, "second", SPIKE_RATE)]
    store.append_to(store.folder() / "mnist.csv", [*refused, *mixed])
    for experiment in (E, OTHER):
        write_series(experiment, SPIKE_RATE)
    monkeypatch.setenv("BENCH_RESULTS", str(places / "results"))
    own = finished(E, "here", ACCURACY)
    store.append(own)
    found = merge.plan(other)
    assert found.lines == mixed[:1]
    assert len(found.conflicts) == 3 and all("other weights" in text for text in found.conflicts)
    merge.write(found, other)
    assert store.read() == [*own, *mixed[:1]] and kinds(E) == kinds(OTHER) == set()
