"""The W&B sweep of the part of a table that one wants."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from bench.papers.registry import TABLES
from sweeps.__main__ import cli
from sweeps.wandb_sweeps import job
from tests.bench.conftest import mnist_here

__all__ = ["mnist_here"]  # the fixture


def write(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["wandb", "write", *arguments])


def test_a_sweep_has_the_cells_budget_and_seeds_that_are_named(places: Path, mnist_here: None) -> None:
    done = write("roles-7", "--column", "MNIST", "--budget", "laptop", "--seeds", "2")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "# Written by: python -m sweeps wandb write roles-7 --column MNIST --budget laptop --seeds 2\n"
    )
    parameters = yaml.safe_load(done.stdout)["parameters"]
    cells = [c for c in TABLES["roles-7"].cells if c.column == "MNIST" and c.task and c.model]
    assert parameters["cell"]["values"] == [f"{c.task.name}/{c.model.name}" for c in cells if c.task and c.model]
    assert (parameters["budget"], parameters["seed"]) == ({"value": "laptop"}, {"values": [0, 1]})
    for cell in parameters["cell"]["values"]:
        assert job("roles-7", cell, 0, "laptop").experiment.budget == "laptop"  # an agent takes each


def test_cells_without_data_are_left_out_and_named_unless_all_are_wanted(places: Path, mnist_here: None) -> None:
    here = write("roles-7", "--budget", "laptop", "--out", str(places / "here.yaml"))
    every = write("roles-7", "--budget", "laptop", "--all")
    assert here.exit_code == every.exit_code == 0
    assert "left out, data missing: " in here.stderr and f"next: wandb sweep {places}/here.yaml" in here.stderr
    assert every.stderr == ""
    chosen = yaml.safe_load((places / "here.yaml").read_text())["parameters"]["cell"]["values"]
    assert set(chosen) < set(yaml.safe_load(every.stdout)["parameters"]["cell"]["values"])
    assert any(cell.startswith("mnist/") for cell in chosen)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "laptop"], "name a table"),
        (["roles-7", "--check"], "--check takes no table"),
        (["roles-77"], "unknown table"),
        (["roles-7", "--column", "MNST"], "unknown column of roles-7"),
        (["roles-7", "--column", "MNIST", "--budget", "small"], "unknown budget"),
        (["roles-7", "--column", "MNIST", "--seeds", "0"], "seeds must be at least 1, got 0"),
        (["roles-7", "--column", "MNIST"], "data missing: mnist; --all writes them too"),
    ],
)
def test_a_sweep_that_cannot_be_is_one_message(places: Path, arguments: list[str], message: str) -> None:
    refused = write(*arguments)
    assert refused.exit_code == 1 and message in refused.stderr
    assert refused.stderr.count("\n") == 1 and refused.stdout == ""
