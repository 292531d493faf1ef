"""Whether W&B tracks is decided once, within a short time, and a wrong setting never costs a training."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.training import wandb_mode
from bench.training.wandb_mode import decide, settle

KEY = 40 * "a"
VARIABLES = ("BENCH_WANDB", "WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT", "WANDB_BASE_URL", "WANDB_SWEEP_ID", "NETRC")


@pytest.fixture(autouse=True)
def fresh(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account of the test's own, without a key or a setting."""
    monkeypatch.setenv("HOME", str(places))
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that what a test's code sets is taken back
        monkeypatch.delenv(name)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the service was asked, which knows everybody."""
    calls: list[int] = []
    monkeypatch.setattr(wandb_mode, "_ask", lambda: calls.append(1) or {"user": "ada"})
    return calls


class Service(BaseHTTPRequestHandler):
    """Answers the question who the key belongs to."""

    user: str | None = "ada"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"] or 0))
        viewer = self.user and {
            "id": "1", "entity": "team", "username": self.user, "name": "A", "email": "", "flags": "{}", "admin": False,
            "deletedAt": None, "teams": {"edges": []}, "apiKeys": {"edges": []},
        }  # fmt: skip
        body = json.dumps({"data": {"viewer": viewer}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Service]]:
    handler = type("Answers", (Service,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}")
    yield handler
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("variable", "value", "mode"),
    [
        ("BENCH_WANDB", "off", "disabled"),
        ("BENCH_WANDB", "offline", "offline"),
        ("BENCH_WANDB", "online", "online"),
        ("WANDB_MODE", "disabled", "disabled"),
        ("WANDB_MODE", "dryrun", "offline"),
        ("WANDB_MODE", "online", "online"),
        ("WANDB_API_KEY", KEY, "online"),
        ("WANDB_SILENT", "", "offline"),
    ],
)
def test_one_line_says_whether_runs_are_tracked_and_the_processes_that_are_started_inherit_it(
    monkeypatch: pytest.MonkeyPatch, asked: list[int], variable: str, value: str, mode: str
) -> None:
    monkeypatch.setenv(variable, value)
    line = settle()
    assert line.startswith("W&B: ") and "\n" not in line
    assert ("online as ada" in line) is (mode == "online")
    assert os.environ["WANDB_MODE"] == mode == wandb_mode.mode()
    assert len(asked) == (mode == "online")  # nobody asks a second time


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("WANDB_MODE", "ofline", "'ofline'"),
        ("BENCH_WANDB", "maybe", "'maybe'"),
        ("WANDB_PROJECT", "team/snn", "WANDB_ENTITY"),
        ("WANDB_PROJECT", "50%", "50%"),
        ("WANDB_PROJECT", 129 * "p", "129 characters"),
    ],
)
def test_a_wrong_setting_is_named_and_makes_the_run_an_offline_one(
    monkeypatch: pytest.MonkeyPatch, asked: list[int], variable: str, value: str, named: str
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv(variable, value)
    assert named in settle()
    assert os.environ["WANDB_MODE"] == "offline" and not asked
    assert os.environ.get("WANDB_PROJECT", "") == ""  # W&B itself would refuse it, offline too


@pytest.mark.parametrize("file", [".netrc", "_netrc"])
def test_a_login_of_wandb_is_found(places: Path, asked: list[int], file: str) -> None:
    (places / file).write_text(f"machine api.wandb.ai login user password {KEY}\n")
    assert decide().mode == "online" and asked


def test_an_agent_of_a_sweep_is_online_without_a_question(monkeypatch: pytest.MonkeyPatch, asked: list[int]) -> None:
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep")
    assert wandb_mode.mode() == "online" and not asked


def test_the_service_is_asked_who_the_key_belongs_to(
    service: type[Service], places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert decide().line == f"W&B: online as ada, project {wandb_mode.PROJECT}"
    service.user = None  # a key that the service does not know
    refused = decide()
    assert refused.mode == "offline" and "(" in refused.line and KEY not in refused.line


def test_a_service_that_is_away_costs_seconds_and_the_run_is_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with socket.socket() as silent:  # takes connections and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(wandb_mode, "LIMIT_S", 2)
        started = time.monotonic()
        decision = decide()
    assert time.monotonic() - started < 10
    assert decision.mode == "offline" and "did not answer within 2 s" in decision.line


@pytest.mark.parametrize("content", ["machine", "\x00", "machine api.wandb.ai login user password short"])
def test_an_unreadable_login_makes_the_run_an_offline_one(
    places: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    (places / ".netrc").write_text(content)
    decision = decide()
    assert decision.mode == "offline" and "\n" not in decision.line
