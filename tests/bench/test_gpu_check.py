"""``bench gpu check`` compares the kernels for the GPU with the loop, and says what differs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from bench.errors import BenchError
from bench.speed.gpu import cases, check
from lightning_modules import networks
from lightning_modules.neurons import NEURONS
from lightning_modules.scan import outcomes
from tests.conftest import bench


def test_every_neuron_and_every_kind_of_network_has_a_case() -> None:
    named = set(cases.cases(cases.TINY))
    assert set(NEURONS) <= named
    assert {settings["network"] for settings in cases.KINDS.values()} == set(networks.NETWORKS)
    assert {f"network {kind}" for kind in cases.KINDS} <= named


def test_a_differing_spike_a_wrong_gradient_and_a_missing_one_are_seen() -> None:
    x = torch.ones(4, requires_grad=True)
    outputs = {"loop": torch.tensor([0.0, 1.0, torch.nan]), "gpu": torch.tensor([0.0, 0.0, torch.nan])}
    factors = {"loop": 1.0, "gpu": 1.001}
    found = cases.compare(lambda backend: ([outputs[backend]], factors[backend] * x.sum()), [x], 1e-5)
    assert (found.spikes, found.count) == (1, 3)
    assert found.gradient == pytest.approx(1e-3, rel=1e-3)
    assert found.problem == "1 of 3 outputs and states differ; gradients differ by 1.0e-03, 1e-05 is allowed"
    y = torch.ones(1, requires_grad=True)
    missing = cases.compare(lambda backend: ([], x.sum() if backend == "gpu" else (x * y).sum()), [x, y], 1e-5)
    assert missing.gradient == float("inf")
    assert cases.Difference(0, 3, float("nan"), 1e-5).problem  # NaN is no agreement


def test_a_case_that_raises_is_a_failure_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> cases.Difference:
        raise RuntimeError("no kernel image")

    monkeypatch.setattr(cases, "cases", lambda sizes: {"broken": broken})
    assert check.run_case("broken", "cpu", tiny=True).problem.startswith("RuntimeError: no kernel image")
    torch.use_deterministic_algorithms(False)


def test_a_chosen_case_runs_alone_and_is_not_remembered(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_case(name: str, device: str, tiny: bool) -> check.CaseOutcome:
        return check.CaseOutcome(name, "", 0.0, 0.0, 0.0)

    monkeypatch.setattr(check, "run_case", run_case)
    done = check.run(torch.device("cpu"), True, 1, lambda case: None, ["lif, recurrent"])
    assert [case.name for case in done] == ["lif, recurrent"]
    assert outcomes.recall(torch.device("cpu")) is None
    check.run(torch.device("cpu"), True, 1, lambda case: None)
    assert outcomes.recall(torch.device("cpu"))["passed"]  # type: ignore[index]
    with pytest.raises(BenchError, match="unknown case 'liff'"):
        check.run(torch.device("cpu"), True, 1, lambda case: None, ["liff"])


def test_networks_are_built_on_the_host_and_moved_as_in_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn with a generator of the host, such as connections, cannot be drawn on a card."""
    moved = []
    monkeypatch.setattr(cases, "_compare_network", lambda network, x: moved.append((network, x)))
    with torch.device("meta"):
        cases.network_case("lsnn-delays", cases.TINY)
    ((network, x),) = moved
    assert x.is_meta and all(parameter.is_meta for parameter in network.parameters())
    assert network.rewiring.count > 0


def test_a_machine_without_a_card_is_told_how_to_try_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(BenchError, match="TRITON_INTERPRET=1 and --device cpu"):
        check.usable("cuda")
    with pytest.raises(BenchError, match="set TRITON_INTERPRET=1"):
        check.usable("cpu")
    with pytest.raises(BenchError, match="not one of cuda, cpu"):
        check.usable("tpu")


@pytest.mark.slow
def test_the_whole_check_passes_in_the_interpreter_and_is_remembered(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    done = bench("gpu", "check", "--device", "cpu", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["passed"] and answer["device"] == "interpreter"
    assert {case["name"] for case in answer["cases"]} == set(cases.cases(cases.TINY))
    (kept,) = (Path(os.environ["BENCH_HOME"]) / "gpu").glob("check-*.json")
    assert json.loads(kept.read_text())["passed"] is True
