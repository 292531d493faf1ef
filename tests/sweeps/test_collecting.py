"""Records of trials reach the ledger, each once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.ledger import correct, histories, store
from bench.ledger.new_lines import new_lines
from bench.ledger.validity import valid
from bench.measures import ACCURACY
from sweeps import addresses, collecting
from sweeps.queue import Queue
from tests.sweeps.conftest import collect, enqueue, job, ok


def test_weights_of_an_environment_that_this_ledger_never_saw_are_handed_in(storage: str, study: str) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    assert queue.finish(claim, [replace(line, environment="0123456789ab") for line in ok(claim.job)])
    assert collect(queue) == [job().experiment.id]


def test_exploratory_lines_come_into_no_other_ledger_by_a_study_of_one_name(
    storage: str, study: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_RESULTS", str(places / "home" / "exploratory"))
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    queue.finish(claim, new_lines(claim.job.experiment, claim.job.measures, "failed", "for a test"), None)
    monkeypatch.setenv("BENCH_RESULTS", str(places / "results"))
    for use in (lambda: collecting.collect(Queue(storage, study)), lambda: enqueue(Queue(storage, study), job(seed=1))):
        with pytest.raises(
            BenchError, match="holds exploratory experiments, this run's are official: name another study"
        ):
            use()
    assert not list((places / "results").rglob("*.csv"))
    monkeypatch.setenv("BENCH_RESULTS", str(places / "home" / "exploratory"))
    assert len(collecting.collect(Queue(storage, study))) == 1


def test_two_ledgers_on_one_storage_both_get_the_record(
    storage: str, study: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    queue.finish(claim, ok(claim.job))
    assert len(collect(queue)) == 1
    monkeypatch.setenv("BENCH_RESULTS", str(places / "second"))
    assert len(collect(queue)) == 1
    assert len(store.read()) == 1


def test_a_ledger_that_cannot_be_written_leaves_the_record_where_it_is(storage: str, study: str, places: Path) -> None:
    queue = Queue(storage, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    queue.finish(claim, ok(claim.job))
    runs = places / "results" / "runs"
    runs.write_text("in the way")
    with pytest.raises((BenchError, OSError)):
        collect(queue)
    runs.unlink()
    assert len(collect(queue)) == 1
    assert valid(store.read()[0], job().experiment, ACCURACY)


def test_history_and_correctness_travel_with_the_record_and_replace_those_of_other_weights(
    study: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(f"sqlite:///{places}/queue.db", study)
    experiment = job().experiment
    old = [replace(line, checkpoint_sha256="old") for line in ok(job())]
    new = [replace(line, checkpoint_sha256="new", epochs=1) for line in ok(job())]
    for home in ("second", "host"):
        monkeypatch.setenv("BENCH_RESULTS", str(places / home))
        store.append(old)
        histories.write(experiment, [{"test/loss": 1.0}] * 2, 4)
        correct.write(experiment, {"last": [True]})
        store.write(places / home / "series" / "spike-rate" / "xor" / f"lif_{experiment.id}.csv", "x\n1\n")
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    histories.write(experiment, [{"test/loss": 0.5}], 2)
    correct.write(experiment, {"last": [False]})
    queue.finish(claim, new)
    for home in ("host", "second"):  # that of the worker, and that of another host
        monkeypatch.setenv("BENCH_RESULTS", str(places / home))
        collect(queue)
        assert [line.checkpoint_sha256 for line in store.read()] == ["new"]
        assert histories.read(experiment, epochs=1) == {"epoch": [1], "step": [2], "test_loss": [0.5]}
        assert [values.tolist() for values in (correct.read(experiment) or {}).values()] == [[False]]
        assert {path.parent.parent.name for path in (places / home / "series").rglob("*.csv")} == {"history", "correct"}


def test_a_record_without_its_history_leaves_none_of_other_weights(
    study: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(f"sqlite:///{places}/queue.db", study)
    store.append(replace(line, checkpoint_sha256="old") for line in ok(job()))
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    queue.finish(claim, [replace(line, checkpoint_sha256="new") for line in ok(job())])
    histories.write(job().experiment, [{"test/loss": 1.0}], 2)
    collect(queue)
    assert histories.read(job().experiment) is None


def test_the_record_is_plain_json(places: Path, study: str) -> None:
    queue = Queue(None, study)
    enqueue(queue, job())
    claim = queue.claim()
    assert claim is not None
    queue.finish(claim, ok(claim.job), {"total": 1.0})
    record = queue.storage.get_trial(claim.trial_id).system_attrs["record"]
    assert json.loads(json.dumps(record)) == record
    assert addresses.is_default(queue.address)
