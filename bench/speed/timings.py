"""Merges times into ``results/speed.csv`` and shows them as Markdown. Imports no torch."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bench import paths
from bench.errors import BenchError
from bench.ledger import csv_files, store
from bench.speed import data_loading, overhead
from bench.speed.peers import PEERS
from bench.speed.workloads import COLUMNS, NAMES, WORKLOADS

REMEDY = "take the file back from git, or delete it and measure again: make speed"
NUMBERS = ("median_ms", "p10_ms", "p90_ms", "peak_mb")


def read() -> list[dict[str, str]]:
    """The rows of ``results/speed.csv``; none without the file. Raises ``BenchError`` for a damaged file."""
    return read_times("speed.csv", NUMBERS, _header_problem, REMEDY)


def read_times(
    name: str, numbers: Iterable[str], header_problem: Callable[[list[str]], str], remedy: str
) -> list[dict[str, str]]:
    """The rows of the file ``name`` of results; none without it.

    Raises ``BenchError`` for a damaged file, and where a cell of ``numbers`` is neither empty nor a number.
    """
    path = paths.present(paths.results() / name)
    if not path.exists():
        return []
    header, texts = csv_files.read(path, header_problem, remedy)
    rows = [dict(zip(header, row, strict=True)) for row in texts]
    for place, row in enumerate(rows, start=2):
        for column in numbers:
            if row[column] and not _is_number(row[column]):
                raise BenchError(f"{path}:{place}: {column} is {row[column]!r}, not a number; {remedy}")
    return rows


def write_times(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace the file ``name`` of results by ``rows``."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    store.write(paths.results() / name, out.getvalue())


def _header_problem(header: list[str]) -> str:
    known = tuple(header[: len(COLUMNS)]) == COLUMNS and len(set(header)) == len(header)
    return "" if known else f"the header is not that of times ({', '.join(COLUMNS[:4])}, …)"


def _is_number(text: str) -> bool:
    """Whether ``text`` is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def write(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Replace the rows of the workloads in ``rows`` in ``results/speed.csv``, and give all of its rows. Rows of unknown
    workloads are dropped. Raises as ``read``.
    """
    replaced = {row["workload"] for row in rows}
    merged = [row for row in read() if row["workload"] not in replaced and row["workload"] in NAMES] + rows
    merged.sort(key=lambda row: NAMES.index(row["workload"]))
    write_times("speed.csv", COLUMNS, merged)
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
