"""Times around an experiment are measured, written and shown."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bench.speed import overhead, timings
from bench.speed.workloads import COLUMNS
from tests.conftest import bench


@pytest.mark.slow
def test_the_time_around_experiments_is_written_beside_the_speed_of_steps(places: Path) -> None:
    (places / "results").mkdir()
    present = dict.fromkeys(COLUMNS, "") | {"workload": "xor", "implementation": "ours", "median_ms": "25.0"}
    timings.write([present])
    done = bench("speed", "tiny-experiments", "--repeat", "1")
    assert done.returncode == 0, done.stderr
    unchanged, computing, around = csv.DictReader((places / "results" / "speed.csv").open())
    assert unchanged == present
    assert (computing["implementation"], around["implementation"]) == ("computing", "around")
    for row in (computing, around):
        assert 0 < float(row["p10_ms"]) <= float(row["median_ms"]) <= float(row["p90_ms"])
        assert row["repeats"] == "2"  # the first of three experiments meets a worker that starts
    assert "A tiny experiment in a running worker" in (places / "results" / "README.md").read_text()
    assert not (places / "home" / "queue.db").exists()  # measured in a home of its own


def test_a_command_that_fails_gives_rows_without_times_and_its_message(
    places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(overhead, "CELLS", ("roles-6", "--column", "nothing"))
    assert [row["median_ms"] for row in overhead.rows("two-workers", 1)] == ["", ""]
    assert "unknown column" in capsys.readouterr().err


def test_the_share_of_time_that_two_workers_take_is_shown() -> None:
    rows = [
        {"workload": "two-workers", "implementation": n, "median_ms": ms}
        for n, ms in (("1 worker", "100000"), ("2 workers", "55000"))
    ]
    assert "100 s with one worker, 55 s with two (55 %)" in overhead.markdown(rows)
    assert overhead.markdown([]) == ""


def test_processor_time_is_refused_for_workloads_of_several_processes(places: Path) -> None:
    done = bench("speed", "two-workers", "--processor-time")
    assert done.returncode == 2
    assert "processor time does not count that" in done.stderr
