"""Where a result comes from: commit and environment."""

from __future__ import annotations

import csv
import io
import platform
import subprocess
from collections.abc import Collection
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench import paths
from bench.ledger.locks import results_lock
from bench.ledger.store import write
from bench.spec.experiment import canonical_hash

PACKAGES = ("torch", "pytorch-lightning", "tonic", "numpy", "numba", "wandb", "optuna")
COLUMNS = ["environment", "device", "threads", "deterministic", "python", *PACKAGES]


@cache
def git() -> tuple[str, bool | None]:
    """Commit (12 digits) and whether the code differs from it; results and untracked files aside. ``("", None)``
    outside a checkout.

    Read once a process, at its start: what is checked out later is not what runs.
    """

    def run(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=paths.ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return run("rev-parse", "--short=12", "HEAD"), bool(
            run("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results")
        )
    except (OSError, subprocess.CalledProcessError):
        return "", None


def _version(package: str) -> str:
    try:
        return version(package).split("+")[0]
    except PackageNotFoundError:
        return ""


def environment(device: str, threads: int) -> str:
    """Short hash of device, threads and versions, recorded once in ``results/environments.csv``."""
    values = [device, str(threads), "yes", platform.python_version(), *(_version(p) for p in PACKAGES)]
    key = canonical_hash(values)[:8]
    add([key, *values])
    return key


def add(row: list[str]) -> None:
    """Record an environment, its hash first, where it is not known yet."""
    path = paths.results() / "environments.csv"
    with results_lock("environments"):
        rows = _rows()
        if row[0] not in {known[0] for known in rows}:
            out = io.StringIO()
            csv.writer(out, lineterminator="\n").writerows([rows[0], *sorted([*rows[1:], row])])
            write(path, out.getvalue())


def rows(keys: Collection[str], results: Path | None = None) -> list[list[str]]:
    """The environments with the hashes ``keys`` that the ledger in ``results`` has (default: the one in use)."""
    return [known for known in _rows(results) if known[0] in keys]


def _rows(results: Path | None = None) -> list[list[str]]:
    path = (results or paths.results()) / "environments.csv"
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8")))) if path.exists() else [COLUMNS]
