"""A column's recipe and the budgets at which it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bench.errors import BenchError, unknown

BUDGETS = {
    "smoke": "seconds on tiny data; never enters results",
    "laptop": "less training than in the paper",
    "paper": "the paper's own settings",
}


@dataclass(frozen=True)
class Task:
    """A data set with its preprocessing, network, loss, optimiser and schedule: a column's recipe.

    ``sources`` says for every field where its value comes from: "paper …", "code …", "search …" or "guess …".
    ``budgets`` holds what a reduced budget replaces. ``version`` is raised when what the recipe's code computes
    changes.
    """

    name: str
    title: str
    data: str  # a key of datamodules.sources.SOURCES
    layers: tuple[int, ...]  # widths from input to output
    data_settings: Mapping[str, Any] = field(default_factory=dict)
    network: str = "dense"
    neuron: Mapping[str, Any] = field(default_factory=dict)  # settings of the hidden neurons
    readout: str = "spiking"  # spiking: the same neuron as the hidden layers; leaky-readout: non-spiking integrator
    init: str = "default"  # weight initialisation: one of lightning_modules.networks.dense.INITS
    loss: str = "mse-rate"  # a key of lightning_modules.objectives.OBJECTIVES
    loss_settings: Mapping[str, Any] = field(default_factory=dict)
    optimiser: str = "adam"
    lr: float = 1e-3
    lr_neuron: float | Mapping[str, float] = (
        1.0  # factor on the learning rate of the neurons' own parameters, of all or by name
    )
    # {} · {"every": epochs, "factor": f} · {"milestones": [epochs], "factor": f} · {"linear": epochs} to 0
    schedule: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 128
    epochs: int = 1
    weight_decay: float = 0.0
    clip: float = 0.0  # largest norm of the gradient, 0: not clipped
    network_settings: Mapping[str, Any] = field(default_factory=dict)
    budgets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    instead_of: str = ""  # the task that this one, on a stand-in, on a subset or easier, takes the place of
    version: int = 1

    def at(self, budget: str) -> Task:
        """This recipe at ``budget``. Mappings are merged, other fields replaced. Raises ``BenchError`` for an unknown
        budget.
        """
        if budget not in BUDGETS:
            raise unknown("budget", budget, BUDGETS)
        if budget != "paper" and budget not in self.budgets:
            raise BenchError(f"task {self.name} has no {budget} budget; it has: {', '.join(['paper', *self.budgets])}")
        return self.changed(self.budgets.get(budget, {}))

    def changed(self, changes: Mapping[str, Any]) -> Task:
        """This recipe with ``changes``: mappings are merged (an empty one empties), a schedule and other fields
        replaced.
        """
        merged: dict[str, Any] = {}
        for name, value in changes.items():
            old = getattr(self, name)
            both = isinstance(value, Mapping) and isinstance(old, Mapping) and bool(value) and name != "schedule"
            merged[name] = {**old, **value} if both else value
        return replace(self, **merged)
