"""``Model``, the recipe of a table row: a neuron variant or a baseline network with its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Model:
    """A neuron variant or a baseline network with its settings: the recipe of a row.

    Later changes replace earlier ones: ``changes`` replace fields of every task's recipe (widths, network, learning
    rate, …), ``by_task`` those of the named tasks, and ``budgets`` those of a reduced budget.

    ``settings`` are those of the neuron; ``by_task`` may change them under "neuron". The task's own neuron settings are
    LIF's and apply to LIF only: another neuron starts from its defaults. A network without neurons has ``neuron=""``.
    ``sources`` says for every changed field where its value comes from, ``departs`` where the row departs from what the
    paper prints, as a task's.
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
    departs: str = ""
    tuned: str = ""  # name of the model whose best settings are used (``bench.spec.best_settings``)


def tuned(model: Model) -> Model:
    """``model`` with the best settings that ``python -m sweeps search`` found, for each task its own."""
    return replace(model, name=f"{model.name}-tuned", title=f"{model.title}, tuned", tuned=model.name)
