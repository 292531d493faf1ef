"""Results are uploaded as an artifact, tables and pictures; here without a service."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from sweeps import wandb_results
from sweeps.__main__ import cli


@pytest.fixture
def results(places: Path) -> Path:
    """Results with a ledger, a table and a picture."""
    files = {
        "README.md": "results", "runs/xor.csv": "experiment\n", "series/a/b.csv": "x\n1\n",
        "tables/roles-6.csv": "row,measured,published\nBaseline,50.5,77.5\nOther,,\n", "figures/celif-fig-4.csv": "x\n",
    }  # fmt: skip
    for name, text in files.items():
        path = places / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    from PIL import Image

    Image.new("RGB", (4, 4)).save(places / "results" / "figures" / "celif-fig-4.png")
    (places / "results" / ".locks").mkdir()
    (places / "results" / ".locks" / "a").touch()
    return places / "results"


def test_results_are_one_artifact_with_the_commit_as_alias_and_tables_and_figures_of_a_run(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts: list[tuple[Any, list[str]]] = []
    logged: dict[str, Any] = {}
    started: list[dict[str, Any]] = []

    class Run(SimpleNamespace):
        url = "https://wandb.example/run"

        def __enter__(self) -> Run:
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing."""

        def log_artifact(self, artifact: Any, aliases: list[str]) -> None:
            artifacts.append((artifact, aliases))

        def log(self, values: dict[str, Any]) -> None:
            logged.update(values)

    monkeypatch.setattr(wandb_results.wandb, "init", lambda **about: started.append(about) or Run())
    monkeypatch.setattr(wandb_results.provenance, "git", lambda: ("0123456789ab", False))
    done = CliRunner().invoke(cli, ["wandb", "push"])
    assert done.exit_code == 0, done.stderr
    assert started[0]["job_type"] == "results" and started[0]["config"]["commit"] == "0123456789ab"
    ((artifact, aliases),) = artifacts
    names = {str(path.relative_to(results)) for path in results.rglob("*") if path.is_file()} - {".locks/a"}
    assert set(artifact.manifest.entries) == names
    assert (artifact.type, aliases) == ("results", ["latest", "0123456789ab"])
    assert set(logged) == {"tables/roles-6", "figures/celif-fig-4"}
    assert logged["tables/roles-6"].data == [["Baseline", 50.5, 77.5], ["Other", None, None]]
    assert "https://wandb.example/run" in done.stderr


def test_without_a_ledger_or_with_tracking_off_one_message_says_so(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "there is no ledger in" in CliRunner().invoke(cli, ["wandb", "push"]).stderr
    (places / "results" / "runs").mkdir(parents=True)
    (places / "results" / "runs" / "xor.csv").touch()
    monkeypatch.setenv("BENCH_WANDB", "off")
    refused = CliRunner().invoke(cli, ["wandb", "push"])
    assert refused.exit_code == 1 and "W&B is off" in refused.stderr
