"""``bench gpu speed`` times the workloads on a card, and no number enters the results without one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench import paths
from bench.errors import BenchError
from bench.report import index
from bench.speed import implementations as implementations_of_speed
from bench.speed.gpu import clocks, graphed, speed, steps, timings
from bench.speed.gpu.workloads import (
    CARD_WORKLOADS,
    GRAPH,
    GRAPHED,
    IMPLEMENTATIONS,
    PUBLIC,
    SEEDS,
    SEVERAL_SEEDS,
    bytes_moved,
    implementations,
    neuron_steps,
    products,
    tiny,
)
from bench.speed.workloads import Workload
from tests.conftest import bench

CPU = torch.device("cpu")


def row(workload: str, implementation: str, ms: str, device: str = "Card 1") -> dict[str, str]:
    known = {"device": device, "driver": "580.1", "torch": "2.11.0", "triton": "3.6.0", "ps_per_neuron_step": "30.0"}
    return {**dict.fromkeys(timings.COLUMNS, ""), **known, "date": "2026-11-27"} | {
        "workload": workload,
        "implementation": implementation,
        "median_ms": ms,
    }


def test_without_a_measurement_the_results_have_no_section_on_cards(places: Path) -> None:
    assert timings.section() == []
    assert "Speed on" not in index.index([])


def test_times_are_merged_by_workload_and_card_and_shown(places: Path) -> None:
    timings.write([row("lif-seq", "loop", "300"), row("lif-seq", "kernels", "4"), row("xor", "kernels", "0.5")])
    merged = timings.write([row("lif-seq", "kernels", "3"), row("lif-seq", "floor", "2", "Card 2")])
    assert [(r["device"], r["workload"], r["implementation"], r["median_ms"]) for r in merged] == [
        ("Card 1", "lif-seq", "kernels", "3"),
        ("Card 1", "xor", "kernels", "0.5"),
        ("Card 2", "lif-seq", "floor", "2"),
    ]
    text = index.index([])
    assert "## Speed on Card 1" in text and "## Speed on Card 2" in text
    assert "Driver 580.1" in text and "torch 2.11.0" in text


def test_the_report_has_a_page_of_times_on_each_card(places: Path) -> None:
    from bench.report.page import costs

    timings.write([row("lif-seq", "kernels", "3"), row("linear-lif-4096", "kernels", "2", "Card 2")])
    steps_of_training, others = costs.timed()
    assert [(t.name, t.device) for t in steps_of_training] == [("lif-seq", "Card 1"), ("linear-lif-4096", "Card 2")]
    assert others == []


def test_the_table_sets_the_kernels_beside_the_loop_the_fastest_peer_and_the_floor() -> None:
    rows = [
        row("lif-rec", "kernels", "20"),
        row("lif-rec", GRAPH, "16"),
        row("lif-rec", SEVERAL_SEEDS, "24"),
        row("lif-rec", "loop", "400"),
        row("lif-rec", "spikingjelly", "60"),
        row("lif-rec", "snntorch", "500"),
        row("lif-rec", "lstm", "30"),
        row("lif-rec", "floor", "4"),
    ]
    line = timings.markdown(rows).splitlines()[2]
    assert line.startswith("| lif-rec | 20 | 16 | 24 | 400 | 60 | 500 | 30 | 4 | 30.0 | 3.0 | 20.0 | 5.0 | 1.5 |")


def test_a_damaged_file_is_refused(places: Path) -> None:
    timings.write([row("xor", "kernels", "0.5")])
    path = paths.results() / "speed-gpu.csv"
    path.write_text(path.read_text().replace("0.5", "fast"))
    with pytest.raises(BenchError, match="median_ms is 'fast', not a number"):
        timings.read()
    path.write_text("a,b\n")
    with pytest.raises(BenchError, match="header"):
        timings.read()


def test_products_and_bytes_are_those_of_the_layers() -> None:
    work = Workload((10, 20, 30), "lif", steps=4, batch=5, recurrent=(0,))
    assert neuron_steps(work) == 50 * 20
    assert products(work) == 20 * (2 * 2 * 10 * 20 + 3 * 2 * 20 * 20 + 3 * 2 * 20 * 30)
    assert bytes_moved(work) == 4 * (12 * 50 * 20 + 2 * 10 * 20)
    alone = Workload((30, 30), "lif", steps=4, batch=5, projected=False)
    assert (products(alone), bytes_moved(alone)) == (0, 4 * 6 * 30 * 20)


def test_the_floor_is_the_longer_of_moving_and_multiplying() -> None:
    work = Workload((10, 20, 30), "lif", steps=4, batch=5)
    moving = speed.floor(work, bandwidth=1e6, rate=1e15)
    assert moving["bound"] == "memory" and float(moving["median_ms"]) == pytest.approx(
        bytes_moved(work) / 1e3, rel=1e-3
    )
    assert speed.floor(work, bandwidth=1e15, rate=1e6)["bound"] == "products"


def test_recurrent_workloads_have_an_lstm_and_every_implementation_has_a_place() -> None:
    assert "lstm" in implementations("alif-rec") and "lstm" not in implementations("lif-seq")
    assert {name for work in CARD_WORKLOADS for name in implementations(work)} <= set(IMPLEMENTATIONS)
    assert {"linear-lif-4096", "linear-lif-8192", "linear-lif-16384"} == set(PUBLIC)


@pytest.mark.parametrize("name", ["lif-rec", "celif-neurons", "linear-lif-4096"])
def test_a_step_is_taken_and_one_that_fails_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the interpreter the kernels refuse tensors of the CPU: that is the failure. No library is installed."""
    monkeypatch.setattr(steps, "find_spec", lambda name: None)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    lines: list[str] = []
    rows, absent = speed.workload_rows(name, tiny(CARD_WORKLOADS[name]), CPU, 2, float("inf"), lines.append)
    assert [r["implementation"] for r in rows] == [n for n in implementations(name) if n in ("loop", "lstm")]
    assert all(float(r["median_ms"]) > 0 and r["repeats"] == "2" for r in rows)
    assert any(text.startswith("kernels failed (ValueError: the gpu backend needs CUDA tensors") for text in absent)


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "find_spec", lambda name: None)
    with pytest.raises(steps.Missing, match="spikingjelly is not installed"):
        steps.build("spikingjelly", tiny(CARD_WORKLOADS["xor"]), trains=True)


