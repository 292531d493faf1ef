"""Data loading is timed on recordings like those of the sets, and its times stay beside the others."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench.speed import data_loading, timings
from bench.speed.workloads import COLUMNS
from datamodules import synthetic
from datamodules.events import Cochlea, Frames, Windows
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("opened", "transform", "events"),
    [
        (synthetic.shd, Cochlea(), 8_000),
        (synthetic.nmnist, Windows(100, 3, 34, False), 4_100),
        (synthetic.dvs_gesture, Frames(16, 128, 4, True), 370_000),
    ],
)
def test_synthetic_recordings_have_the_sets_number_of_events_and_nothing_to_clean(
    opened, transform, events: int
) -> None:
    recordings, report = opened(Path(), "30"), Counter()  # type: ignore[var-annotated]
    counts = [len(recordings[i][0]) for i in range(len(recordings))]
    assert len(recordings) == 30 and abs(np.mean(counts) / events - 1) < 0.25
    again, label = recordings[7]
    assert np.array_equal(again, recordings[7][0]) and label == 7
    for i in range(3):
        transform(recordings[i][0], report)
    assert not any(
        report[k] for k in ("off the sensor", "before time 0", "recordings out of order, sorted", "empty recordings")
    )


@pytest.mark.slow
def test_reading_is_measured_in_both_forms_beside_a_step_of_the_roles_network(places: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "bench.speed.data_loading",
        "nmnist",
        "--share",
        "0.001",
        "--repeat",
        "1",
        "--threads",
        "1",
        "--json",
    ]
    (measured,) = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert (measured["set"], measured["recordings"]) == ("nmnist", 70)
    assert set(measured["ms"]) == {"step", "dense", "events"} and all(
        low <= mid <= high for mid, low, high in measured["ms"].values()
    )
    assert set(data_loading.batch_shares(measured)) == {"dense", "events"} and all(
        share > 0 for share in data_loading.batch_shares(measured).values()
    )
    assert measured["events"] > 70 * 3_000 and measured["training_mb"] > 0 and measured["cache_mb"] > 0
    assert not [p for p in places.iterdir() if "reading" in p.name]


def test_times_of_data_loading_stay_beside_the_others(places: Path) -> None:
    row = dict.fromkeys(COLUMNS, "") | {"peak_mb": "100", "threads": "2"}
    rows = [row | {"workload": "shd", "implementation": "ours", "median_ms": "90.0"}]
    reading = [
        row | {"workload": "shd-reading", "implementation": k, "median_ms": v}
        for k, v in (("step", "100.0"), ("events", "1.50"))
    ]
    timings.write(reading)
    merged = timings.write(rows)
    assert [(r["workload"], r["implementation"]) for r in merged] == [
        ("shd", "ours"),
        ("shd-reading", "step"),
        ("shd-reading", "events"),
    ]
    text = timings.markdown(merged)
    assert "| shd-reading | 100.0 |  |  | 1.5 | 1.5 |" in text and "| shd | 90 |" in text
