"""Where a result comes from: commit and environment. No torch: it is told what torch says."""

from __future__ import annotations

import csv
import io
import os
import platform
import re
import subprocess
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench import paths
from bench.errors import BenchError
from bench.ledger import csv_files
from bench.ledger.locks import results_lock
from bench.ledger.store import write
from bench.spec.experiment import canonical_hash

PACKAGES = ("torch", "pytorch-lightning", "tonic", "numpy", "numba", "wandb", "optuna")
# All that environments had at first; their rows and hashes stay as they are.
FIRST_COLUMNS = ["environment", "device", "threads", "deterministic", "python", *PACKAGES]
NUMERICAL_PACKAGES = ("scipy", "scikit-learn", "llvmlite", "triton")
# Of the libraries that compute, as ``bench.training.libraries`` reads them
LIBRARIES = ("instructions", "blas", "onednn", "numpy-blas", "cuda", "cudnn", "cuda-driver")
COLUMNS = [*FIRST_COLUMNS, *NUMERICAL_PACKAGES, "processor", *LIBRARIES]


@cache
def git() -> tuple[str, bool | None]:
    """Commit (12 digits) and whether the code differs from it. Untracked files, and what runs write themselves
    (results, and their counts in README.md), are no code.

    Outside a checkout, in a copy without git's folder, they are those of ``BENCH_COMMIT`` ("commit", or
    "commit+changes"), else ``("", None)``.

    Read once a process, at its start: what is checked out later is not what runs.
    """

    def run(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=paths.ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return run("rev-parse", "--short=12", "HEAD"), bool(
            run("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results", ":!README.md")
        )
    except (OSError, subprocess.CalledProcessError):
        commit, _, changes = os.environ.get("BENCH_COMMIT", "").strip().partition("+")
        return commit, bool(changes) if commit else None


@cache
def _version(package: str) -> str:
    try:
        return version(package).split("+")[0]
    except PackageNotFoundError:
        return ""


@cache
def processor() -> str:
    """Model name of the processor, with family and model number where Linux gives them (virtual machines may shorten
    the name).
    """
    fields: dict[str, str] = {}
    with suppress(OSError):
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
        fields = {name.strip(): value.strip() for name, _, value in (row.partition(":") for row in first.splitlines())}
    numbers = [f"{name} {fields[key]}" for name, key in (("family", "cpu family"), ("model", "model")) if key in fields]
    name = fields.get("model name") or platform.processor() or platform.machine()
    return f"{name} ({', '.join(numbers)})" if numbers else name


@cache
def cuda_driver() -> str:
    """Version of the NVIDIA kernel driver, empty without one."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    match = re.search(r"Kernel Module\b.*?\s(\d+(?:\.\d+)+)", text)
    return match[1] if match else ""


def environment(device: str, threads: int, libraries: Mapping[str, str] | None = None) -> str:
    """Short hash of all ``COLUMNS`` but itself, recorded once in ``results/environments.csv``.

    ``device`` is "cpu" or the GPU's name. ``libraries`` has values for ``LIBRARIES``; one that is missing is empty.
    """
    libraries = libraries or {}
    values = [device, str(threads), "yes", platform.python_version(), *(_version(p) for p in PACKAGES)]
    values += [
        *(_version(p) for p in NUMERICAL_PACKAGES),
        processor(),
        *(libraries.get(name, "") for name in LIBRARIES),
    ]
    key = canonical_hash(values)[:8]
    add([key, *values])
    return key


def add(row: list[str]) -> None:
    """Record an environment, its hash first, where it is not known yet. A row with fewer columns is one of an earlier
    version. Raises ``BenchError`` for a row with more, and as ``rows``.
    """
    if len(row) > len(COLUMNS):
        raise BenchError(
            f"environment {row[0]} has {len(row)} columns where {len(COLUMNS)} are known: a newer version of the suite"
            " made it; update this checkout"
        )
    path = _path()
    with results_lock("environments"):
        recorded = _read()
        if row[0] not in {other[0] for other in recorded}:
            out = io.StringIO()
            csv.writer(out, lineterminator="\n").writerows([COLUMNS, *sorted(_filled([*recorded, row]))])
            write(path, out.getvalue())


def rows(keys: Collection[str], results: Path | None = None) -> list[list[str]]:
    """The environments with the hashes ``keys`` that the ledger in ``results`` has (default: the one in use).

    Columns that an earlier version did not have are empty. Raises ``BenchError`` for a file that is not one of
    environments.
    """
    lower = paths.below() if results is None else None
    known = [*_read(results), *(_read(lower) if lower else [])]
    return [row for row in known if row[0] in keys]


def device_of(key: str) -> str:
    """Device of the recorded environment with the hash ``key``, empty where it is not known. Raises as ``rows``."""
    return next((row[COLUMNS.index("device")] for row in rows([key])), "")


def _path(results: Path | None = None) -> Path:
    return (results or paths.results()) / "environments.csv"


def _filled(rows: Iterable[list[str]]) -> list[list[str]]:
    return [[*row, *[""] * (len(COLUMNS) - len(row))] for row in rows]


def _header_problem(header: list[str]) -> str:
    known = header in (COLUMNS, FIRST_COLUMNS)
    return "" if known else f"the header is not that of environments ({', '.join(COLUMNS[:4])}, …)"


def _read(results: Path | None = None) -> list[list[str]]:
    path = _path(results)
    return _filled(csv_files.read(path, _header_problem)[1]) if path.exists() else []
