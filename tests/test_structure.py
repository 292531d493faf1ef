"""Imports go one way, sweeps → bench → lightning_modules, datamodules, and never in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("bench", "datamodules", "lightning_modules", "sweeps")
FORBIDDEN = {
    "lightning_modules": {"bench", "sweeps", "datamodules"},
    "datamodules": {"bench", "sweeps", "lightning_modules"},
    "bench": {"sweeps"},
}
# Rooms of bench and what each may import of it, beside errors and paths
ROOMS = {
    "spec": {"spec"},
    "ledger": {"spec", "ledger"},
    "training": {"spec", "ledger", "training"},
    "measures": {"spec", "training", "measures"},
    "papers": {"spec", "measures", "papers"},
}
MOST_ENTRIES = 14  # at the top of bench


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def files() -> dict[str, Path]:
    """Module name -> file, of all packages."""
    return {module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def targets(name: str, source: str, known: frozenset[str]) -> Iterator[str]:
    """What module ``name`` imports, within functions too: of the ``known`` modules their names, else as written."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{name}: imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


@cache
def imports() -> dict[str, tuple[str, ...]]:
    """Module -> the modules that it imports."""
    known = frozenset(files())
    return {name: tuple(targets(name, path.read_text(encoding="utf-8"), known)) for name, path in files().items()}


def circle(graph: dict[str, tuple[str, ...]]) -> list[str]:
    """The modules of one circle, the first again at its end; empty without one."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_module_imports_another_that_imports_it() -> None:
    assert " ← ".join(circle(imports())) == ""


def test_a_circle_is_found_and_named() -> None:
    graph = {"a": ("b",), "b": ("c", "d"), "c": (), "d": ("e",), "e": ("b",)}
    assert circle(graph) in (
        ["b", "e", "d", "b"],
        ["e", "d", "b", "e"],
        ["d", "b", "e", "d"],
    )  # who is imported comes first
    assert circle(graph | {"e": ("c",)}) == []


@pytest.mark.parametrize("package", FORBIDDEN)
def test_no_module_imports_against_the_direction(package: str) -> None:
    wrong = [
        f"{name} imports {target}"
        for name, found in imports().items()
        for target in found
        if name.split(".")[0] == package and target.split(".")[0] in FORBIDDEN[package]
    ]
    assert wrong == []


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_of_bench_import_what_lies_below_them(room: str) -> None:
    allowed = ROOMS[room] | {"errors", "paths"}
    wrong = [
        f"{name} imports {target}"
        for name, found in imports().items()
        for target in found
        if name.split(".")[:2] == ["bench", room]
        and target.startswith("bench.")
        and target.split(".")[1] not in allowed
    ]
    assert wrong == []


def test_nothing_outside_the_papers_knows_one_by_name() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, found in imports().items()
        for target in found
        if target.startswith("bench.papers.")
        and target != "bench.papers.registry"
        and not name.startswith("bench.papers.")
    ]
    assert wrong == []


def test_the_top_of_bench_has_few_rooms() -> None:
    entries = [path.name for path in (ROOT / "bench").iterdir() if path.name != "__pycache__"]
    assert len(entries) <= MOST_ENTRIES, sorted(entries)


@pytest.mark.parametrize("folder", [*PACKAGES, "tests"])
def test_no_file_is_longer_than_400_lines(folder: str) -> None:
    long = {
        path.name: n
        for path in (ROOT / folder).rglob("*.py")
        if (n := path.read_text(encoding="utf-8").count("\n")) > 400
    }
    assert long == {}
