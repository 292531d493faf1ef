"""One colour, marker and line style a model, the same in every figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import count
from typing import Any, NamedTuple

from bench.papers.registry import TABLES
from bench.report.figures.style import COLOURS, LINES, MARKERS
from bench.spec.model import Model
from bench.spec.table import Table

SIZES = ("steps",)  # neuron settings that only say how long the sequence is


class Variant(NamedTuple):
    """What figures tell models apart by: the neuron and its settings, or the cell of an RNN, and the recurrence.

    ``model`` is the model's name where one figure draws several models that are otherwise equal.
    """

    unit: str
    settings: tuple[tuple[str, str], ...]
    recurrent: bool
    model: str = ""


BASELINE = Variant("lif", (), False)


def variant(model: Model) -> Variant:
    cell = model.changes.get("network_settings", {}).get("cell", "")
    settings = sorted((name, str(value)) for name, value in model.settings.items() if name not in SIZES)
    return Variant(model.neuron or cell or model.changes.get("network", ""), tuple(settings), model.recurrent)


def drawn_models(table: Table) -> list[Model]:
    """The models of a figure in the order of its cells, each once."""
    return list({cell.model.name: cell.model for cell in table.cells if cell.model}.values())


class ModelStyles:
    """The styles of all models that the figures among ``tables`` draw.

    The first ten models of a paper differ in colour, and all in marker or colour. A model that two papers draw looks
    the same in both.
    """

    def __init__(self, tables: Iterable[Table]) -> None:
        figures = [table for table in tables if table.draw]
        self._first_models: dict[Variant, str] = {}  # of each variant of which one figure draws several models
        for table in figures:
            models = drawn_models(table)
            numbers = Counter(map(variant, models))
            for model in models:
                if numbers[variant(model)] > 1:
                    self._first_models.setdefault(variant(model), model.name)
        papers: dict[str, list[Variant]] = {}
        for table in figures:
            papers.setdefault(table.paper.id, []).extend(map(self._key, drawn_models(table)))
        self._places = {BASELINE: 0}
        for key in (key for keys in papers.values() for key in keys):
            neighbours = {other for keys in papers.values() if key in keys for other in keys}
            taken = {0} | {place for other, place in self._places.items() if other in neighbours}
            self._places.setdefault(key, next(place for place in count() if place not in taken))

    def _key(self, model: Model) -> Variant:
        first = self._first_models.get(variant(model), model.name)
        return variant(model) if model.name == first else variant(model)._replace(model=model.name)

    def style(self, model: Model) -> dict[str, Any]:
        """Colour, marker and line style as matplotlib names them. Raises ``KeyError`` for a model of no figure."""
        place = self._places[self._key(model)]
        return {
            "color": COLOURS[place % len(COLOURS)],
            "marker": MARKERS[(place + place // len(COLOURS)) % len(MARKERS)],
            "linestyle": LINES[place % len(LINES)],
        }


def model_style(model: Model) -> dict[str, Any]:
    """Colour, marker and line style of ``model`` in every figure of every paper."""
    return ModelStyles(TABLES.values()).style(model)
