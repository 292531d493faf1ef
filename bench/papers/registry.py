"""Finds and checks what the papers declare: every package in this folder is a paper. Imports no torch.

A paper has a ``paper.py`` with a ``PAPER``. ``table_<n>.py`` and ``figure_<n>.py`` have a ``TABLE``. Modules whose name
starts with ``tasks`` and ``models`` hold the recipes of columns and rows, those whose name starts with ``claims`` have
``CLAIMS``. ``also_published.py`` has ``ALSO_PUBLISHED``, what the paper prints for cells of other papers.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, TypeVar

import datamodules
from bench import papers, paths
from bench.errors import BenchError, unknown
from bench.measures import MEASURES
from bench.spec import neuron_identity, own, plugin_source, plugins
from bench.spec.also_published import AlsoPublished
from bench.spec.claim import Claim
from bench.spec.experiment import canonical_hash
from bench.spec.measure import Measure
from bench.spec.model import Model, tuned
from bench.spec.own import DataSet, Origin, Row
from bench.spec.plugins import Plugin
from bench.spec.table import Cell, Paper, Table
from bench.spec.task import Task
from datamodules.sources import SOURCES

DECLARING = (
    "paper",
    "table_",
    "figure_",
    "tasks",
    "models",
    "claims",
    "also_published",
)  # names of modules start with one of these
Kind = TypeVar("Kind", Paper, Table, Task, Model, Measure, DataSet, Row)


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
    plugged: set[str] = field(default_factory=set)  # modules of the plug-ins that were added

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

    def plug_in(self) -> None:
        """Add what the plug-ins in ``BENCH_PLUGINS`` and of installed packages declare, each plug-in once. Raises
        ``BenchError`` with file and line for one that cannot be imported or breaks a rule.
        """
        for plugin in plugins.named():
            if plugin.name in self.plugged:
                continue
            paths.use_own_results(Path.cwd() if plugin.installed else plugin.place.parent)
            neurons = set(_neurons())
            module = plugins.load(plugin)
            if plugin.is_paper:
                with plugins.reported(plugin.place):
                    self.add_paper(module)
            self._add_own(plugin, module)
            for name in _neurons().keys() - neurons:
                self._add_neuron(name, plugin)
            self.plugged.add(plugin.name)
        tables = dict(sorted(self.tables.items(), key=lambda item: _place(item[1])))
        self.tables.clear()
        self.tables.update(tables)

    def _add_own(self, plugin: Plugin, module: ModuleType) -> None:
        """Add what the ``module`` of a plug-in has by itself, in a tuple or in a dictionary."""
        for paper in _values(module, Paper):
            if self.papers.get(paper.id) is not paper:
                self._add(self.papers, paper.id, paper, module)
                self.claims[paper.id] = ()
        for table in _values(module, Table):
            if self.tables.get(table.id) is not table:
                _check_table_id(table.id, table.paper, module)
                self._add(self.tables, table.id, table, module)
        for task in _values(module, Task):
            self._add(self.tasks, task.name, task, module)
        for model in _values(module, Model):
            self._add(self.models, model.name, model, module)
        for measure in _values(module, Measure):
            self._add_measure(measure, module)
        for data in _values(module, DataSet):
            self._add_data(data, module)
        for row in _values(module, Row):
            self._add_row(row, module)

    def _add_row(self, row: Row, module: ModuleType) -> None:
        where = plugin_source.line_of(module.__name__, row.table)
        self._add(self.models, row.model.name, row.model, module)
        if row.table not in self.tables:
            raise BenchError(f"{where}: {unknown('table', row.table, self.tables, 'python -m bench list')}")
        table = self.tables[row.table]
        try:
            added = own.cells(table, row, plugin_source.FILES[module.__name__].name)
        except BenchError as error:
            raise BenchError(f"{where}: {error}") from None
        self.tables[row.table] = replace(table, cells=(*table.cells, *added))

    def _add_measure(self, measure: Measure, module: ModuleType) -> None:
        if MEASURES.get(measure.name) == measure:
            return  # one of the suite's
        self._add(MEASURES, measure.name, measure, module)
        reader, _, function = measure.reader.partition(":")
        code = plugin_source.definition(reader, function)
        self._note("measure", measure.name, module, canonical_hash(code) if code else "")

    def _add_data(self, data: DataSet, module: ModuleType) -> None:
        name = data.source.name
        where = plugin_source.line_of(module.__name__, name)
        if name in SOURCES:
            raise BenchError(f"{where}: data set {name!r} is there already; each needs a name of its own")
        file, _, kind = data.module.partition(":")
        place = f"{module.__name__}.{file}"
        if data.arrays is not None:
            place = getattr(data.arrays, "__module__", "")
            kind = getattr(data.arrays, "__name__", "")
        code = plugin_source.definition(place, kind)
        if not code:
            raise BenchError(
                f"{where}: data set {name!r} needs arrays=FUNCTION, a function that the plug-in defines, or"
                " module='FILE:CLASS' with a file of its folder"
            )
        datamodules.MODULES[name] = data.arrays or f"{place}:{kind}"
        SOURCES[name] = replace(data.source, code=canonical_hash(code))
        self._note("data set", name, module, SOURCES[name].code)

    def _add_neuron(self, name: str, plugin: Plugin) -> None:
        kind = _neurons()[name]
        module = kind.__module__
        own.NEURONS[name] = partial(neuron_identity.about, name, module, kind.__qualname__)
        file = plugin_source.FILES.get(module, plugin.place)
        own.ORIGINS["neuron", name] = Origin("neuron", name, str(file))

    @staticmethod
    def _note(kind: str, name: str, module: ModuleType, digest: str = "") -> None:
        file = plugin_source.FILES.get(module.__name__)
        if file is not None:
            own.ORIGINS[kind, name] = Origin(kind, name, str(file), digest)

    def _add(self, known: dict[str, Kind], name: str, value: Kind, module: ModuleType) -> None:
        """Add ``value``. A table or paper has its id for itself; a task or model may be found again if it is equal."""
        kind = type(value)
        file = _file(module)
        if name in known and (kind in (Paper, Table, Measure) or known[name] != value):
            other = self.files.get((kind, name), f"bench/{kind.__name__.lower()}s")
            if module.__name__ in plugin_source.FILES:
                file = plugin_source.line_of(module.__name__, name)
            differs = "" if kind in (Paper, Table) else " with other content"
            raise BenchError(
                f"{file}: {kind.__name__.lower()} {name!r} is also declared in {other}{differs}; each needs a name of"
                " its own"
            )
        if name not in known:
            known[name] = value
            self.files[kind, name] = file
            self._note(kind.__name__.lower(), name, module)


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
    known = plugin_source.FILES.get(module.__name__)
    return str(known) if known else module.__name__.replace(".", "/") + ".py"


def _neurons() -> dict[str, type]:
    """The neurons of plug-ins that are registered now; none where nothing has loaded torch for them."""
    base = sys.modules.get("lightning_modules.neurons.base")
    known: dict[str, type] = base.NEURONS if base else {}
    return {name: kind for name, kind in known.items() if not kind.__module__.startswith("lightning_modules.")}


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
    paper = table.paper.id
    *figure, number = table.id.removeprefix(f"{paper}-").split("-")
    return paper, len(figure), int(number)


_REGISTRY = load()
PAPERS = _REGISTRY.papers
TABLES = _REGISTRY.tables
TASKS = _REGISTRY.tasks
MODELS = _REGISTRY.models
CLAIMS = _REGISTRY.claims
ALSO_PUBLISHED = _REGISTRY.also_published


def plug_in(paths_of_plugins: tuple[str, ...] = ()) -> None:
    """Put these files and folders behind ``BENCH_PLUGINS``, and load what is not loaded yet. Raises ``BenchError`` as
    ``Registry.plug_in``.
    """
    global ALSO_PUBLISHED
    plugins.add(paths_of_plugins)
    _REGISTRY.plug_in()
    check_cells(_REGISTRY)
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


plug_in()
