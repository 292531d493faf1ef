"""The examples, copied to a folder outside the checkout, are run from there as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.ledger import store
from bench.ledger.store import Line
from datamodules.sources import missing
from tests.plugins.conftest import NAME

BOTH = ("--plugin", "my_task", "--plugin", "resonate_and_fire.py")
MORE = 'from bench.spec.own import Row\nfrom bench_plugins.resonate_and_fire import RF\nROW = Row("ramps-1", RF)\n'


def run(user: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=user, env=os.environ.copy(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def smoke_lines(user: Path, model: str = NAME) -> dict[str, Line]:
    """Measure -> line of ``model`` in the ledger of smoke runs."""
    lines = store.read(user.parent / "home" / "exploratory")
    return {line.measure: line for line in lines if line.model == model and line.status == "ok"}


@pytest.mark.slow
def test_a_neuron_and_a_task_of_ones_own_are_trained_by_two_workers_and_measured(user: Path) -> None:
    (user / "more.py").write_text(MORE)
    arguments = ("ramps-1", "--budget", "smoke", "--row", "LIF", "--row", "Resonate-and-fire", "--workers", "2")
    run(user, "bench", "run", *arguments, *BOTH, "--plugin", "more.py")
    for model in (NAME, "lif"):
        lines = smoke_lines(user, model)
        assert set(lines) == {"accuracy", "energy-step-celif", "silhouette"}
        assert (lines["energy-step-celif"].value or 0) > 0
    assert "resonate-and-fire=" in smoke_lines(user)["accuracy"].version
    assert not (user / "results" / "runs").exists()  # of smoke runs nothing enters results


@pytest.mark.slow
def test_the_example_of_a_neuron_is_trained_on_xor_and_its_results_go_beside_it(user: Path) -> None:
    options = ("--row", "Resonate-and-fire", "--column", "XOR", "--workers", "2", "--plugin", "resonate_and_fire.py")
    run(user, "bench", "run", "roles-6", "--budget", "smoke", *options)
    assert smoke_lines(user)["accuracy"].task == "xor"
    run(user, "bench", "run", "ramps", "--budget", "laptop", "--workers", "2", "--plugin", "my_task")
    assert (user / "results" / "figures" / "ramps-fig-1.png").exists()
    assert "laptop budget" in (user / "results" / "tables" / "ramps-1.md").read_text(encoding="utf-8")
    shown = run(user, "bench", "list", "--plugin", "my_task").stdout
    assert "ramps-1" in shown


@pytest.mark.slow
def test_the_example_of_a_neuron_is_measured_in_celif_1_with_energy_and_a_history_for_figures(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_DATA", os.environ.get("BENCH_TEST_DATA", ""))
    if missing("sequential-mnist"):
        pytest.skip("BENCH_TEST_DATA names no folder with MNIST")
    measures = [f"--measure={name}" for name in ("accuracy", "energy-step-celif", "learning-curve")]
    options = ("--row", "Resonate-and-fire", "--budget", "smoke", "--workers", "2", "--plugin", "resonate_and_fire.py")
    run(user, "bench", "run", "celif-1", "celif-4", "celif-fig-4", *measures, *options)
    assert set(smoke_lines(user, f"{NAME}-84k")) == {"accuracy", "energy-step-celif"}  # one epoch is no curve
    histories = user.parent / "home" / "exploratory" / "series" / "history" / "seq-mnist"
    assert [file.name.split("_")[0] for file in histories.iterdir()] == [f"{NAME}-84k"]


@pytest.mark.slow
def test_jobs_of_a_cluster_have_the_plug_in(user: Path) -> None:
    pytest.importorskip("submitit")
    options = ("--budget", "smoke", "--row", "Resonate-and-fire", "--column", "XOR", "--workers", "1", "--hours", "0.2")
    run(user, "sweeps", "table", "roles-6", *options, "--cluster", "local", *BOTH[2:])
    assert smoke_lines(user)["accuracy"].task == "xor"


@pytest.mark.slow
def test_a_search_and_an_agents_command_have_the_plug_in(user: Path) -> None:
    searched = run(user, "sweeps", "search", "xor", NAME, "--trials", "1", "--budget", "smoke", *BOTH[2:])
    assert "damping=0.05" in searched.stdout
    agent = ("--table=ramps-1", "--cell=ramps/lif", "--seed=0", "--budget=smoke")
    assert "ok" in run(user, "sweeps", "wandb", "run", *BOTH[:2], *agent).stdout
    trial = ("--task=xor", f"--model={NAME}", "--budget=smoke", "--damping=0.1", "--threshold=0.9")
    assert ": ok" in run(user, "sweeps", "wandb", "trial", *BOTH[2:], *trial).stdout
