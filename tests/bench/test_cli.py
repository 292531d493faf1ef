"""The command line: fast commands load no torch, bad input is one message, committed tables are what the ledger
gives.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from bench import paths
from bench.__main__ import cli
from bench.papers.registry import TABLES
from datamodules.sources import MNIST as MNIST_SOURCE
from tests.conftest import ROOT, bench

PLAIN = "Plain LSTM / Recurrent / 66.5k"  # a row that has cells in some columns only
HEAVY = {"torch", "optuna", "wandb", "pytorch_lightning", "pandas"}
RENDERERS = {"pandas"}  # LaTeX goes through its Styler


@pytest.mark.parametrize(
    "command",
    [["list"], ["plan", "roles-6"], ["render"], ["show", "roles-6", "Baseline", "XOR"], ["data", "status"], ["report"]],
)
def test_planning_and_rendering_load_no_torch(places: Path, command: list[str]) -> None:
    heavy = HEAVY - RENDERERS if command == ["render"] else HEAVY
    code = (
        "import sys; from bench.__main__ import cli\n"
        f"cli({command!r}, prog_name='bench', standalone_mode=False)\n"
        f"loaded = {heavy!r} & set(sys.modules)\n"
        "sys.exit(f'loaded {loaded}' if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_list_shows_every_table_of_every_paper(places: Path) -> None:
    rows = json.loads(bench("list", "--json").stdout)
    tables = [
        row["table"] for row in rows if row["table"].startswith(("celif-", "roles-")) and "-fig-" not in row["table"]
    ]
    assert tables == [*(f"celif-{n}" for n in range(1, 6)), *(f"roles-{n}" for n in range(1, 11))]
    assert [row["table"] for row in rows] == list(TABLES)
    assert all(row["cells"] == len(TABLES[row["table"]].cells) for row in rows)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plan", "roles-66"], "did you mean roles-6"),
        (["plan", "roles-6", "--row", "Basline"], "did you mean Baseline"),
        (["plan", "roles-6", "--column", "XR"], "did you mean XOR"),
        (["plan", "roles-6", "--budget", "papr"], "did you mean paper"),
        (["plan", "roles-6", "--measure", "acuracy"], "did you mean accuracy"),
        (["plan", "roles-6", "--seeds", "0"], "at least 1"),
        (["run", "roles-6", "--workers", "0"], "workers must be at least 1"),
        (["run", "roles-6", "--column", "XOR", "--set", "lr"], "--set takes name=value"),
        (["run", "roles-6", "--column", "XOR", "--set", "lrr=1"], "did you mean lr"),
        *(
            (["run", "roles-6", "--column", "XOR", "--budget", "smoke", "--row", "Baseline", "--set", given], says)
            for given, says in (
                ("epochs=0", "--set epochs takes a whole number of 1 or more (in this recipe 1), got 0"),
                ("epochs=1.5", "--set epochs takes a whole number of 1 or more"),
                ("epochs=true", "--set epochs takes a whole number of 1 or more"),
                ("batch_size=-8", "--set batch_size takes a whole number of 1 or more"),
                ("lr=abc", "--set lr takes a number above 0"),
                ("lr=0", "--set lr takes a number above 0"),
                ("lr=Infinity", "--set lr takes a number above 0"),
                ("learning_rate=0.1", "unknown setting 'learning_rate'; did you mean lr?"),
                ("clip=abc", "--set clip takes a number of 0 or more (in this recipe 0.0), got 'abc'"),
                ("lr_neuron=fast", "--set lr_neuron takes a number, or a JSON object"),
                ("neuron.learn_leak=0", "--set neuron.learn_leak takes true or false (in this recipe True), got 0"),
                ("neuron.threshold=high", "--set neuron.threshold takes a number"),
                ("neuron.threshold=NaN", "--set neuron.threshold takes a number"),
                ("neuron.beta=NaN", "--set neuron.beta takes any finite value"),
                ("schedule=none", "--set schedule takes a JSON object"),
                ("layers=20", "--set layers takes a JSON list"),
                ("loss=1", "--set loss takes a text"),
                ("data=mnst", "--set data takes one of"),
            )
        ),
        (["show", "roles-6", "Baseline"], "name the column too"),
        (["show", "celif-1", PLAIN, "SNN"], "columns of row 'Plain LSTM / Recurrent / 66.5k': Parameters, Seq-MNIST"),
        (["run", "celif-1", "--row", PLAIN, "--column", "SNN"], "columns of row 'Plain LSTM / Recurrent / 66.5k'"),
        (["plan", "roles-6", "--measure", "silhouette"], "roles-6 has no measure silhouette; tables with it: roles-9"),
        (["run", "roles-6", "--column", "MNIST", "--measure", "silhouette"], "none of these cells has the measure"),
        (["list", "model"], "did you mean models"),
        (["show", "roles-1", "Recordings", "SHD"], "has no recipe"),
        (["data", "fetch", "minst"], "did you mean mnist"),
        (["rnder"], "did you mean render"),
        (["compare", "/nowhere"], "does not exist"),
    ],
)
def test_bad_input_is_one_message_that_names_what_is_allowed(places: Path, arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(cli, arguments, prog_name="python -m bench")
    assert done.exit_code != 0
    assert isinstance(done.exception, SystemExit)  # a message, no traceback
    assert says in done.stderr
    assert not (places / "results").exists()


def test_a_broken_ledger_stops_every_command_at_the_line(places: Path) -> None:
    path = places / "results" / "runs" / "xor.csv"
    path.parent.mkdir(parents=True)
    path.write_text("<<<<<<< HEAD\n")
    for command in (
        ["list"],
        ["plan", "roles-6"],
        ["render"],
        ["run", "roles-6", "--column", "XOR", "--budget", "laptop"],
    ):
        done = bench(*command)
        assert done.returncode == 1
        assert "xor.csv:1: a merge conflict marker" in done.stderr
        assert "Traceback" not in done.stderr
    assert path.read_text() == "<<<<<<< HEAD\n"
    assert not (places / "results" / "tables").exists()


def test_results_that_cannot_be_written_stop_before_anything_is_trained(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places / "results").write_text("a file where the folder should be")
    done = bench("run", "roles-6", "--column", "XOR", "--row", "Baseline")
    assert done.returncode == 1
    assert "nothing was trained" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_recipe_of_a_cell_shows_every_value_and_its_source(places: Path) -> None:
    shown = bench("show", "roles-6", "Without reset", "XOR", "--budget", "laptop").stdout
    assert "laptop budget; at paper budget 150" in shown
    assert "row 'Without reset': {'name': 'lif', 'reset': 'none'}" in shown
    assert "guess [U]" in shown


def test_committed_tables_are_what_the_ledger_gives() -> None:
    done = bench("render", "--check")
    assert done.returncode == 0, done.stderr


def test_check_fails_when_a_table_was_edited(places: Path) -> None:
    assert bench("render").returncode == 0
    assert bench("render", "--check").returncode == 0
    table = places / "results" / "tables" / "roles-6.csv"
    table.write_text(table.read_text().replace("94.85", "99.99"))
    done = bench("render", "--check")
    assert done.returncode == 1
    assert "roles-6.csv" in done.stderr


def test_planning_a_table_without_its_data_says_so_and_plans_the_rest(places: Path) -> None:
    made = json.loads(bench("plan", "roles-6", "--json").stdout)
    assert {job["name"].split(" / ")[0] for job in made["jobs"]} == {"xor", "xor-script", "xor-whole-input"}
    assert {job["data"] for job in made["no_data"]} >= {
        "shd",
        "ssc",
        "nmnist",
        "dvs-gesture",
        "mnist",
        "cifar10",
        "nmnist-standin",
    }
    assert made["waiting"] == []


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, prog_name="python -m bench")


def test_a_run_that_finds_the_committed_results_names_the_option_that_trains_afresh(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_RESULTS")
    assert "--results DIR" in invoke("plan", "roles-6", "--column", "xor", "--budget", "paper", "--seeds", "3").stdout


def test_another_results_folder_is_empty_and_knows_the_committed_times(places: Path) -> None:
    arguments = ("plan", "roles-6", "--column", "xor", "--row", "Baseline", "--budget", "paper", "--seeds", "3")
    made = invoke(*arguments, "--results", str(places / "new"))
    assert "0 of 1 cells that can run are done, 3 experiments to run, about 1" in made.stdout  # 1x:xx minutes
    assert (paths.results(), paths.home()) == (places / "new", places / "new" / ".bench")


def test_missing_data_is_named_with_the_command_that_gets_it_and_damaged_data_as_damaged(places: Path) -> None:
    arguments = ("plan", "roles-6", "--column", "mnist", "--row", "Baseline")
    assert "data missing: mnist, 1 experiments left out: python -m bench data fetch mnist" in invoke(*arguments).stdout
    for file in MNIST_SOURCE.files:
        path = places / "data" / "mnist" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"cut off")
    assert "damaged: mnist (" in (text := invoke(*arguments).stdout) and "has 7 bytes, the original" in text


def test_models_tasks_measures_and_papers_are_listed(places: Path) -> None:
    for kind, name in (("models", "lif-no-reset"), ("tasks", "xor"), ("measures", "silhouette"), ("papers", "celif")):
        assert name in {row["name"] for row in json.loads(invoke("list", kind, "--json").stdout)}


def test_the_list_of_commands_has_a_line_for_each_and_imports_none_of_them() -> None:
    code = (
        "import sys; from bench.__main__ import cli\n"
        "try: cli(['--help'])\n"
        "except SystemExit: print([m for m in sys.modules if m.startswith(('bench.report', 'bench.papers', 'numpy'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    *text, imported = done.stdout.splitlines()
    assert imported == "[]"
    context = click.Context(cli)
    shown = {words[0]: words[1:] for line in text if line.startswith("  ") and (words := line.split())}
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None and shown[name][:2] == command.get_short_help_str().split()[:2]
