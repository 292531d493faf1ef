"""Search on validation data, its export, the tuned row, W&B sweeps, cluster jobs and the dashboard: by the commands
that users run.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import optuna
import pytest
import yaml

from bench.errors import BenchError
from bench.papers.registry import MODELS, TABLES, TASKS, find_model
from bench.spec.experiment import Experiment
from bench.spec.model import tuned as tuned_model
from sweeps import wandb_sweeps
from sweeps.search import Search
from sweeps.search_report import trial_text
from sweeps.search_space import Subject, experiment, space
from tests.conftest import ROOT
from tests.sweeps import soak


def sweeps(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sweeps", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, env={**os.environ, **environment}
    )


def test_a_search_chooses_on_validation_data_tells_every_trial_and_writes_nothing_at_smoke_budget(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_BEST", str(places / "best"))
    done = sweeps("search", "xor", "lif", "--trials", "3", "--budget", "smoke", "--seed", "1")
    assert done.returncode == 0, done.stderr
    name = "search lif on xor (smoke)"
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{places / 'home' / 'queue.db'}")
    recipe = Experiment(TASKS["xor"], MODELS["lif"], 0, "smoke").config["neuron"]
    own = {name: recipe[name] for name in ("threshold", "width")}  # the leak is learnt on this task
    assert study.trials[0].params == own  # the recipe's own settings are among those compared
    chosen = experiment(TASKS["xor"], MODELS["lif"], "smoke", study.best_params)
    assert chosen.id == study.best_trial.user_attrs["experiment"]
    from bench.training import trained

    weights = trained.load(chosen)
    assert weights is not None
    assert study.best_value == max(record["val/accuracy"] for record in weights.history)
    assert not (places / "results" / "runs").exists()  # nothing of it enters a table
    assert not (places / "best").exists()

    mode, *lines = done.stderr.splitlines()  # and no banner of Lightning
    assert mode.startswith("W&B: offline")
    assert [line.partition("; best so far ")[0] for line in lines] == [trial_text(trial) for trial in study.trials]
    assert all(" % (trial " in line for line in lines)
    assert [" left" in line for line in lines] == [True, True, False]
    *table, gap, best, beside, counts, written = done.stdout.splitlines()
    assert table[0].split() == ["trial", "validation", "%", "threshold", "width"] and gap == ""
    assert table[1].startswith("winner") and any("recipe" in line for line in table)
    assert counts.startswith(("the winner does not count: one seed", "no trial is better than the recipe"))
    assert best.startswith(f"best of 3 trials: {study.best_value:.2f} % on validation data with threshold=")
    assert beside == f"the recipe's own settings: {study.trials[0].value:.2f} % with threshold=0.5, width=0.5"
    assert written == "smoke results are never used: the settings were not written"
    with pytest.raises(BenchError, match="smoke results are never used"):
        Search(Subject.of("xor", "lif", "smoke")).export()


@pytest.mark.slow
def test_workers_share_a_search_and_a_trial_is_the_mean_of_its_seeds(places: Path) -> None:
    options = ["--trials", "3", "--budget", "smoke", "--pruner", "none", "--workers", "2", "--seeds-per-trial", "2"]
    done = sweeps("search", "xor", "lif", *options, "--param", "lr=1e-4..1e-1:log", "--only-params", "--export")
    assert done.returncode == 0, done.stderr
    name = "search lif on xor (smoke; lr=1e-4..1e-1:log; only; 2 seeds)"
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{places / 'home' / 'queue.db'}")
    complete = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    assert len(complete) in (3, 4)  # both workers may begin the last one
    assert study.trials[0].params == {"lr": Experiment(TASKS["xor"], MODELS["lif"], 0, "smoke").config["lr"]}
    for trial in complete:
        assert set(trial.params) == {"lr"} and len(trial.user_attrs["values"]) == 2
        assert trial.value == pytest.approx(sum(trial.user_attrs["values"]) / 2)
    lines = [line for line in done.stderr.splitlines() if line.startswith("trial ")]
    assert len(lines) == len(complete)
    assert done.stderr.count("W&B: ") == 1
    assert not list((places / "home").glob("searches/*"))  # smoke writes nothing


def searched(*trials: tuple[float, float], spread: float = 0.1) -> Search:
    """A search at laptop budget with finished trials of three seeds: (threshold, validation accuracy)."""
    search = Search(Subject.of("xor", "lif", "laptop"), seeds=3)
    for threshold, value in trials:
        params = {"threshold": threshold, "width": 0.5}
        seeds = [value - spread, value + spread, value] if threshold == 0.5 else [value + spread, value, value - spread]
        trial = optuna.trial.create_trial(
            params=params, distributions=search.subject.space, value=value, user_attrs={"values": seeds}
        )
        search.study.add_trial(trial)
    return search


def test_the_best_settings_are_exported_for_tuned_models(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_BEST", str(places / "best"))
    assert set(Subject.of("mnist", "lif", "smoke").space) == {"threshold", "width", "leak"}
    assert set(Subject.of("mnist", "lif-no-leak", "smoke").space) == {"threshold", "width"}
    search = searched((0.5, 80.0), (0.25, 90.0), (0.75, 70.0))
    assert search.summary().splitlines()[1] == "the recipe's own settings: 80.00 % with threshold=0.5, width=0.5"
    search.export()
    file = places / "best" / "lif-xor.toml"
    best = tomllib.loads(file.read_text())
    assert set(best) == {"study", "trial", "trials", "value", "budget", "version", "neuron"}
    assert best["neuron"] == {"threshold": 0.25, "width": 0.5}
    assert (best["value"], best["trial"], best["trials"]) == (90.0, 1, 3)

    plain = Experiment(TASKS["xor"], MODELS["lif"], 0, "smoke")
    row = Experiment(TASKS["xor"], tuned_model(MODELS["lif"]), 0, "smoke")
    assert row.config["neuron"] == {**plain.config["neuron"], "threshold": 0.25}
    assert row.id != plain.id
    assert find_model("lif-tuned") == tuned_model(MODELS["lif"])

    file.write_text(re.sub("threshold = .*", "threshold = 0.5", file.read_text()))  # as the recipe has it
    assert Experiment(TASKS["xor"], tuned_model(MODELS["lif"]), 0, "smoke").id == plain.id
    file.write_text(file.read_text().replace("task=1", "task=99"))
    with pytest.raises(BenchError, match=r"is for task=99.*sweeps search xor lif"):
        _ = Experiment(TASKS["xor"], tuned_model(MODELS["lif"]), 0, "smoke").config


def test_a_trial_that_does_worse_than_the_others_is_pruned(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = Search(Subject.of("xor", "lif", "smoke"), "median", seed=0)
    for value in (90.0, 91.0, 92.0, 93.0, 94.0):
        good = {"threshold": 0.3, "width": 0.5}
        search.study.add_trial(
            optuna.trial.create_trial(
                params=good, distributions=search.subject.space, value=value, intermediate_values={0: value}
            )
        )
    search.study.enqueue_trial({"threshold": 1.0, "width": 0.1})
    search.run(6)
    assert search.study.trials[-1].state == optuna.trial.TrialState.PRUNED
    assert isinstance(search.study.sampler, optuna.samplers.TPESampler)
    assert isinstance(
        Search(Subject.of("xor", "lif", "smoke"), "asha").study.pruner, optuna.pruners.SuccessiveHalvingPruner
    )


def test_a_model_without_a_search_space_is_refused_with_those_that_have_one() -> None:
    without = next(m for m in MODELS.values() if m.neuron == "")
    with pytest.raises(BenchError, match=r"has no search space; those that have: .*lif"):
        Subject.of("xor", without.name, "smoke")
    with pytest.raises(BenchError, match="unknown pruner"):
        Search(Subject.of("xor", "lif", "smoke"), "best")


def test_every_table_has_a_wandb_sweep_that_is_what_its_declaration_gives() -> None:
    assert wandb_sweeps.differing() == []
    for table in TABLES.values():
        sweep = yaml.safe_load((wandb_sweeps.folder() / f"{table.id}.yaml").read_text())
        assert sweep["parameters"]["cell"]["values"] == wandb_sweeps.cells(table.cells)


def agent_command(sweep: dict, **chosen: object) -> list[str]:
    """The command line as ``wandb agent`` forms it."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    args = {k: v["value"] for k, v in sweep["parameters"].items() if "value" in v} | chosen
    variables = create_sweep_command_args({"args": {k: {"value": v} for k, v in args.items()}})
    variables |= {"env": ["/usr/bin/env"], "interpreter": [sys.executable], "program": [sweep["program"]]}
    parts = [variables[p[2:-1]] if p.startswith("${") else [p] for p in create_sweep_command(sweep["command"])]
    return [part for group in parts for part in group]


