"""Finds and checks what the papers declare: every package in this folder is a paper. Imports no torch.

A paper has a ``paper.py`` with a ``PAPER``. ``table_<n>.py`` and ``figure_<n>.py`` have a ``TABLE``. Modules whose name
starts with ``tasks`` and ``models`` hold the recipes of columns and rows, those whose name starts with ``claims`` have
``CLAIMS``. ``also_published.py`` has ``ALSO_PUBLISHED``, what the paper prints for cells of other papers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, TypeVar

from bench import papers
from bench.errors import BenchError, unknown
from bench.spec.also_published import AlsoPublished
from bench.spec.claim import Claim
from bench.spec.model import Model, tuned
from bench.spec.table import Cell, Paper, Table
from bench.spec.task import Task

DECLARING = (
    "paper",
    "table_",
    "figure_",
    "tasks",
    "models",
    "claims",
    "also_published",
)  # names of modules start with one of these
Kind = TypeVar("Kind", Paper, Table, Task, Model)


@dataclass
class Registry:
    """All papers, tables, tasks and models by id or name, and the claims of each paper by its id."""

    papers: dict[str, Paper] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    claims: dict[str, tuple[Claim, ...]] = field(default_factory=dict)
    also_published: tuple[AlsoPublished, ...] = ()
    files: dict[tuple[type, str], str] = field(default_factory=dict)  # where each of them was declared first

    def add_paper(self, package: ModuleType) -> None:
        """Add all that one paper's folder declares. Raises ``BenchError`` if it breaks a rule."""
        names = [module.name for module in iter_modules(package.__path__) if module.name.startswith(DECLARING)]
        if "paper" not in names:
            folder = _file(package).removesuffix(".py")
            raise BenchError(f"{folder}: the folder of a paper must have a file paper.py, which declares PAPER")
        paper: Paper = self._add_paper_module(import_module(f"{package.__name__}.paper"))
        for name in names:
            module = import_module(f"{package.__name__}.{name}")
            if name.startswith(("table_", "figure_")):
                table: Table = _declared(module, "TABLE", Table)
                _check_table_id(table.id, paper, module)
                self._add(self.tables, table.id, table, module)
            elif name.startswith("tasks"):
                for task in _values(module, Task):
                    self._add(self.tasks, task.name, task, module)
            elif name.startswith("models"):
                for model in _values(module, Model):
                    self._add(self.models, model.name, model, module)
            elif name.startswith("claims"):
                self.claims[paper.id] += _declared(module, "CLAIMS", tuple)
                _check_claim_ids(self.claims[paper.id], paper, module)
            elif name == "also_published":
                self.also_published += _declared(module, "ALSO_PUBLISHED", tuple)

    def _add_paper_module(self, module: ModuleType) -> Paper:
        paper: Paper = _declared(module, "PAPER", Paper)
        self._add(self.papers, paper.id, paper, module)
        self.claims[paper.id] = ()
        return paper

    def _add(self, known: dict[str, Kind], name: str, value: Kind, module: ModuleType) -> None:
        """Add ``value``. A table or paper has its id for itself; a task or model may be found again if it is equal."""
        kind = type(value)
        file = _file(module)
        if name in known and (kind in (Paper, Table) or known[name] != value):
            other = self.files[kind, name]
            differs = "" if kind in (Paper, Table) else " with other content"
            raise BenchError(
                f"{file}: {kind.__name__.lower()} {name!r} is also declared in {other}{differs}; each needs a name of"
                " its own"
            )
        known.setdefault(name, value)
        self.files.setdefault((kind, name), file)


def load() -> Registry:
    """Import and check the packages in ``bench.papers.__path__``. Raises ``BenchError`` where one breaks a rule."""
    registry = Registry()
    for paper in iter_modules(papers.__path__, f"{papers.__name__}."):
        if paper.ispkg:
            registry.add_paper(import_module(paper.name))
    registry.tables = dict(sorted(registry.tables.items(), key=lambda item: _place(item[1])))
    check_cells(registry)
    return registry


def _file(module: ModuleType) -> str:
    return module.__name__.replace(".", "/") + ".py"


def _declared(module: ModuleType, name: str, kind: type) -> Any:
    """The ``name`` that ``module`` must declare. Raises ``BenchError`` if it is missing or not a ``kind``."""
    value = getattr(module, name, None)
    if not isinstance(value, kind):
        raise BenchError(f"{_file(module)}: the file must declare {name}, a {kind.__name__}")
    return value


def _check_table_id(table_id: str, paper: Paper, module: ModuleType) -> None:
    """Raise ``BenchError`` if a table's id does not consist of its paper's id and a number."""
    if not re.fullmatch(rf"{re.escape(paper.id)}(-fig)?-\d+", table_id):
        allowed = f"{paper.id}-NUMBER or {paper.id}-fig-NUMBER"
        raise BenchError(f"{_file(module)}: the id {table_id!r} must be {allowed}, after the paper's id")


def _check_claim_ids(claims: tuple[Claim, ...], paper: Paper, module: ModuleType) -> None:
    """Raise ``BenchError`` if a claim's id does not start with its paper's id, or if two claims have one id."""
    ids: set[str] = set()
    for claim in claims:
        if not claim.id.startswith(f"{paper.id}-"):
            raise BenchError(f"{_file(module)}: the id {claim.id!r} must start with {paper.id}-")
        if claim.id in ids:
            raise BenchError(f"{_file(module)}: two claims have the id {claim.id!r}; each needs an id of its own")
        ids.add(claim.id)


def check_cells(registry: Registry) -> None:
    """Raise ``BenchError`` if a value of ``also_published`` is for a cell that no table has."""
    for value in registry.also_published:
        try:
            if value.table not in registry.tables:
                raise unknown("table", value.table, registry.tables)
            registry.tables[value.table].cell(value.row, value.column)
        except BenchError as error:
            raise BenchError(f"bench/papers/{value.paper.id}/also_published.py: {error}") from None


def _values(module: ModuleType, kind: type[Kind]) -> Iterator[Kind]:
    """The values of ``kind`` in ``module``, by themselves or in a tuple or dictionary."""
    for value in vars(module).values():
        if isinstance(value, dict):
            value = tuple(value.values())
        yield from (item for item in (value if isinstance(value, tuple) else (value,)) if isinstance(item, kind))


def _place(table: Table) -> tuple[str, int, int]:
    """Sort key: by paper, tables before figures, by number."""
    paper, *figure, number = table.id.split("-")
    return paper, len(figure), int(number)


_REGISTRY = load()
PAPERS = _REGISTRY.papers
TABLES = _REGISTRY.tables
TASKS = _REGISTRY.tasks
MODELS = _REGISTRY.models
CLAIMS = _REGISTRY.claims
ALSO_PUBLISHED = _REGISTRY.also_published


def substitutes(task: Task) -> list[Task]:
    """The recipes of ``task`` on stand-ins and subsets of its data."""
    return [other for other in TASKS.values() if other.instead_of == task.name]


def also_published(table: Table, cell: Cell) -> tuple[AlsoPublished, ...]:
    """What other papers print for ``cell`` of ``table``."""
    return tuple(value for value in ALSO_PUBLISHED if value.is_of(table, cell))


def find_model(name: str) -> Model:
    """The model ``name``; "<model>-tuned" is one with its best settings. Raises ``KeyError`` for an unknown name."""
    base = name.removesuffix("-tuned")
    return MODELS[name] if name == base or name in MODELS else tuned(MODELS[base])
