"""Finds what the papers' folders declare: a folder of this package with a ``paper.py`` is a paper. No torch.

``table_<n>.py`` and ``figure_<n>.py`` hold a ``TABLE``; ``tasks.py`` and ``models.py`` the recipes and the networks
that rows name; ``claims.py`` the ``CLAIMS``.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TypeVar

from bench import papers
from bench.spec.claim import Claim
from bench.spec.model import Model, tuned
from bench.spec.table import Paper, Table
from bench.spec.task import Task


def _modules(prefix: str) -> Iterator[ModuleType]:
    """Modules of all papers whose name starts with ``prefix``."""
    for paper in iter_modules(papers.__path__):
        if paper.ispkg:
            folder = import_module(f"{papers.__name__}.{paper.name}")
            for module in iter_modules(folder.__path__):
                if module.name.startswith(prefix):
                    yield import_module(f"{folder.__name__}.{module.name}")


Kind = TypeVar("Kind")


def _values(prefix: str, kind: type[Kind]) -> list[Kind]:
    """What the modules hold of ``kind``, by itself or in a tuple or dictionary."""
    values: list[Kind] = []
    for module in _modules(prefix):
        for value in vars(module).values():
            items = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
            values += [item for item in items if isinstance(item, kind)]
    return values


def _place(table: Table) -> tuple[str, int, int]:
    paper, *kind, number = table.id.split("-")
    return paper, len(kind), int(number)


PAPERS: dict[str, Paper] = {module.PAPER.id: module.PAPER for module in _modules("paper")}
TABLES: dict[str, Table] = {
    module.TABLE.id: module.TABLE
    for module in sorted([*_modules("table_"), *_modules("figure_")], key=lambda module: _place(module.TABLE))
}
TASKS: dict[str, Task] = {task.name: task for task in _values("tasks", Task)}
MODELS: dict[str, Model] = {model.name: model for model in _values("models", Model)}
CLAIMS: dict[str, tuple[Claim, ...]] = {module.__name__.split(".")[-2]: module.CLAIMS for module in _modules("claims")}


def substitutes(task: Task) -> list[Task]:
    """The recipe of ``task`` on the stand-ins and subsets of its data."""
    return [other for other in TASKS.values() if other.instead_of == task.name]


def find_model(name: str) -> Model:
    """The model ``name``; "<model>-tuned" is that model with what its search found. Raises ``KeyError`` for an unknown
    one.
    """
    base = name.removesuffix("-tuned")
    return MODELS[name] if name == base or name in MODELS else tuned(MODELS[base])
