"""What the commands of ``python -m sweeps`` make of their options, without training anything."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from bench.errors import BenchError
from bench.plan import Plan
from sweeps import commands, scheduler, wandb_sweeps
from sweeps.__main__ import cli
from sweeps.pool import Pool
from sweeps.queue import Queue
from tests.sweeps.conftest import enqueue, job, ok

CORES = 8


@pytest.fixture
def ran(places: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(workers, threads) of each run that a command asked for."""
    asked: list[tuple[int, int]] = []

    def run(replan: Any, workers: int, threads: int, options: Any) -> scheduler.Outcome:
        asked.append((workers, threads))
        return scheduler.Outcome()

    monkeypatch.setattr(scheduler, "run", run)
    monkeypatch.setattr("os.cpu_count", lambda: CORES)
    return asked


@pytest.mark.parametrize(
    ("options", "expected"),
    [([], (8, 1)), (["--workers", "2"], (2, 4)), (["--threads", "4"], (2, 4)), (["--workers", "3"], (3, 2))],
)
def test_threads_are_cores_over_workers_unless_they_are_named(
    ran: list[tuple[int, int]], options: list[str], expected: tuple[int, int]
) -> None:
    CliRunner().invoke(cli, ["table", "roles-6", "--column", "XOR", "--budget", "smoke", *options])
    assert ran == [expected]


def test_more_workers_than_cores_is_a_warning_and_none_is_refused(ran: list[tuple[int, int]]) -> None:
    wanted = ["table", "roles-6", "--column", "XOR", "--budget", "smoke", "--workers"]
    assert "16 workers x 1 threads on 8 cores will be slower" in CliRunner().invoke(cli, [*wanted, "16"]).stderr
    assert ran == [(16, 1)]
    refused = CliRunner().invoke(cli, [*wanted, "0"])
    assert (refused.exit_code, len(ran)) == (1, 1)
    assert "workers must be at least 1, got 0" in refused.stderr


@pytest.mark.parametrize("stopped", ["", "SIGINT"])
def test_a_run_ends_with_a_line_for_each_cell_that_was_asked_for_and_a_stopped_one_without(
    places: Path, monkeypatch: pytest.MonkeyPatch, stopped: str
) -> None:
    monkeypatch.setattr(commands.planning, "make", lambda *_: Plan(1, 0, (job(),), (), ()))
    monkeypatch.setattr(scheduler, "run", lambda *_: scheduler.Outcome(stopped=stopped))
    chosen = ["roles-6", "--column", "XOR", "--row", "Baseline", "--row", "Without reset"]
    done = CliRunner().invoke(cli, ["table", *chosen])
    lines = done.stdout.splitlines()
    if stopped:
        assert (done.exit_code, lines) == (75, [])
        assert "stopped by SIGINT; the same command goes on" in done.stderr
        return
    assert lines[1].startswith("roles-6: ")
    assert [line.split("  ")[0] for line in lines[2:]] == ["row", "Baseline", "Without reset"]


