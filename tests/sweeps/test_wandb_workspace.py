"""The workspace has what the tables declare, under the keys that runs have. Nothing is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.measures import MEASURES
from bench.papers.registry import MODELS, TABLES, TASKS
from bench.report.compared import cell_key, compared
from bench.spec.experiment import Experiment
from bench.training import tracking
from sweeps import wandb_workspace
from sweeps.__main__ import cli
from tests.bench.test_verdict import result

pytest.importorskip("wandb_workspaces", reason="wandb-workspaces is not installed")


@pytest.fixture(scope="module")
def sections() -> dict[str, list[Any]]:
    """Panels of the workspace of every table, by the section's name up to a colon."""
    workspace = wandb_workspace.build(TABLES.values(), "ada", "snn")
    return {section.name.partition(":")[0]: section.panels for section in workspace.sections}


def keys(panels: list[Any]) -> Iterator[str]:
    for panel in panels:
        yield from getattr(panel, "metrics", None) or panel.y


def test_every_table_has_a_section_with_each_cell_measured_and_beside_what_is_published(
    sections: dict[str, list[Any]],
) -> None:
    for table in TABLES.values():
        found = set(keys(sections[table.id]))
        for cell in table.cells:
            if cell.runnable:
                assert f"cell/{table.id}/{cell.row}/{cell.column}/measured".replace(".", "_") in found
    titles = [panel.title for panel in sections["roles-6"]]
    assert "MNIST: test accuracy, measured and published" in titles
    assert "MNIST: measured minus published, by row" in titles
    assert "cell/roles-6/Baseline/MNIST/difference" in set(keys(sections["roles-6"]))


def test_panels_show_what_runs_have(places: Path, sections: dict[str, list[Any]]) -> None:
    experiment = Experiment(TASKS["mnist"], MODELS["lif"], 0, "paper")
    cells = {name for name, value in compared(experiment, [result(97.0)]).items() if isinstance(value, float)}
    assert cells and cells <= {key for panels in sections.values() for key in keys(panels)}
    written: dict[str, Any] = {}
    tracker = tracking.Tracker(experiment)
    tracker.run = type("Run", (), {"summary": written, "config": {}, "log": print})()
    tracker.run.config = type("Config", (), {"update": lambda *_, **__: None})()
    history = [{"epoch": 1, "trainer/global_step": 1, "test/accuracy": 97.0, "test/loss": 0.1, "train/loss": 0.2}]
    tracker.summarise(history, {}, [result(97.0)])
    shown = set(keys(sections["Accuracy by task and model"])) | set(keys(sections["Learning curves by task and model"]))
    assert {"measure/accuracy/best_test", "test/accuracy", "test/loss", "train/loss"} <= shown & set(written)
    possible = {tracking.measure_key(m.name, protocol) for m in MEASURES.values() for protocol in m.protocols}
    for name in ("Energy and activity", "Robustness"):
        assert sections[name] and set(keys(sections[name])) <= possible


def test_keys_have_no_dot_which_wandb_takes_for_nesting_and_differ_as_the_names_do(
    sections: dict[str, list[Any]],
) -> None:
    places = {
        (table.id, cell.row, cell.column): cell_key(table, cell, "x")
        for table in TABLES.values()
        for cell in table.cells
    }
    assert any("." in row for _, row, _ in places)
    assert len(set(places.values())) == len(places)
    measures = {(m.name, p): tracking.measure_key(m.name, p) for m in MEASURES.values() for p in m.protocols}
    assert len(set(measures.values())) == len(measures)
    for key in [*places.values(), *measures.values(), *(k for panels in sections.values() for k in keys(panels))]:
        assert "." not in key


def test_seeds_are_one_group_with_an_interval(sections: dict[str, list[Any]]) -> None:
    for panel in (panel for panels in sections.values() for panel in panels):
        assert (panel.groupby, panel.groupby_aggfunc, panel.groupby_rangefunc) == ("Group", "mean", "stderr")
    groups = {tracking.labels(Experiment(TASKS["xor"], MODELS["lif"], seed, "laptop"))["group"] for seed in range(3)}
    assert groups == {"xor/lif"}


def test_the_definition_is_written_without_an_account_and_saving_needs_one(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        done = CliRunner().invoke(cli, ["wandb", "workspace", "roles-6", "--out", str(places / "view.json")])
        assert done.exit_code == 0, done.stderr
    view = json.loads((places / "view.json").read_text())
    names = [section["name"] for section in view["section"]["panelBankConfig"]["sections"]]
    assert [name for name in names if name.startswith("roles")] == [f"roles-6: {TABLES['roles-6'].title}"]
    monkeypatch.setenv("BENCH_WANDB", "offline")
    refused = CliRunner().invoke(cli, ["wandb", "workspace"])
    assert refused.exit_code == 1 and "saved online only" in refused.stderr
    assert "unknown table" in CliRunner().invoke(cli, ["wandb", "workspace", "roles-66"]).stderr


@pytest.mark.parametrize(("budget", "wanted"), [("", "!= 'smoke'"), ("paper", "== 'paper'")])
def test_budgets_are_not_mixed_with_smoke_runs(budget: str, wanted: str) -> None:
    filters = wandb_workspace.build([], "ada", "snn", budget).runset_settings.filters
    assert "training" in filters and wanted in filters.replace('"', "'"), filters
