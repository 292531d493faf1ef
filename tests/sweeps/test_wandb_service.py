"""What W&B gets from this suite, shown by the real client and a stand-in of the service on this machine."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.papers.registry import MODELS, TASKS
from bench.report.compared import compared
from bench.report.compared import places as table_places
from bench.spec.experiment import Experiment
from sweeps import wandb_sweeps
from tests.bench.test_verdict import result
from tests.conftest import ROOT
from tests.wandb_service import ENTITY, KEY, Service, serving

pytestmark = pytest.mark.slow
CELL = "cell/roles-6/Baseline/MNIST"


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as answers:
        yield answers


def wandb_environment(service: Service, **more: str) -> dict[str, str]:
    """The environment of a user of ``service`` who is logged in."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return environment | {"WANDB_BASE_URL": service.address, "WANDB_API_KEY": KEY, "WANDB_SILENT": "true"} | more


def command(service: Service, *arguments: str, **more: str) -> str:
    """What ``python -m sweeps wandb`` says with these ``arguments``."""
    line = [sys.executable, "-m", "sweeps", "wandb", *arguments]
    environment = wandb_environment(service, **more)
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    assert service.unknown == []
    return done.stderr


def sync(service: Service, home: Path) -> str:
    return command(service, "sync", BENCH_HOME=str(home))


def train(seed: int, stop: bool = False, measures: tuple[Any, ...] = ()) -> Experiment:
    """Train a tiny XOR experiment, or stop it after its first epoch."""
    from bench.training import run, trained
    from tests.bench.test_trained import LOSS, E

    experiment = replace(E, seed=seed)

    def check() -> None:
        if stop and trained.checkpoint_file(experiment).exists():
            raise SystemExit(143)

    def compare(_: object) -> dict[str, Any]:
        return compared(Experiment(TASKS["mnist"], MODELS["lif"], 0, "paper"), [result(97.0)])

    context = table_places(TASKS["xor"], MODELS["lif"])
    try:
        run.run(experiment, measures or (LOSS,), check=check, context=context, compare=compare)
    except SystemExit:
        assert stop
    return experiment