def test_a_clock_that_differs_from_the_storages_is_said_when_a_run_begins(
    places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = Plan(0, 0, (), (), ())
    scheduler.run(lambda: nothing, 1, 1)
    assert "this host's clock" not in capsys.readouterr().err
    monkeypatch.setattr("sweeps.database.Database.skew", lambda self: -300.0)
    scheduler.run(lambda: nothing, 1, 1)
    assert "this host's clock is -300 s from the storage's" in capsys.readouterr().err


def test_status_is_watched_until_nothing_is_left(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"sqlite:///{places}/q.db"
    queue = Queue(address)
    enqueue(queue, job(), seconds=90.0)

    def work(seconds: float) -> None:
        claim = queue.claim()
        assert claim is not None
        queue.finish(claim, ok(claim.job))

    monkeypatch.setattr(time, "sleep", work)
    output = CliRunner().invoke(cli, ["status", "--storage", address, "--watch"]).stdout
    counts = [line.split()[1:] for line in output.splitlines() if line.startswith("roles-6")]
    assert counts == [["0", "0", "0", "1"], ["1", "0", "0", "0"]]  # done, running, failed, left
    assert "about 1:30 of work" in output


def test_each_worker_has_a_gpu_of_its_own_where_there_are_any(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    class Context:
        def Pipe(self, duplex: bool) -> tuple[SimpleNamespace, SimpleNamespace]:
            return SimpleNamespace(), SimpleNamespace(close=lambda: None)

        def Process(self, target: Any, args: tuple, name: str) -> SimpleNamespace:
            given.append(args[3])
            return SimpleNamespace(start=lambda: None)

    for visible, expected in (("2,5", ["2", "5", "2"]), ("", [None] * 3)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        pool = Pool({}, 3, 1)
        pool.context = Context()
        pool.fill(3)
        assert given == expected
        given.clear()


def test_uploading_calls_wandb_for_what_was_not_uploaded_and_never_again(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = places / "home" / "wandb" / "wandb" / "offline-run-20260102_000000-bbb"
    run.mkdir(parents=True)
    called = []

    def wandb(command: list[str], **_: object) -> SimpleNamespace:
        called.append(command[1:])
        (run / "run-bbb.wandb.synced").touch()  # as wandb marks it
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr("subprocess.run", wandb)
    assert CliRunner().invoke(cli, ["wandb", "sync"]).exit_code == 0
    again = CliRunner().invoke(cli, ["wandb", "sync"])
    assert (again.exit_code, again.stderr) == (0, "nothing to upload\n")
    assert called == [["sync", "--yes", str(run)]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (".5", 0.5),
        ("-.5e-3", -0.0005),
        ("1.", 1.0),
        ("+2", 2.0),
        ("1e-3", 0.001),
        ("7", 7),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ("cosine", "cosine"),
        ("1.2.3", "1.2.3"),
        ("{", "{"),
        ("--", "--"),
    ],
)
def test_values_of_options_are_json_numbers_or_text(text: str, value: object) -> None:
    assert commands._override(f"lr={text}") == ("lr", value)
    assert type(commands._override(f"lr={text}")[1]) is type(value)


FLOAT = FloatDistribution(0.1, 1.0)
WHOLE = IntDistribution(1, 9)
CHOICE = CategoricalDistribution(["rect", True, 4])


@pytest.mark.parametrize(
    ("distribution", "text", "value"),
    [
        (FLOAT, ".5", 0.5),
        (FLOAT, "5e-1", 0.5),
        (FLOAT, "1", 1),
        (WHOLE, "3", 3),
        (WHOLE, "3.0", 3),
        (CHOICE, "rect", "rect"),
        (CHOICE, "true", True),
        (CHOICE, "4", 4),
    ],
)
def test_a_setting_of_a_trial_is_understood(distribution: BaseDistribution, text: str, value: object) -> None:
    assert wandb_sweeps.setting("threshold", text, distribution) == value


@pytest.mark.parametrize(
    ("distribution", "text"),
    [
        *((FLOAT, text) for text in ("half", "", "{", "[1]", "nan", "NaN", "Infinity", "1e999", "true", "1.2.3", "--")),
        (WHOLE, "3.5"),
        (CHOICE, "round"),
        (CHOICE, "{"),
    ],
)
def test_a_setting_of_a_trial_that_is_none_is_one_message(distribution: BaseDistribution, text: str) -> None:
    with pytest.raises(BenchError, match="--threshold takes "):
        wandb_sweeps.setting("threshold", text, distribution)


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("failed", 1), ("oom", 1)])
@pytest.mark.parametrize("command", ["run", "trial"])
def test_an_agents_command_ends_with_a_number_which_wandb_sends_on(
    places: Path, monkeypatch: pytest.MonkeyPatch, command: str, status: str, code: int
) -> None:
    from bench.training import run as training

    line = replace(ok(job())[0], status=status)
    monkeypatch.setattr(wandb_sweeps, "run", lambda *_: [line])
    monkeypatch.setattr(training, "run", lambda *_, **__: ([line], None))
    options = {
        "run": ["--table", "roles-6", "--cell", "xor/lif", "--seed", "0"],
        "trial": ["--task", "xor", "--model", "lif", "--threshold=.5"],
    }[command]
    with pytest.raises(SystemExit) as end:
        cli(["wandb", command, "--budget", "laptop", *options], standalone_mode=False)
    assert end.value.code == code and type(end.value.code) is int


@pytest.mark.parametrize(("runs", "calls"), [(1, 1), (500, 1), (1201, 3), (30_000, 60)])
def test_offline_runs_are_uploaded_each_once_in_commands_of_a_limited_length(
    monkeypatch: pytest.MonkeyPatch, runs: int, calls: int
) -> None:
    folders = [Path(f"/home/{i}") for i in range(runs)]
    uploaded: list[list[str]] = []

    def call(command: list[str], **_: object) -> SimpleNamespace:
        uploaded.append(command[3:])
        return SimpleNamespace(returncode=int(len(uploaded) == 2))

    monkeypatch.setattr(wandb_sweeps, "offline", lambda: folders)
    monkeypatch.setattr("sweeps.wandb_commands.subprocess.run", call)
    with pytest.raises(SystemExit) as end:
        cli(["wandb", "sync"], standalone_mode=False)
    assert [name for part in uploaded for name in part] == list(map(str, folders)) and len(uploaded) == calls
    assert end.value.code == int(calls > 1)


def test_each_card_gets_one_worker(ran: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert CliRunner().invoke(commands.run, ["roles-6", "--column", "XOR", "--budget", "smoke"]).exit_code
    assert ran == [(2, 1)]


def test_a_run_on_the_cpu_shows_no_card_to_its_workers(
    ran: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    CliRunner().invoke(commands.run, ["roles-6", "--column", "XOR", "--budget", "smoke", "--device", "cpu"])
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert ran == [(8, 1)]


def test_a_run_on_a_card_does_not_begin_without_one(ran: list[tuple[int, int]]) -> None:
    refused = CliRunner().invoke(commands.run, ["roles-6", "--budget", "smoke", "--device", "cuda"])
    assert "torch finds no card here" in str(refused.exception)
    assert ran == []