def test_what_a_wandb_agent_calls_trains_the_same_experiment_with_the_same_id_once(places: Path) -> None:
    sweep = yaml.safe_load((wandb_sweeps.folder() / "roles-6.yaml").read_text())
    command = agent_command(sweep, cell="xor/lif", seed=0, budget="smoke")
    environment = {**os.environ, "WANDB_RUN_ID": "agentsrun", "WANDB_SWEEP_ID": "sweep1"}
    expected = Experiment(TASKS["xor"], MODELS["lif"], 0, "smoke").id
    for _ in range(2):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
    lines = list(csv.DictReader((places / "home" / "exploratory" / "runs" / "xor.csv").open()))
    assert {line["experiment"] for line in lines} == {expected}
    assert len(lines) == 2  # two protocols, once
    assert {line["wandb_run"] for line in lines} == {"agentsrun"}
    assert list((places / "home" / "wandb" / "wandb").glob("offline-run-*/run-agentsrun.wandb"))


def test_a_search_space_becomes_wandb_distributions_one_to_one_and_its_trial_runs(places: Path) -> None:
    printed = sweeps("wandb", "space", "xor", "lif", "--budget", "smoke").stdout
    sweep = yaml.safe_load(printed)
    for name, distribution in space(MODELS["lif"], TASKS["xor"]).items():
        assert sweep["parameters"][name] == {
            "distribution": "uniform",
            "min": distribution.low,
            "max": distribution.high,
        }
    log = optuna.distributions.FloatDistribution(5.0, 100.0, log=True)
    assert wandb_sweeps.parameter(log) == {"distribution": "log_uniform_values", "min": 5.0, "max": 100.0}
    assert wandb_sweeps.parameter(optuna.distributions.CategoricalDistribution(("a", "b"))) == {"values": ["a", "b"]}
    command = agent_command(sweep, threshold=0.4, width=0.5)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ.copy())
    assert done.returncode == 0, done.stderr
    settings = {"threshold": 0.4, "width": 0.5}
    assert experiment(TASKS["xor"], MODELS["lif"], "smoke", settings).id in done.stdout


