"""``results/speed.csv``: what was timed last, kept and shown. No torch."""

from __future__ import annotations

import csv
from typing import Any

from bench import paths
from bench.speed import data_loading, overhead
from bench.speed.workloads import COLUMNS, NAMES, PEERS, WORKLOADS


def write(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merge into ``results/speed.csv`` and give all of its rows."""
    path = paths.results() / "speed.csv"
    old = list(csv.DictReader(path.open())) if path.exists() else []
    new = {row["workload"] for row in rows}
    merged = [row for row in old if row["workload"] not in new and row["workload"] in NAMES] + rows
    merged.sort(key=lambda row: NAMES.index(row["workload"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(merged)
    return merged


def markdown(rows: list[dict[str, Any]]) -> str:
    """Markdown: medians, and how ours compares with the fastest peer, the loop, the floor and the loop's memory; what
    reading and sweeping cost.
    """
    lines = [
        "| workload | ours ms | loop ms | spikingjelly ms | snntorch ms | floor ms "
        "| fastest peer / ours | loop / ours | ours / floor | memory / loop |",
        "| --- |" + " ---: |" * 9,
    ]

    def ratio(a: float | None, b: float | None, digits: int = 1) -> str:
        return "" if not a or not b else f"{a / b:.{digits}f}"

    for name in dict.fromkeys(row["workload"] for row in rows if row["workload"] in WORKLOADS):
        mine = {row["implementation"]: row for row in rows if row["workload"] == name}
        ms = {i: float(row["median_ms"]) for i, row in mine.items() if row["median_ms"]}
        mb = {i: float(row["peak_mb"]) for i, row in mine.items() if row["peak_mb"]}
        peer = min((ms[p] for p in PEERS if p in ms), default=None)
        cells = [f"{ms[i]:.0f}" if i in ms else "" for i in ("ours", "loop", "spikingjelly", "snntorch", "floor")]
        ours = ms.get("ours")
        cells += [
            ratio(peer, ours),
            ratio(ms.get("loop"), ours),
            ratio(ours, ms.get("floor"), 2),
            ratio(mb.get("ours"), mb.get("loop"), 2),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    parts = [(data_loading.SETS, data_loading.table), (overhead.SETS, overhead.table)]
    found = ["\n".join(lines), *(part([row for row in rows if row["workload"] in names]) for names, part in parts)]
    return "\n\n".join(text for text in found if text)
