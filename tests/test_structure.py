"""Imports go one way: sweeps → bench → lightning_modules, datamodules."""

from __future__ import annotations

import ast

import pytest

from tests.conftest import ROOT

FORBIDDEN = {
    "lightning_modules": {"bench", "sweeps", "datamodules"},
    "datamodules": {"bench", "sweeps", "lightning_modules"},
    "bench": {"sweeps"},
}
COMMAND_LINE = "bench/__main__.py"  # puts the parts together, so it may name them all


@pytest.mark.parametrize("package", FORBIDDEN)
def test_no_module_imports_against_the_direction(package: str) -> None:
    wrong = []
    for path in (ROOT / package).rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = (
                [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) else []
            )
            wrong += [f"{name} imports {m}" for m in modules if m and m.split(".")[0] in FORBIDDEN[package] and name != COMMAND_LINE]
    assert not wrong