def test_every_experiment_arrives_once_with_config_metrics_and_its_cells_however_often_it_was_stopped_or_uploaded(
    places: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.bench import test_trained

    train(0, stop=True)
    stopped = train(0)
    other = train(1)
    home = places / "home"
    assert len(list((home / "wandb" / "wandb").glob(f"offline-run-*/run-{stopped.id}.wandb"))) == 2
    sync(service, home)
    assert set(service.runs) == {stopped.id, other.id}
    for experiment in (stopped, other):
        run = service.runs[experiment.id]
        epochs = [step["test/accuracy"] for _, step in sorted(run.history.items()) if "test/accuracy" in step]
        assert len(epochs) == experiment.config["epochs"]  # each epoch once
        assert run.exit_codes[-1] == 0
        assert (run.about["jobType"], run.about["groupName"]) == ("training", "xor/lif")
        assert {name: run.config[name] for name in ("task", "model", "seed", "budget")} == {
            "task": "xor", "model": "lif", "seed": experiment.seed, "budget": "smoke",
        }  # fmt: skip
        places_of_it = zip(*(run.config[name] for name in ("paper", "table", "row", "column")), strict=True)
        assert ("roles", "roles-6", "Baseline", "XOR") in places_of_it
        assert run.summary["test/accuracy"]["last"] == epochs[-1] and "measure/loss/last" in run.summary
        assert run.summary[f"{CELL}/measured"] == 97 and run.summary[f"{CELL}/published"] == 94.85
        names = ("measured", "published", "difference", "verdict", "seeds")
        assert {f"{CELL}/{name}" for name in names} <= set(run.summary)

    uploads = {name: run.uploads for name, run in service.runs.items()}
    assert "nothing to upload" in sync(service, home)
    assert {name: run.uploads for name, run in service.runs.items()} == uploads

    # a measure with a series is read where the weights were copied to: the same run gets it, and no epoch twice
    second = places / "second"
    shutil.copytree(home / "experiments", second / "experiments")
    monkeypatch.setenv("BENCH_HOME", str(second))
    monkeypatch.setattr(test_trained.trained, "import_module", lambda name: test_trained)
    probe = test_trained.Measure(
        "probe", "", "sum", reader="test_trained:probe", settings={"factor": 2.0}, protocols=("last",)
    )
    before = service.runs[other.id]
    summary = dict(before.summary)
    epochs_before = sum("test/accuracy" in step for step in before.history.values())
    train(1, measures=(probe,))
    sync(service, second)
    after = service.runs[other.id]
    assert set(service.runs) == {stopped.id, other.id}
    assert sum("test/accuracy" in step for step in after.history.values()) == epochs_before
    assert "measure/probe/last" in after.summary
    assert after.summary["test/accuracy"] == summary["test/accuracy"]
    (artifact,) = service.artifacts.values()
    assert (artifact.kind, artifact.run, artifact.committed) == ("run_table", other.id, True)
    (table,) = (content for name, content in after.files.items() if name.startswith("media/table/series/probe/"))
    assert json.loads(table) == {"columns": ["x", "y"], "data": [[1.0, 0.5], [2.0, 0.25]]}


def test_an_agent_of_a_sweep_trains_one_cell_of_a_table_into_the_ledger_and_into_wandb(
    places: Path, service: Service
) -> None:
    service.sweep = (wandb_sweeps.folder() / "roles-6.yaml").read_text(encoding="utf-8")
    parameters = {
        name: entry for name, entry in yaml.safe_load(service.sweep)["parameters"].items() if "value" in entry
    }
    chosen = {"cell": {"value": "xor/lif"}, "seed": {"value": 0}, "budget": {"value": "smoke"}}
    service.commands = [{"type": "run", "run_id": "agentsrun", "program": "sweeps", "args": parameters | chosen}]
    agent = [str(Path(sys.executable).parent / "wandb"), "agent", "--count", "1", f"{ENTITY}/project/roles-6"]
    environment = wandb_environment(service, PYTHONPATH=str(ROOT))
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"  # the agent starts ``python``
    done = subprocess.run(agent, cwd=places, capture_output=True, text=True, timeout=200, env=environment)
    assert done.returncode == 0, done.stderr
    assert service.unknown == []
    run = service.runs["agentsrun"]
    expected = Experiment(TASKS["xor"], MODELS["lif"], 0, "smoke")
    lines = list(csv.DictReader((places / "home" / "exploratory" / "runs" / "xor.csv").open()))
    assert {(line["experiment"], line["wandb_run"]) for line in lines} == {(expected.id, "agentsrun")}
    assert isinstance(run.summary["test/accuracy"], float | int)  # the sweep's goal is a number
    assert run.config["model"] == "lif" and run.exit_codes == [0]


def test_results_and_a_workspace_arrive(places: Path, service: Service) -> None:
    results = places / "results"
    names = ("runs/xor.csv", "tables/roles-6.csv", "figures/celif-fig-4.png")
    for name in names:
        (results / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / "results" / name, results / name)
    assert "online as ada" in command(service, "push")
    (run,) = service.runs.values()
    assert run.about["jobType"] == "results"
    by_kind = {artifact.kind: artifact for artifact in service.artifacts.values()}
    artifact = by_kind["results"]
    assert artifact.name == "results" and "latest" in artifact.aliases and artifact.committed
    assert artifact.files["runs/xor.csv"] == (results / "runs" / "xor.csv").read_bytes()
    assert set(names) <= set(artifact.files)
    assert run.summary["tables/roles-6"]["_type"] == "table-file"
    assert run.summary["figures/celif-fig-4"]["_type"] == "image-file"
    assert any(name.startswith("media/images/figures/celif-fig-4") for name in run.files)

    assert "saved: http" in command(service, "workspace", "roles-6", "--budget", "paper")
    (view,) = service.views
    assert any(s["name"].startswith("roles-6") for s in view["section"]["panelBankConfig"]["sections"])
