"""From the command line to the ledger: what a user runs, on tiny data, with real worker processes."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.__main__ import cli
from tests.conftest import ROOT, bench

SMOKE = ["run", "roles-6", "--column", "XOR", "--budget", "smoke"]


def lines(places: Path) -> list[dict[str, str]]:
    """The exploratory ledger, without what differs between two runs of the same thing."""
    path = places / "home" / "exploratory" / "runs" / "xor.csv"
    return list(csv.DictReader(path.open(encoding="utf-8"))) if path.exists() else []


def outcome(places: Path) -> set[tuple[str, ...]]:
    names = ("experiment", "measure", "protocol", "status", "value", "checkpoint_sha256", "spike_rate", "synops")
    return {tuple(line[name] for name in names) for line in lines(places)}


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip


def follow(process: subprocess.Popen[str], pattern: str) -> str:
    """Read standard error until a line matches; what was read."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if re.search(pattern, line):
            return "".join(seen)
    raise AssertionError(f"{pattern!r} did not appear in {''.join(seen)}")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Workers are forked by the one child that has loaded torch."""
    return [worker for child in children(process.pid) for worker in children(child)]


@pytest.fixture
def home_again(places: Path):
    """A second, empty home and ledger: the same commands start from nothing."""

    def change(name: str) -> Path:
        other = places / name
        (other / "home").mkdir(parents=True)
        os.environ["BENCH_HOME"], os.environ["BENCH_RESULTS"] = str(other / "home"), str(other / "results")
        return other

    before = {name: os.environ[name] for name in ("BENCH_HOME", "BENCH_RESULTS")}
    yield change
    os.environ.update(before)


def wandb_summary(places: Path, experiment: str) -> dict[str, Any]:
    """What W&B has of the one offline run of ``experiment``."""
    (run,) = (places / "home" / "wandb" / "wandb").glob(f"offline-run-*/run-{experiment}.wandb")
    command = [str(Path(sys.executable).parent / "wandb"), "leet", "inspect", "--summary", "--json", str(run.parent)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_a_table_is_trained_once_tracked_and_repeated_bit_for_bit(places: Path, home_again) -> None:
    done = bench(*SMOKE, "--workers", "2", "--profile")
    assert done.returncode == 0, done.stderr
    first = outcome(places)
    assert {line["model"] for line in lines(places)} == {
        "lif",
        "lif-no-leak",
        "lif-full-leak",
        "lif-no-reset",
        "lif-recurrent",
    }
    assert len(first) == 10  # five experiments, two protocols
    assert {line["status"] for line in lines(places)} == {"ok"}
    assert re.search(r"\[5/5\] .*: \S+ % best test epoch, \S+ % last \(", done.stderr)  # this is no terminal
    assert "about" in done.stderr
    assert "before first step" in done.stdout
    tracking = [float(seconds) for seconds in re.findall(r"% +([\d.]+) s$", done.stdout, re.MULTILINE)]
    assert len(tracking) == 5 and min(tracking) > 0  # offline: W&B took its time

    # smoke never enters results
    assert not (places / "results" / "runs").exists()

    # every experiment is a W&B run, offline, with its id, group, tags and flat settings
    some = lines(places)[0]
    logged = wandb_summary(places, some["experiment"])
    assert logged["run_id"] == some["wandb_run"] == some["experiment"]
    assert logged["state"] == "finished"
    assert {"smoke", "delayed-xor", "lif=1"} <= set(logged["tags"])
    assert logged["config"]["neuron.threshold"] == 0.5
    assert logged["config"]["seed"] == 0
    assert f"{logged['summary']['test/accuracy']['last']:.7g}" == some["value"]

    # … and an Optuna trial
    import optuna

    study = optuna.load_study(study_name=some["optuna_study"], storage=f"sqlite:///{places / 'home' / 'queue.db'}")
    assert sorted(t.user_attrs["experiment"] for t in study.trials) == sorted(
        {line["experiment"] for line in lines(places)}
    )
    trial = study.trials[int(some["optuna_trial"])]
    assert trial.state == optuna.trial.TrialState.COMPLETE
    assert trial.user_attrs["experiment"] == some["experiment"]

    # a second call has nothing to do and starts no worker
    again = bench(*SMOKE)
    assert again.returncode == 0
    assert "5 of 5 cells that can run are done, 0 experiments to run" in again.stderr
    assert "start" not in again.stderr

    # deleting one line runs exactly that experiment again and gives the same value
    path = places / "home" / "exploratory" / "runs" / "xor.csv"
    rows = path.read_text().splitlines(keepends=True)
    gone = some["experiment"]
    path.write_text("".join(row for row in rows if gone not in row))
    once_more = bench(*SMOKE)
    assert once_more.stderr.count("start ") == 1
    assert outcome(places) == first

    # one worker, elsewhere: the same weights and values to the last bit
    other = home_again("alone")
    assert bench(*SMOKE, "--workers", "1").returncode == 0
    assert outcome(other) == first


@pytest.mark.slow
def test_killed_and_stopped_in_the_middle_it_goes_on_and_ends_with_the_same_weights(places: Path, home_again) -> None:
    settings = [*SMOKE, "--row", "Baseline", "--set", "epochs=8", "--set", "data_settings.batches=40", "--workers", "1"]
    process = start(*settings)
    follow(process, r"epoch 2/8")
    (worker,) = workers_of(process)
    os.kill(worker, signal.SIGKILL)  # the parent starts the experiment again …
    follow(process, r"epoch 4/8")
    process.kill()  # … until it is killed itself
    process.wait()
    assert lines(places) == []
    (checkpoint,) = (places / "home" / "experiments").glob("*/last.ckpt")

    time.sleep(1.5)  # the orphaned worker notices at its next message
    process = start(*settings)
    follow(process, "start ")
    os.killpg(process.pid, signal.SIGTERM)  # as `timeout` and schedulers do: to the fork server, too
    assert process.stderr is not None
    output = process.stderr.read()
    assert "stopped by SIGTERM; the same command goes on" in output
    assert "[1/1]" not in output
    assert process.wait() == 75
    assert {line["status"] for line in lines(places)} == {"preempted"}
    assert lines(places)[-1]["error"] == "SIGTERM; goes on from its last checkpoint"  # the orphan may have one as well

    process = start(*settings)
    output = follow(process, r"epoch \d/8")
    assert re.search(r"epoch [4-8]/8", output), output  # on from the last whole epoch, not from the first
    assert process.stderr is not None
    process.stderr.read()
    assert process.wait() == 0
    resumed = {line for line in outcome(places) if "preempted" not in line}
    assert len(resumed) == 2
    assert not checkpoint.exists()

    other = home_again("undisturbed")
    assert bench(*settings).returncode == 0
    assert outcome(other) == resumed


@pytest.mark.slow
def test_two_runs_at_once_share_the_work_and_train_nothing_twice(places: Path) -> None:
    settings = [*SMOKE, "--workers", "1", "--set", "data_settings.batches=30"]
    both = [start(*settings), start(*settings)]
    texts = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(texts)  # a list would be cut short
    trained = [line["experiment"] for line in lines(places)]
    assert len(trained) == 10
    assert len(set(trained)) == 5


def test_divergence_is_recorded_the_rest_goes_on_and_the_exit_code_says_so(places: Path) -> None:
    done = bench(*SMOKE, "--row", "Baseline", "--row", "Without reset", "--set", "lr=3e37", "--set", "epochs=2")
    assert done.returncode == 1
    assert "not finished" in done.stderr
    assert "Traceback" not in done.stderr
    recorded = lines(places)
    assert {line["status"] for line in recorded} == {"diverged"}
    assert {line["model"] for line in recorded} == {"lif", "lif-no-reset"}
    assert all("not finite" in line["error"] or "loss" in line["error"] for line in recorded)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("neuron.reset=half", "reset 'half' is not one of hard, soft"),
        ("neuron.surrogate=foo", "unknown surrogate 'foo'; known: "),
        ("neuron.tau_low=low", "lif setting tau_low is of the kind of 0.0, got 'low'"),
        ("loss=foo", "unknown loss 'foo'; known: mse-rate"),
        ('layers=[20, "a", 2]', "layers are widths of 1 or more, got [20, 'a', 2]"),
        ('schedule={"a": 1}', "a schedule is every + factor"),
        ("data_settings.noise=7", "low, high and noise are probabilities"),
        ("clip=-1", "--set clip takes a number of 0 or more"),
    ],
)
def test_a_setting_that_nothing_can_be_built_with_is_refused_before_anything_is_queued(
    places: Path, setting: str, message: str
) -> None:
    done = CliRunner().invoke(cli, [*SMOKE, "--set", setting])
    assert done.exit_code == 1
    assert message in done.stderr
    assert not (places / "home" / "queue.db").exists()
    assert lines(places) == []


def test_a_result_that_could_not_be_written_is_kept_and_not_trained_again(places: Path) -> None:
    process = start(*SMOKE, "--row", "Baseline", "--workers", "1")
    follow(process, "start ")
    runs = places / "home" / "exploratory" / "runs"
    runs.parent.mkdir(parents=True, exist_ok=True)
    runs.write_text("in the way: the ledger's folder cannot be made")
    assert process.stderr is not None
    output = process.stderr.read()
    assert process.wait() == 1
    assert "cannot write" in output or "Not a directory" in output
    assert "Traceback" not in output
    runs.unlink()
    done = bench(*SMOKE, "--row", "Baseline")
    assert done.returncode == 0
    assert "start " not in done.stderr
    assert len(lines(places)) == 2


def test_readings_do_not_stay_behind_once_they_are_handed_in(places: Path) -> None:
    wanted = ["celif-fig-6", "--column", "Copy memory, T = 100", "--row", "LSTM", "--measure", "gradient-reach"]
    assert bench("run", *wanted, "--budget", "smoke").returncode == 0
    ledger = (places / "home" / "exploratory" / "runs" / "copy-100.csv").read_text()
    assert "gradient-reach" in ledger and ",ok," in ledger
    (weights,) = (places / "home" / "experiments").rglob("weights.pt")
    assert [path.name for path in weights.parent.iterdir()] == ["weights.pt"]


@pytest.mark.slow
def test_damaged_weights_or_checkpoints_are_set_aside_and_training_starts_over_and_the_command_says_so(
    places: Path,
) -> None:
    settings = [*SMOKE, "--row", "Baseline", "--set", "epochs=2"]
    assert bench(*settings).returncode == 0
    before = outcome(places)
    (folder,) = (places / "home" / "experiments").iterdir()
    (folder / "weights.pt").unlink()
    (folder / "last.ckpt").write_bytes(b"half a checkpoint")
    (places / "home" / "exploratory" / "runs" / "xor.csv").unlink()
    done = bench(*settings)
    assert (done.returncode, outcome(places)) == (0, before)
    assert (folder / "last.damaged").exists()
    assert f"checkpoint {folder / 'last.ckpt'} is unusable" in done.stderr

    (folder / "weights.pt").write_bytes(b"half of the weights")
    (places / "home" / "exploratory" / "runs" / "xor.csv").unlink()
    done = bench(*settings)
    assert (done.returncode, outcome(places)) == (0, before)
    assert (folder / "weights.damaged").exists()
    assert f"weights {folder / 'weights.pt'} are unusable" in done.stderr


def test_cells_without_data_fail_leave_no_ledger_line_and_are_left_out_on_request(places: Path) -> None:
    wanted = ["run", "roles-6", "--column", "MNIST", "--row", "Baseline"]
    done = bench(*wanted)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("data missing: mnist, 1 experiments left out: ")
    assert not (places / "results" / "runs" / "mnist.csv").exists()
    table = (places / "results" / "tables" / "roles-6.csv").read_text()
    assert re.search(r"roles-6,Baseline,MNIST,accuracy,%,94.85,.*data missing", table)
    assert bench(*wanted, "--available").returncode == 0


@pytest.mark.slow
def test_an_experiment_whose_worker_keeps_dying_fails_in_the_end_and_the_rest_goes_on(places: Path) -> None:
    settings = [*SMOKE, "--row", "Baseline", "--set", "epochs=50", "--workers", "1"]
    process = start(*settings)
    for _ in range(3):
        follow(process, "start ")
        (worker,) = workers_of(process)
        os.kill(worker, signal.SIGKILL)
    assert process.stderr is not None
    output = process.stderr.read()
    assert process.wait() == 1
    assert "killed 3 times" in output
    assert [(line["status"], line["value"]) for line in lines(places)] == [("failed", "")]


def test_a_data_file_of_the_right_size_but_wrong_content_fails_its_cells_and_no_others(places: Path) -> None:
    from datamodules.sources import MNIST

    for file in MNIST.files:
        path = places / "data" / "mnist" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            out.truncate(file.size)
    done = bench("run", "roles-6", "--row", "Baseline", "--budget", "smoke")
    assert done.returncode == 1
    assert "has md5" in done.stderr
    assert "train-images" in done.stderr
    assert "Traceback" not in done.stderr
    assert {line["status"] for line in lines(places)} == {"ok"}


def test_a_run_stops_when_its_seconds_are_over_and_says_how_to_go_on(places: Path) -> None:
    done = bench(*SMOKE, "--workers", "1", "--seconds", "1")
    assert done.returncode == 75
    assert "stopped by --seconds 1; the same command goes on from each experiment's last epoch" in done.stderr
