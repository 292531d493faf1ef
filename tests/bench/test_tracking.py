"""A W&B run holds what compares an experiment with others and with a paper, and never stops one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from wandb.util import get_core_path

from bench.ledger import provenance, store
from bench.ledger.store import Line
from bench.measures import ACCURACY
from bench.training import run, tracking, trained
from tests.bench import test_trained
from tests.bench.test_trained import LOSS, E

readers = test_trained.readers  # the fixture


def runs(places: Path) -> list[dict[str, Any]]:
    """Config, summary, defined metrics and exit code of the offline runs, oldest first."""
    paths = (places / "home" / "wandb" / "wandb").glob("offline-run-*/run-*.wandb")
    return [content(path) for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns)]


def content(path: Path) -> dict[str, Any]:
    """What ``wandb leet inspect`` shows, from its program: through Python it takes seconds."""
    command = [get_core_path(), "leet", "inspect", "--json", "--run-file", str(path)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = {"config": {}, "summary": {}, "metrics": {}}
    for record in map(json.loads, text.splitlines()):
        match record["type"]:
            case "run":
                run_record = record["run"]
                found |= {"name": run_record["display_name"], "group": run_record["run_group"]}
                found["tags"] = run_record["tags"]
                found["config"] |= run_record["config"]["update"]
            case "config" | "summary":
                found[record["type"]] |= record[record["type"]].get("update", {})
            case "metric":
                metric = record["metric"]
                found["metrics"][metric.get("name", "*")] = set(metric.get("summary", ()))
            case "exit":
                found["exit_code"] = record["exit"].get("exit_code", 0)
    return found


def test_a_run_holds_settings_provenance_and_every_measure_and_a_later_reading_is_added(
    places: Path,
    readers: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = {"tables": ("roles-6",), "published": (94.85,)}

    def compare(lines: Sequence[Line]) -> dict[str, float]:
        return {"cell/roles-6/Baseline/XOR/measured": lines[0].value or 0.0}

    lines, _ = run.run(E, (ACCURACY, LOSS), context=context, compare=compare)
    (first,) = runs(places)
    config, summary = first["config"], first["summary"]
    assert {name: config[name] for name in ("task", "model", "neuron", "seed", "budget", "data", "device")} == {
        "task": "xor", "model": "lif", "neuron": "lif", "seed": 0, "budget": "smoke", "data": "delayed-xor",
        "device": "cpu",
    }  # fmt: skip
    assert config["environment"] == lines[0].environment and config["commit"] == lines[0].git_commit
    assert config["dirty"] == lines[0].git_dirty and config["parameters"] == lines[0].params
    assert config["versions"] == E.versions and config["neuron.threshold"] == 0.5
    assert (config["tables"], config["published"]) == (["roles-6"], [94.85])
    assert (config["unit.accuracy"], config["unit.loss"]) == ("%", "")
    assert first["metrics"]["test/accuracy"] == {"last", "max"} and first["metrics"]["test/loss"] == {"last", "min"}
    kept = trained.load(E)
    assert kept is not None
    accuracies = [record["test/accuracy"] for record in kept.history]
    assert summary["test/accuracy"] == {"last": accuracies[-1], "max": max(accuracies)}
    for line in lines:
        assert summary[f"measure/{line.measure}/{line.protocol}"] == line.value
    assert {name: summary[name] for name in tracking.COST} == {name: getattr(lines[0], name) for name in tracking.COST}
    assert summary["cell/roles-6/Baseline/XOR/measured"] == lines[0].value
    assert config["data_kind"] == "full"
    assert first["name"] == "xor/lif/smoke/0" and first["group"] == "xor/lif" and first["exit_code"] == 0

    # one more folder a session, however many measures are read, and it has all
    monkeypatch.setattr(run, "_train", lambda *a: pytest.fail("trained again"))
    again, _ = run.run(E, (ACCURACY, readers["probe"], replace(readers["probe"], name="probe@3")), context=context)
    _, second = runs(places)
    assert second["summary"]["measure/probe@2/last"] == second["summary"]["measure/probe@3/last"] == again[2].value
    table, *_ = (places / "home" / "wandb" / "wandb").glob("*/files/media/table/series/probe@2/*.table.json")
    assert json.loads(table.read_text()) == {"columns": ["x", "y"], "data": [[1.0, 0.5], [2.0, 0.25]]}
    assert second["summary"]["test/accuracy"] == summary["test/accuracy"]
    assert {name: second["summary"][name] for name in tracking.COST} == {name: summary[name] for name in tracking.COST}
    same = config.keys() - {"_wandb", "unit.loss"}
    assert {name: second["config"][name] for name in same} == {name: config[name] for name in same}
    run.run(E, (readers["refused"],))
    assert len(runs(places)) == 2  # nothing was read

    # values that only the ledger has are in it too, and the training's provenance stays
    store.append(lines)
    monkeypatch.setattr(provenance, "processor", lambda: "another")
    monkeypatch.setattr(provenance, "git", lambda: ("0123456789ab", False))
    later, _ = run.run(E, (replace(readers["probe"], name="probe@4"),))
    third = runs(places)[2]
    assert later[0].environment != third["config"]["environment"] == lines[0].environment
    assert (third["config"]["commit"], third["config"]["device"]) == (lines[0].git_commit, "cpu")
    assert third["summary"]["measure/loss/last"] == summary["measure/loss/last"]
    assert third["summary"]["measure/probe@4/last"] == later[0].value


def test_online_a_reading_or_a_resumed_training_goes_on_with_the_run_instead_of_replacing_it(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed: list[object] = []
    init = tracking.wandb.init

    def start(**settings: object) -> object:
        resumed.append(settings.pop("resume", None))
        return init(**{**settings, "mode": "disabled"})

    def stop() -> None:
        if trained.checkpoint_file(E).exists():
            raise SystemExit(143)

    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr(tracking.wandb, "init", start)
    with pytest.raises(SystemExit):
        run.run(E, (ACCURACY,), check=stop)
    for _ in range(2):
        run.run(E, (ACCURACY,))
    assert resumed == [None, "allow", "allow"]


@pytest.mark.parametrize(
    ("refusal", "modes"),
    [
        ("the service is away", ["online", "offline", "offline"]),
        ("run xor was previously created and deleted", ["online", "offline", "online", "offline"]),
    ],
)
def test_where_w_and_b_refuses_online_one_warning_says_so_and_runs_are_offline(
    places: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, refusal: str, modes: list[str]
) -> None:
    tried: list[str] = []

    def start(mode: str, **settings: object) -> SimpleNamespace:
        tried.append(mode)
        if mode == "online":
            raise RuntimeError(refusal)
        return SimpleNamespace(define_metric=lambda *_, **__: None)

    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr(tracking.wandb, "init", start)
    for _ in range(2):
        tracking.start(E)
    assert tried == modes
    warnings = [record.getMessage() for record in caplog.records if record.name == tracking.__name__]
    assert warnings == [f"W&B tracks {E} offline (RuntimeError: {refusal})"] * modes.count("online")


@pytest.mark.parametrize(
    ("kind", "overrides", "name", "group", "tag"),
    [
        ("", (), "xor/lif/smoke/0", "xor/lif", ""),
        ("", (("epochs", 3), ("lr", 0.1)), "xor/lif/smoke/0 epochs=3 lr=0.1", "xor/lif (exploratory)", "exploratory"),
        ("search", (("neuron.leak", 0.5),), "xor/lif/smoke/0 neuron.leak=0.5", "xor/lif (search)", "search"),
        ("search", (), "xor/lif/smoke/0 search", "xor/lif (search)", "search"),
    ],
)
def test_trials_of_a_search_and_changed_settings_do_not_look_like_official_runs(
    kind: str, overrides: tuple, name: str, group: str, tag: str
) -> None:
    labels = tracking.labels(replace(E, overrides=overrides), kind)
    assert (labels["name"], labels["group"]) == (name, group)
    assert labels["job_type"] == (tag or "training")
    assert labels["tags"] == ["smoke", "delayed-xor", *E.versions.split(), *([tag] if tag else [])]


def test_a_long_list_of_changed_settings_fits_in_a_name() -> None:
    overrides = tuple((f"neuron.setting{n}", n) for n in range(30))
    assert len(tracking.labels(replace(E, overrides=overrides))["name"]) == tracking.LONGEST


def test_in_a_sweep_the_metric_that_is_optimised_stays_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracking._summary("test/accuracy", [3.0, 5.0, 4.0]) == {"last": 4.0, "max": 5.0}
    assert tracking._summary("test/loss", [3.0, 5.0, 4.0]) == {"last": 4.0, "min": 3.0}
    assert tracking._summary("synops", [3.0, 5.0, 4.0]) == 4.0
    monkeypatch.setenv("WANDB_SWEEP_ID", "a-sweep")
    assert tracking._summary("test/accuracy", [3.0, 5.0, 4.0]) == 4.0


@pytest.mark.parametrize("place", ["log", "finish", "define_metric"])
def test_an_experiment_ends_well_though_its_tracking_breaks(
    places: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    init = tracking.wandb.init

    def broken(*_: object, **__: object) -> None:
        raise ConnectionResetError("the service is gone")

    def start(**settings: object) -> object:
        tracked = init(**settings)
        monkeypatch.setattr(tracked, place, broken)
        return tracked

    monkeypatch.setattr(tracking.wandb, "init", start)
    lines, _ = run.run(E, (ACCURACY,))
    assert [line.status for line in lines] == ["ok", "ok"]
    assert ("W&B" in caplog.text) is (place != "finish")
