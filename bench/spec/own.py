"""What a plug-in declares besides papers, tables, tasks, models and measures, and where all that it declares is from.

An ``Origin`` has the hash of the code behind a name. It enters the version of an experiment, so that a changed equation
makes old results stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bench.errors import BenchError
from bench.spec.model import Model
from bench.spec.table import Cell, Fact, Table
from datamodules.sources import Source

MARK = " (own)"  # ends the name of an own row
NOTE = "own row, from {}: nothing is published"
NO_DIGEST = ""


@dataclass(frozen=True)
class Row:
    """A row of one's own in the existing table or figure ``table``: ``model`` in every column that has a single task
    and measure, or in the ``columns`` that are named. ``title`` is that of the model where it is empty.
    """

    table: str
    model: Model
    title: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSet:
    """A data set of one's own. ``arrays`` is called with the task's data settings and gives, for "train" and "test",
    inputs [samples, steps, channels] and classes [samples] as numpy arrays. Instead of it, ``module`` may name a
    subclass of ``datamodules.base.SequenceData`` as "file:Class", a file of the plug-in's folder.
    """

    source: Source
    arrays: Callable[..., Mapping[str, tuple[Any, Any]]] | None = None
    module: str = ""


@dataclass(frozen=True)
class Origin:
    """Where the plug-ins' ``kind`` ("neuron", "model", …) called ``name`` is from. ``digest`` is the hash of its code;
    empty for plain records, whose values are in the experiment's settings.
    """

    kind: str
    name: str
    file: str
    digest: str = NO_DIGEST


ORIGINS: dict[tuple[str, str], Origin] = {}  # of everything that plug-ins declare, by kind and name
# Of each neuron of a plug-in, what is known of it with given settings: "digest", and the operations "acs" and "macs".
NEURONS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {}


def digest(kind: str, name: str) -> str:
    """Hash of the code of ``name``, empty where no plug-in has declared it."""
    origin = ORIGINS.get((kind, name))
    return origin.digest if origin else NO_DIGEST


def cells(table: Table, row: Row, file: str) -> tuple[Cell, ...]:
    """The cells of ``row``. Raises ``BenchError`` for a column that does not exist, a row that is there already, and a
    table in which a model has no row.
    """
    title = f"{row.title or row.model.title}{MARK}"
    if title in table.rows:
        raise BenchError(f"{table.id} has a row {title!r} already; give this one another title")
    for column in row.columns:
        if column not in table.columns:
            raise BenchError(f"unknown column of {table.id} {column!r}. Known: {', '.join(table.columns)}")
    chosen = [column for column in table.columns if not row.columns or column in row.columns]
    made = [cell for column in chosen if (cell := _cell(table, column, row.model, title, NOTE.format(file)))]
    if not any(cell.runnable for cell in made):
        raise BenchError(f"{table.id} has no rows of models that are trained: nothing can be added to it")
    return tuple(made)


def _cell(table: Table, column: str, model: Model, title: str, note: str) -> Cell | None:
    """``column`` for ``model``, ``None`` where the column's rows differ in task or measure, or have settings alone."""
    above = [cell for cell in table.cells if cell.column == column]
    measured = [cell for cell in above if cell.runnable and cell.task and cell.measure]
    read = {(cell.task.name, cell.measure.name) for cell in measured if cell.task and cell.measure}
    models = {cell.model.name for cell in measured if cell.model}
    if len(read) == 1 and (len(models) > 1 or len(measured) == 1):
        return _own(measured[0], model, title, note)
    facts = [cell for cell in above if cell.fact and cell.task and not cell.fact.of and cell.absent == ""]
    if facts and facts[0].fact and not read:
        return replace(_own(facts[0], model, title, note), fact=Fact(facts[0].fact.name))
    return None


def _own(cell: Cell, model: Model, title: str, note: str) -> Cell:
    return replace(cell, row=title, model=model, published=None, absent="", note=note, fact=None, extra=True, own=True)


def neuron(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """ "digest", "acs" and "macs" of a plug-in's neuron with the entry "neuron" of an experiment's config."""
    return NEURONS[name]({key: value for key, value in settings.items() if key != "name"})


def origins(config: Mapping[str, Any], names: Mapping[str, Iterable[str]]) -> list[Origin]:
    """Where those of ``names`` (by kind) are from that plug-ins have declared. ``config`` is the experiment's."""
    found = [ORIGINS[kind, name] for kind, several in names.items() for name in several if (kind, name) in ORIGINS]
    return [
        replace(origin, digest=neuron(origin.name, config["neuron"])["digest"]) if origin.kind == "neuron" else origin
        for origin in found
    ]


def check_loaded(needed: Iterable[Origin]) -> None:
    """Raise ``BenchError`` for the first of ``needed`` that no plug-in of this process declares."""
    for origin in needed:
        if (origin.kind, origin.name) not in ORIGINS:
            raise BenchError(
                f"{origin.kind} {origin.name} is of the plug-in {origin.file}, which is not loaded here: --plugin PATH"
            )


def check_equal(needed: Iterable[Origin], present: Iterable[Origin]) -> None:
    """Raise ``BenchError`` for the first of ``needed``, what an experiment was queued with, whose code is another one
    among the ``present``.
    """
    by_name = {(origin.kind, origin.name): origin for origin in present}
    for origin in needed:
        loaded = by_name.get((origin.kind, origin.name))
        if loaded is not None and loaded.digest != origin.digest:
            raise BenchError(
                f"{origin.kind} {origin.name}: {loaded.file} has the hash {loaded.digest} here, and the experiment was"
                f" queued with {origin.digest} of {origin.file}: another version of the plug-in"
            )
