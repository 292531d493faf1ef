"""The kernels for the GPU are used where this machine's check of them has passed, and nowhere else."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch

from lightning_modules import scan
from lightning_modules.neurons.lif import LIF
from lightning_modules.scan import outcomes
from lightning_modules.scan.event_input import placeholder

CARD = torch.device("cuda", 0)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A card for all that asks for its name, and a home without outcomes."""
    monkeypatch.setenv("BENCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "Card 1")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (9, 0))
    monkeypatch.setattr(outcomes, "_triton", lambda: "3.6.0")
    scan._cards.clear()
    yield
    scan._cards.clear()


def test_without_a_check_auto_is_the_loop_and_one_warning_names_the_command(
    card: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert [scan._available(CARD) for _ in range(3)] == ["loop"] * 3
    assert len(caplog.records) == 1
    assert "python -m bench gpu check" in caplog.text


def test_after_a_good_check_auto_takes_the_kernels(card: None, caplog: pytest.LogCaptureFixture) -> None:
    outcomes.remember(CARD, True, {"failed": []})
    assert scan._available(CARD) == "gpu"
    assert not caplog.records


def test_a_failed_check_is_named(card: None) -> None:
    outcomes.remember(CARD, False, {"failed": ["lif", "alif, recurrent"]})
    assert "failed for lif, alif, recurrent" in outcomes.problem(CARD)


@pytest.mark.parametrize("changed", ["card", "torch", "triton", "scan"])
def test_another_card_or_version_needs_a_check_of_its_own(
    changed: str, card: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes.remember(CARD, True, {})
    known = outcomes.versions(CARD)
    monkeypatch.setattr(outcomes, "versions", lambda device: known | {changed: "another"})
    assert "not checked" in outcomes.problem(CARD)


def test_a_damaged_outcome_is_none(card: None) -> None:
    outcomes.remember(CARD, True, {}).write_text(json.dumps({"passed": True}))
    assert outcomes.recall(CARD) is None


def test_on_the_cpu_no_check_is_needed() -> None:
    assert scan._available(torch.device("cpu")) == "cpu"


def test_using_decides_what_auto_means() -> None:
    with scan.using("no such backend"), pytest.raises(KeyError), scan.using("loop"):
        assert scan._chosen == ["no such backend", "loop"]
        raise KeyError
    assert scan._chosen == []
    with scan.using("gpu"), pytest.raises(ValueError, match="CUDA"):
        scan.scan(LIF(3), torch.zeros(2, 2, 3))


def test_events_on_a_card_are_not_read_by_the_host() -> None:
    class Events:
        starts = torch.empty(7, dtype=torch.int64, device="meta")  # reading a number of it is an error
        channels = torch.empty(4, dtype=torch.int32, device="meta")
        values = torch.empty(4, device="meta")
        shape = (2, 3, 5)

    assert placeholder(Events()).shape == (2, 3, 5)  # type: ignore[arg-type]
    Events.starts = torch.empty(8, dtype=torch.int64, device="meta")
    with pytest.raises(ValueError, match="7 starts"):
        placeholder(Events())  # type: ignore[arg-type]
