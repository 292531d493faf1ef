"""Merges times into ``results/speed.csv`` and shows them as Markdown. Imports no torch."""

from __future__ import annotations

import csv
from typing import Any

from bench import paths
from bench.speed import data_loading, overhead
from bench.speed.peers import PEERS
from bench.speed.workloads import COLUMNS, NAMES, WORKLOADS


def write(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Replace the rows of the workloads in ``rows`` in ``results/speed.csv``, and give all of its rows. Rows of unknown
    workloads are dropped.
    """
    path = paths.results() / "speed.csv"
    present = list(csv.DictReader(path.open())) if path.exists() else []
    replaced = {row["workload"] for row in rows}
    merged = [row for row in present if row["workload"] not in replaced and row["workload"] in NAMES] + rows
    merged.sort(key=lambda row: NAMES.index(row["workload"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(merged)
    return merged


def markdown(rows: list[dict[str, Any]]) -> str:
    """Markdown of ``rows``: training steps compared with the peers, the loop and the floor; data loading; sweeps."""
    sections = [
        _steps_markdown([row for row in rows if row["workload"] in WORKLOADS]),
        data_loading.markdown([row for row in rows if row["workload"] in data_loading.TASK_NAMES]),
        overhead.markdown([row for row in rows if row["workload"] in overhead.IMPLEMENTATIONS]),
    ]
    return "\n\n".join(section for section in sections if section)


def _steps_markdown(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| workload | ours ms | loop ms | spikingjelly ms | snntorch ms | floor ms "
        "| fastest peer / ours | loop / ours | ours / floor | memory / loop |",
        "| --- |" + " ---: |" * 9,
    ]
    for workload in dict.fromkeys(row["workload"] for row in rows):
        by_implementation = {row["implementation"]: row for row in rows if row["workload"] == workload}
        ms = {name: float(row["median_ms"]) for name, row in by_implementation.items() if row["median_ms"]}
        mb = {name: float(row["peak_mb"]) for name, row in by_implementation.items() if row["peak_mb"]}
        fastest_peer = min((ms[peer] for peer in PEERS if peer in ms), default=None)
        cells = [
            *(f"{ms[name]:.0f}" if name in ms else "" for name in ("ours", "loop", *PEERS, "floor")),
            _ratio(fastest_peer, ms.get("ours")),
            _ratio(ms.get("loop"), ms.get("ours")),
            _ratio(ms.get("ours"), ms.get("floor"), 2),
            _ratio(mb.get("ours"), mb.get("loop"), 2),
        ]
        lines.append(f"| {workload} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ratio(a: float | None, b: float | None, digits: int = 1) -> str:
    return "" if not a or not b else f"{a / b:.{digits}f}"
