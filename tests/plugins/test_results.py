"""Results with plug-ins go to a folder of the user's, and tables show them beside the committed ones."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench import paths, plan
from bench.errors import BenchError
from bench.ledger import histories, new_lines, series, store
from bench.ledger.index import Index
from bench.measures import ACCURACY, LANDSCAPE_SMALL, LEARNING_CURVE
from bench.papers import registry
from bench.report import facts, render
from bench.spec import best_settings
from bench.spec.experiment import Experiment
from tests.plugins.conftest import EXAMPLE, NAME, ROW, Load


def record(model: str, task: str, measures: tuple = (ACCURACY,), value: float = 90.0, sha: str = "a") -> Experiment:
    """Lines of ``measures`` and the history of a whole training, in the ledger in use."""
    experiment = Experiment(registry.TASKS[task], registry.MODELS[model], 0, "laptop")
    epochs = experiment.config["epochs"]
    lines = new_lines.new_lines(experiment, measures, "ok", "")
    protocols = {measure.name: measure.protocols for measure in measures}
    store.append(
        replace(line, value=value, protocol=protocol, epochs=epochs, n_test=10_000, checkpoint_sha256=sha)
        for line in lines
        for protocol in protocols[line.measure]
    )
    histories.write(experiment, [{"test/accuracy": value, "test/loss": 1.0}] * epochs, 10 * epochs)
    return experiment


def test_results_go_beside_the_plug_in_unless_a_folder_is_named(
    load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    load(ROW)
    assert paths.results() == tmp_path / "results"  # BENCH_RESULTS of the fixture
    monkeypatch.delenv("BENCH_RESULTS")
    load(ROW)
    assert paths.results() == tmp_path / "user" / "results"


def test_the_committed_results_are_refused(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    load(ROW)
    monkeypatch.setenv("BENCH_RESULTS", str(paths.COMMITTED))
    with pytest.raises(BenchError, match="do not go into .*: name a folder of yours, --results DIR"):
        paths.results()
    monkeypatch.delenv("BENCH_RESULTS")
    paths.use_own_results(paths.ROOT)
    assert paths.results() == paths.ROOT / "own-results"


def test_the_suites_rows_have_their_committed_results_and_need_no_training(load: Load) -> None:
    assert store.read() == []
    load(ROW)
    (cell,) = plan.select(registry.TABLES["roles-6"], ["Baseline"], ["MNIST"])
    assert plan.make([("roles-6", cell)], "paper", 1, store.read()).done == 1
    (cell,) = plan.select(registry.TABLES["roles-6"], ["Mine"], ["MNIST"])
    assert plan.make([("roles-6", cell)], "paper", 1, store.read()).done == 0
    assert not (paths.results() / "runs").exists()


def test_histories_series_and_facts_of_the_committed_results_are_read_too(load: Load) -> None:
    load(ROW)
    task = registry.TASKS["seq-mnist"]
    experiment = Experiment(task, registry.MODELS["celif-154k"], 0, "laptop")
    assert histories.seeds(task, experiment.model, "laptop") == [0]
    assert histories.read(experiment) is not None
    assert series.read(experiment, LANDSCAPE_SMALL, "last") is not None
    assert facts.read() and not list(paths.results().rglob("*.csv"))


def test_committed_lines_of_an_experiment_that_was_trained_again_with_other_weights_are_left_out(load: Load) -> None:
    load(ROW)
    model, task = next(
        (line.model, line.task)
        for line in store.read()
        if line.budget == "laptop"
        and line.status == "ok"
        and line.seed == 0
        and line.task in registry.TASKS
        and line.model in registry.MODELS
        and Experiment(registry.TASKS[line.task], registry.MODELS[line.model], 0, "laptop").id == line.experiment
    )
    experiment = record(model, task, sha="other")
    lines = [line for line in store.read() if line.experiment == experiment.id]
    assert {line.checkpoint_sha256 for line in lines} == {"other"}
    render.check(store.read())


def test_a_table_shows_own_rows_beside_published_ones_and_marks_them(load: Load) -> None:
    load(EXAMPLE)
    record(NAME, "xor")
    tables = [registry.TABLES["roles-6"]]
    render.render(tables, Index(store.read()))
    text = (paths.results() / "tables" / "roles-6.md").read_text(encoding="utf-8")
    assert "| Resonate-and-fire (own) | 90.00 ± 0.59†<br>laptop budget |" in text
    assert "(own): a row that a plug-in has added; nothing is published for it and it gets no verdict" in text
    assert "98.50 ± 0.24" in text  # Baseline on MNIST, committed
    with open(paths.results() / "tables" / "roles-6.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["row"] == "Resonate-and-fire (own)"]
    row = next(row for row in rows if row["column"] == "XOR")
    assert (row["measured"], row["published"], row["difference"]) == ("90.00", "", "")
    assert row["verdict"].startswith("own, laptop budget")
    assert "`(own)`: a row that a plug-in has added" in (paths.results() / "README.md").read_text(encoding="utf-8")


def test_a_figure_draws_an_own_row(load: Load) -> None:
    load(EXAMPLE)
    record("resonate-and-fire-84k", "seq-mnist", (ACCURACY, LEARNING_CURVE))
    render.render([registry.TABLES["celif-fig-4"]], Index(store.read()))
    data = (paths.results() / "figures" / "celif-fig-4.csv").read_text(encoding="utf-8")
    assert "Resonate-and-fire (own),Learning curve" in data and '"CE-LIF, feedforward",Learning curve' in data


def test_settings_that_a_search_finds_go_to_the_users_folder(load: Load) -> None:
    load(ROW)
    assert best_settings.path("mine", "xor") == paths.results() / "best" / "mine-xor.toml"


def test_smoke_runs_see_no_committed_results(load: Load) -> None:
    load(ROW)
    paths.use_exploratory_ledger()
    assert store.read() == [] and os.environ["BENCH_RESULTS"].endswith("exploratory")