def test_what_was_uploaded_is_not_uploaded_again_and_a_second_part_of_the_same_second_is_uploaded_too(
    places: Path,
) -> None:
    runs = places / "home" / "wandb" / "wandb"
    aaa = "offline-run-20260101_000000-aaa"
    bbb = "offline-run-20260102_000000-bbb"
    for name in (aaa, f"{aaa}-1", bbb, f"{bbb}-1"):  # wandb adds -1 where a folder of that second and run is there
        (runs / name).mkdir(parents=True)
    for uploaded in (f"{aaa}/run-aaa", f"{bbb}-1/run-bbb"):
        (runs / f"{uploaded}.wandb.synced").touch()
    assert [run.name for run in wandb_sweeps.offline()] == [f"{aaa}-1", bbb]


@pytest.mark.slow
def test_cluster_jobs_claim_what_is_queued_and_the_parent_collects_it(places: Path) -> None:
    pytest.importorskip("submitit")
    command = soak.command(3, 2, f"sqlite:///{places}/shared.db")
    done = subprocess.run(
        [*command, "--cluster", "local"], cwd=ROOT, capture_output=True, text=True, timeout=300, env=os.environ.copy()
    )
    assert done.returncode == 0, done.stderr
    assert "2 jobs" in done.stderr
    assert len(list(csv.DictReader((places / "home" / "exploratory" / "runs" / "xor.csv").open()))) == 6


