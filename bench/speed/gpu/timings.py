"""``results/speed-gpu.csv``: times on cards, and the section of ``results/README.md`` on them. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench.speed.gpu import clocks
from bench.speed.gpu.workloads import CARD_WORKLOADS, GRAPH, IMPLEMENTATIONS, SEEDS, SEVERAL_SEEDS, SUITE
from bench.speed.timings import read_times, write_times

COLUMNS = (
    "workload",
    "implementation",
    "median_ms",
    "p10_ms",
    "p90_ms",
    "forward_ms",
    "peak_mb",
    "repeats",
    "ps_per_neuron_step",
    "first_s",
    "bound",
    "copy_gb_s",
    "tflop_s",
    *clocks.COLUMNS,
    "device",
    "driver",
    "cuda",
    "cudnn",
    "torch",
    "triton",
    "date",
    "git_commit",
)
NUMBERS = ("median_ms", "p10_ms", "p90_ms", "forward_ms", "peak_mb", "ps_per_neuron_step", *clocks.COLUMNS)
REMEDY = "take the file back from git, or delete it and measure again: python -m bench gpu speed"


def read() -> list[dict[str, str]]:
    """The rows of the file; none without it. Raises ``BenchError`` for a damaged file."""
    return read_times("speed-gpu.csv", NUMBERS, _header_problem, REMEDY)


def _header_problem(header: list[str]) -> str:
    return "" if tuple(header) == COLUMNS else f"the header is not that of times ({', '.join(COLUMNS[:4])}, …)"


def write(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Replace the rows of the workloads and cards in ``rows``, and give all rows. Raises as ``read``."""
    replaced = {(row["workload"], row["device"]) for row in rows}
    kept = [row for row in read() if (row["workload"], row["device"]) not in replaced]
    merged = [row for row in kept if row["workload"] in CARD_WORKLOADS] + rows
    places = list(CARD_WORKLOADS)
    merged.sort(
        key=lambda row: (
            row["device"],
            places.index(row["workload"]),
            IMPLEMENTATIONS.index(row["implementation"]),
        )
    )
    write_times("speed-gpu.csv", COLUMNS, merged)
    return merged


def markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    """Markdown of the rows of one card: times in ms, and the kernels beside the rest."""
    lines = [
        "| workload | " + " | ".join(f"{name} ms" for name in IMPLEMENTATIONS) + " | kernels, ps a neuron and step "
        f"| fastest peer / kernels | loop / kernels | kernels / floor | {SEEDS} seeds / graph | kernels, memory MB |",
        "| --- |" + " ---: |" * (len(IMPLEMENTATIONS) + 6),
    ]
    by_workload: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        by_workload.setdefault(row["workload"], {})[row["implementation"]] = row
    for workload, implementations in by_workload.items():
        ms = {name: float(row["median_ms"]) for name, row in implementations.items() if row["median_ms"]}
        peers = [ms[name] for name in ms if name not in (*SUITE, "lstm", "floor")]
        kernels = implementations.get("kernels", {})
        cells = [
            *(f"{ms[name]:.3g}" if name in ms else "" for name in IMPLEMENTATIONS),
            kernels.get("ps_per_neuron_step", ""),
            _ratio(min(peers, default=None), ms.get("kernels")),
            _ratio(ms.get("loop"), ms.get("kernels")),
            _ratio(ms.get("kernels"), ms.get("floor")),
            _ratio(ms.get(SEVERAL_SEEDS), ms.get(GRAPH)),
            kernels.get("peak_mb", ""),
        ]
        lines.append(f"| {workload} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ratio(a: float | None, b: float | None) -> str:
    return "" if not a or not b else f"{a / b:.1f}"


def _clocks(known: Mapping[str, str]) -> str:
    if not known["clock_mhz"]:
        return ""
    clock = f"{known['clock_mhz']} MHz (at most {known['max_clock_mhz']})"
    return f" Under load the card ran at {clock} and took {known['power_w']} W."


def section() -> list[str]:
    """Lines of ``results/README.md``; none without a measurement."""
    rows = read()
    lines: list[str] = []
    for device in dict.fromkeys(row["device"] for row in rows):
        of_card = [row for row in rows if row["device"] == device]
        known = {name: ", ".join(sorted({row[name] for row in of_card} - {""})) for name in COLUMNS}
        lines += [
            f"## Speed on {device}",
            "",
            (
                "Median times of whole training steps on this card, in float32. `python -m bench gpu speed` measures"
                " them again; [docs/gpu.md](../docs/gpu.md) says how. [speed-gpu.csv](speed-gpu.csv) has all times."
                f" Driver {known['driver']}, CUDA {known['cuda']}, torch {known['torch']}, Triton {known['triton']},"
                f" {known['date']}, commit {known['git_commit']}."
            ),
            "",
            (
                "*floor* is the longer of two times: the bytes that a step must move, at"
                f" {known['copy_gb_s']} GB/s (a copy, measured in the same call), and its matrix products, at"
                f" {known['tflop_s']} TFLOP/s (a product in float32).{_clocks(known)}"
            ),
            "",
            markdown(of_card),
            "",
        ]
    return lines
