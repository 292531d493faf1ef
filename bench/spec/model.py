"""A row: a neuron variant or baseline with its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Model:
    """A neuron variant or baseline with its settings: a row.

    ``settings`` override the task's neuron settings, which are LIF's: another neuron takes its own defaults and
    ``settings`` alone (and what ``by_task`` has under "neuron"), and a network without neurons ("") none. ``changes``
    replace fields of any task's recipe and ``by_task`` those of the named ones (widths, network, learning rate, …);
    what ``budgets`` says for a reduced budget is the last word. ``sources`` says where all that comes from.
    """

    name: str
    title: str
    neuron: str = "lif"
    settings: Mapping[str, Any] = field(default_factory=dict)
    recurrent: bool = False  # learned recurrence within the hidden layers
    changes: Mapping[str, Any] = field(default_factory=dict)
    by_task: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    budgets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    tuned: str = ""  # name of the model whose search's settings are used (``bench.tuned``)


def tuned(model: Model) -> Model:
    """``model`` with the settings that ``python -m sweeps search`` found for it, task by task."""
    return replace(model, name=f"{model.name}-tuned", title=f"{model.title}, tuned", tuned=model.name)
