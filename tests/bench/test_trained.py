"""Kept weights give measures without a second training, and are never mistaken."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import Callback

from bench import plan
from bench.ledger import series
from bench.measures import ACCURACY, LOSS_CURVE
from bench.papers.roles.models import LIF
from bench.papers.roles.tasks import XOR
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure
from bench.training import memory, run, tracking, trained

XOR_TINY = replace(
    XOR, budgets={"smoke": {"epochs": 2, "batch_size": 20, "data_settings": {"batches": 1, "test": 40, "steps": 20}}}
)
TINY = replace(XOR_TINY, loss_settings={"first": 15})
E = Experiment(TINY, LIF, 0, "smoke")
LOSS = Measure("loss", "", "test loss", tolerance=0.005, digits=4, key="test/loss", best="min")


def probe(kept: trained.Trained, protocol: str, factor: float) -> trained.Reading:
    total = sum(float(v.abs().sum()) for v in kept.states[protocol].values())
    return trained.Reading(factor * total, 3, series={"x": [1.0, 2.0], "y": [0.5, 0.25]})


def refuse(kept: trained.Trained, protocol: str) -> trained.Reading:
    raise trained.NotApplicable("this model has no such thing")


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Measure]:
    monkeypatch.setattr(
        trained, "import_module", lambda name: __import__("tests.bench.test_trained", fromlist=["probe"])
    )
    double = Measure(
        "probe@2", "", "sum of weights", reader="test_trained:probe", settings={"factor": 2.0}, protocols=("last",)
    )
    return {"probe": double, "refused": Measure("refused", "", "impossible", reader="test_trained:refuse")}


def test_measures_are_read_from_kept_weights_without_training_again(
    places: Path, readers: dict[str, Measure], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = run.run(E, (ACCURACY, LOSS))
    assert {line.wandb_run for line in first} == {E.id}
    assert [(line.measure, line.protocol, line.status) for line in first] == [
        ("accuracy", "last", "ok"),
        ("accuracy", "best_test", "ok"),
        ("loss", "last", "ok"),
        ("loss", "best_test", "ok"),
    ]
    monkeypatch.setattr(run, "_train", lambda *a: pytest.fail("trained again"))
    again, _ = run.run(E, (ACCURACY, readers["probe"], readers["refused"]))
    assert [line.value for line in again[:2]] == [line.value for line in first[:2]]
    assert again[0].started_utc == first[0].started_utc and again[0].checkpoint_sha256 == first[0].checkpoint_sha256
    assert again[2].measure == "probe@2" and again[2].n_test == 3 and again[2].value > 0
    assert series.read(E, readers["probe"], "last") == {"x": [1.0, 2.0], "y": [0.5, 0.25]}
    assert (again[3].status, again[3].error) == ("not applicable", "this model has no such thing")


@pytest.mark.parametrize("same", [True, False])
def test_equal_weights_of_two_protocols_are_read_once(places: Path, readers: dict[str, Measure], same: bool) -> None:
    run.run(E, (ACCURACY,))
    kept = trained.load(E)
    assert kept is not None
    last = kept.states["last"]
    best = {name: value.clone() if same else value + 1 for name, value in last.items()}
    kept = replace(kept, states={"last": last, "best_test": best})
    found = dict(trained.read(kept, replace(readers["probe"], protocols=("last", "best_test"))))
    assert (found["last"] is found["best_test"]) is same and (found["last"].value == found["best_test"].value) is same


def test_what_was_read_before_a_stop_is_not_read_again(
    places: Path, readers: dict[str, Measure], monkeypatch: pytest.MonkeyPatch
) -> None:
    run.run(E, (ACCURACY,))
    factors: list[float] = []
    monkeypatch.setitem(
        globals(), "probe", lambda kept, protocol, factor: factors.append(factor) or trained.Reading(factor, 3)
    )
    measures = tuple(replace(readers["probe"], name=f"probe@{n}", settings={"factor": float(n)}) for n in (1, 2, 3))

    def stop() -> None:
        if len(factors) == 2:
            raise SystemExit(143)

    with pytest.raises(SystemExit):
        run.run(E, measures, check=stop)
    assert factors == [1.0, 2.0]
    lines, _ = run.run(E, measures)
    assert factors == [1.0, 2.0, 3.0]
    assert [(line.measure, line.value, line.status) for line in lines] == [
        (f"probe@{n}", float(n), "ok") for n in (1, 2, 3)
    ]

    newer = replace(measures[0], version=2)
    assert run.run(E, (newer,))[0][0].version != lines[0].version and factors[3:] == [1.0]
    file = trained.readings(E)
    file.write_bytes(file.read_bytes()[:-20])  # a power failure
    assert len(run.run(E, measures)[0]) == 3 and factors[4:] == [1.0, 2.0, 3.0]


def test_what_the_history_gives_says_what_the_training_cost_so_that_plans_know(places: Path) -> None:
    lines, _ = run.run(E, (ACCURACY, LOSS_CURVE))
    assert {line.measure for line in lines} == {"accuracy", "loss-curve"}
    assert len({(line.wall_s, line.peak_mb, line.started_utc) for line in lines}) == 1
    curve = next(line for line in lines if line.measure == "loss-curve")
    assert plan.ExpectedTimes([curve]).usual(E, [LOSS_CURVE]) == pytest.approx(curve.wall_s) and curve.wall_s > 0


def test_a_measure_that_does_not_apply_names_the_weights(places: Path, readers: dict[str, Measure]) -> None:
    accuracy, _, refused, _ = run.run(E, (ACCURACY, readers["refused"], readers["probe"]))[0]
    assert (refused.status, refused.checkpoint_sha256) == ("not applicable", accuracy.checkpoint_sha256)


class Slow(Callback):
    """Makes an attempt last one second more."""

    def on_train_start(self, *_: object) -> None:
        time.sleep(1.0)


def test_the_cost_of_a_training_that_was_stopped_is_that_of_all_its_attempts(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> None:
        if trained.checkpoint_file(E).exists():
            raise SystemExit(143)

    monkeypatch.setattr(memory, "peak_mb", lambda: 900.0)
    with pytest.raises(SystemExit):
        run.run(E, (ACCURACY,), check=stop, callbacks=(Slow(),))
    monkeypatch.setattr(memory, "peak_mb", lambda: 500.0)
    started = time.perf_counter()
    lines, profile = run.run(E, (ACCURACY,))
    second = time.perf_counter() - started
    assert {line.status for line in lines} == {"ok"} and lines[0].epochs == 2
    assert all(line.wall_s is not None and line.wall_s > max(1.0, second) for line in lines)
    assert {line.peak_mb for line in lines} == {900.0}
    assert profile.total < second  # of this attempt alone


@pytest.mark.parametrize("damage", ["cut off", "other experiment", "other weights"])
def test_damaged_or_foreign_weights_are_set_aside_and_said(
    places: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    run.run(E, (ACCURACY,))
    path = trained.folder(E) / "weights.pt"
    if damage == "cut off":
        path.write_bytes(path.read_bytes()[:-200])
    else:
        content = torch.load(path, weights_only=True)
        if damage == "other experiment":
            content["id"] = "0" * 12
        else:
            next(iter(content["states"]["last"].values())).add_(1.0)
        torch.save(content, path)
    assert trained.load(E) is None
    assert not path.exists() and path.with_suffix(".damaged").exists()
    assert "unusable" in caplog.text


def test_the_best_epoch_s_weights_are_kept_and_give_its_value(places: Path) -> None:
    lines, _ = run.run(E, (ACCURACY,))
    kept = trained.load(E)
    assert kept is not None
    best = next(line for line in lines if line.protocol == "best_test")
    module, data = kept.module("best_test"), kept.data()
    right = sum(
        int((module.objective(module(x), y, **module.loss_settings)[1].argmax(1) == y).sum())
        for x, y in data.test_batches()
    )
    assert 100 * right / 40 == best.value


def test_an_experiment_that_w_and_b_refuses_is_trained_untracked(
    places: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    init = tracking.wandb.init

    def refuse_run(**settings: object) -> object:
        if settings["mode"] != "disabled":
            raise RuntimeError("run ID is in use")
        return init(**settings)

    monkeypatch.setattr(tracking.wandb, "init", refuse_run)
    lines, _ = run.run(E, (ACCURACY,))
    assert [line.status for line in lines] == ["ok", "ok"]
    assert {line.wandb_run for line in lines} == {""}
    run.run(replace(E, seed=1), (ACCURACY,))  # it is not tried again
    (warning,) = [record.getMessage() for record in caplog.records if record.name == tracking.__name__]
    assert "tracks nothing from xor / lif / seed 0 / smoke on (RuntimeError: run ID is in use)" in warning


class Meddling(Callback):
    """Makes a training another one than its recipe says, after its first epoch."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        if trainer.current_epoch == 0:
            if self.kind == "epochs":
                trainer.should_stop = True
            elif self.kind == "samples":
                module.history[0]["n_test"] -= 1
            else:
                module.history[0]["test/loss"] = math.nan