@pytest.fixture
def loop_for_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop in the place of the kernels, which the CPU has in the interpreter only."""
    build = implementations_of_speed.SuiteNetwork
    monkeypatch.setattr(implementations_of_speed, "SuiteNetwork", lambda work, backend: build(work, "loop"))
    using = graphed.scan.using
    monkeypatch.setattr(graphed.scan, "using", lambda backend: using("loop"))


@pytest.mark.parametrize("name", ["celif-seq", "lif-rec"])
def test_a_graph_and_several_seeds_are_timed_as_whole_steps(name: str, loop_for_kernels: None) -> None:
    work = tiny(CARD_WORKLOADS[name])
    for implementation in (GRAPH, SEVERAL_SEEDS):
        assert implementation in implementations(name)
        step = steps.build(implementation, work, trains=True)
        times = steps.timed(step, CPU)
        assert times.forward is None and times.total > 0


def test_a_step_of_several_seeds_trains_each_of_them(loop_for_kernels: None, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = []
    build = graphed.dense
    monkeypatch.setattr(graphed, "dense", lambda work: networks.append(build(work)) or networks[-1])
    work = tiny(CARD_WORKLOADS["lif-rec"])
    step, _ = graphed.several_seeds(work, torch.rand(work.steps, work.batch, 1), torch.zeros(work.batch).long())
    for network in networks:
        network.zero_grad()
    step()
    assert [all(p.grad is not None for p in network.parameters()) for network in networks] == [True] * SEEDS


def test_the_networks_of_several_seeds_are_those_of_the_workload() -> None:
    for name in GRAPHED:
        work = CARD_WORKLOADS[name]
        expected = implementations_of_speed.SuiteNetwork(work, "gpu")
        sizes = sorted(tuple(p.shape) for p in expected.parameters())
        assert sorted(tuple(p.shape) for p in graphed.dense(work).parameters()) == sizes


def test_the_time_of_a_neuron_counts_all_seeds() -> None:
    work = tiny(CARD_WORKLOADS["lif-seq"])
    taken = [steps.Times(None, 10.0, 7.0)]
    alone = speed._row(GRAPH, work, taken, 1.0)
    together = speed._row(SEVERAL_SEEDS, work, taken, 1.0)
    assert float(alone["ps_per_neuron_step"]) == pytest.approx(SEEDS * float(together["ps_per_neuron_step"]), rel=1e-4)
    assert (together["median_ms"], together["forward_ms"]) == ("10.0000", "")


def test_the_clock_of_a_card_is_read_while_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '1755, 1980, [N/A]'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    worked: list[int] = []
    found = clocks.while_busy(lambda: worked.append(1), "GPU-1")
    assert found == {"clock_mhz": "1755", "max_clock_mhz": "1980", "power_w": ""}
    assert worked
    program.unlink()
    assert clocks.read("GPU-1") == dict.fromkeys(clocks.COLUMNS, "")


@pytest.mark.slow
def test_the_command_runs_to_its_end_in_the_interpreter_and_writes_nothing(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    done = bench("gpu", "speed", "--device", "cpu", "--tiny", "--repeat", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line.split(" | ")[0][2:] for line in done.stdout.splitlines() if line.startswith("| ")} >= set(
        CARD_WORKLOADS
    )
    assert not (paths.results() / "speed-gpu.csv").exists()