@pytest.mark.slow
def test_status_collect_and_worker_on_a_shared_storage(places: Path) -> None:
    options = ["--storage", str(places / "q.journal"), "--study", "soak"]
    command = soak.command(2, 1, str(places / "q.journal"))
    assert (
        subprocess.run([*command, "--detach"], cwd=ROOT, env=os.environ.copy()).returncode == 1
    )  # queued, not finished
    (queued,) = json.loads(sweeps("status", *options, "--json").stdout)
    assert queued["tables"] == {"roles-6": {"done": 0, "running": 0, "failed": 0, "left": 2}}
    other = {"BENCH_HOME": str(places / "elsewhere"), "BENCH_RESULTS": str(places / "elsewhere-results")}
    assert sweeps("worker", *options, **other).returncode == 0
    assert not (places / "elsewhere-results" / "runs").exists()
    ledger = places / "home" / "exploratory"
    assert "2 experiments collected" in sweeps("collect", *options, BENCH_RESULTS=str(ledger)).stderr
    assert "0 experiments collected" in sweeps("collect", *options, BENCH_RESULTS=str(ledger)).stderr
    assert len(list(csv.DictReader((ledger / "runs" / "xor.csv").open()))) == 4
    assert "       2        0        0        0" in sweeps("status", *options).stdout

    # a measure that is asked for later needs weights that only the other home has: the plan and the status name them
    csv_file = ledger / "runs" / "xor.csv"
    csv_file.write_text(csv_file.read_text().replace("accuracy=1", "accuracy=0"))
    planned = subprocess.run(
        [*command, "--detach"], cwd=ROOT, env=os.environ.copy(), capture_output=True, text=True
    ).stderr
    (needed, *_) = json.loads(sweeps("status", *options, "--json").stdout)[0]["weights"]
    row = next(r for r in csv.DictReader(csv_file.open()) if r["experiment"] == needed["experiment"])
    assert f"needs weights {row['checkpoint_sha256'][:12]} of experiments/{row['experiment']}" in planned
    assert f"2 of them are trained already, but their weights (named by sha256) are not in {places / 'home'}" in planned
    assert needed["weights"] == f"{row['checkpoint_sha256']} in {socket.gethostname()}:{places / 'elsewhere'}"
    assert (
        f"needs    {needed['name']}  experiments/{row['experiment']}, weights {needed['weights']}"
        in sweeps("status", *options).stdout
    )
    for arguments in (["worker", "--workers", "0"], ["status", "--storage", "mysql://x"]):
        refused = sweeps(*arguments)
        assert refused.returncode == 1
        assert "Traceback" not in refused.stderr


def test_the_dashboard_shows_the_rows_of_the_table(places: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no Chromium (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    subprocess.run([*soak.command(3, 1, f"sqlite:///{places}/shared.db"), "--detach"], cwd=ROOT, env=os.environ.copy())
    command = [sys.executable, "-m", "sweeps", "dashboard", "--storage", f"sqlite:///{places}/shared.db", "--port", "0"]
    server = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        address = server.stderr.readline().split()[-1]
        (study,) = json.loads(urllib.request.urlopen(f"{address}/api/studies").read())["study_summaries"]
        with playwright.sync_playwright() as started:
            page = started.chromium.launch(executable_path=browser, args=["--no-sandbox"]).new_page(
                viewport={"width": 1400, "height": 900}
            )
            page.goto(f"{address}/dashboard/studies/{study['study_id']}/trials")
            page.wait_for_selector("text=User Attributes", timeout=60_000)
            text_of_page = page.inner_text("body")
            if picture := os.environ.get("BENCH_SCREENSHOT"):
                page.screenshot(path=picture)
    finally:
        server.terminate()
        server.wait()
    assert "3 Trials" in text_of_page
    for text in ("Waiting", "model lif", "task xor", "seed 0", "budget smoke", "tables roles-6", "experiment "):
        assert text in text_of_page, text_of_page