@pytest.mark.parametrize(
    ("kind", "status", "says"),
    [
        ("epochs", "failed", "epochs [1] instead of [1, 2]"),
        ("samples", "failed", "test samples"),
        ("values", "diverged", "test/loss is nan after epoch 1"),
    ],
)
def test_a_training_that_is_not_what_its_recipe_says_gives_no_result(
    places: Path, kind: str, status: str, says: str
) -> None:
    lines, _ = run.run(E, (ACCURACY, LOSS), callbacks=(Meddling(kind),))
    assert [line.status for line in lines] == [status, status] and says in lines[0].error
    assert trained.load(E) is None


def test_a_training_of_other_optimiser_steps_than_its_batches_give_is_refused() -> None:
    history = [{"epoch": epoch, "n_test": 40} for epoch in (1, 2)]
    module: Any = SimpleNamespace(config={"epochs": 2}, history=history)
    data: Any = SimpleNamespace(train_dataloader=lambda: range(3), test_batches=lambda: SimpleNamespace(count=40))
    run._check_whole(module, 6, data)
    with pytest.raises(RuntimeError, match="optimiser steps 5 instead of 6"):
        run._check_whole(module, 5, data)


def test_a_value_that_is_not_finite_is_a_failure(places: Path, readers: dict[str, Measure]) -> None:
    endless = replace(readers["probe"], settings={"factor": math.inf})
    (line,), _ = run.run(E, (endless,))
    assert line.status == "failed" and "value is" in line.error
