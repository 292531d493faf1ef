"""``Task``, the recipe of a table column, and the budgets at which it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bench.errors import BenchError, unknown

BUDGETS = {
    "smoke": "seconds on tiny data; never enters results",
    "laptop": "less training than in the paper",
    "paper": "the paper's epochs and batch size, the recipe as shown",
}


@dataclass(frozen=True)
class Task:
    """A data set with its preprocessing, network, loss, optimiser and schedule: the recipe of a column.

    ``sources`` says for every field where its value comes from: "paper …", "code …", "search …" or "guess …".
    ``departs`` says in a few words where the recipe has another value than the paper prints, or that it was chosen
    after results were seen. It stands in the place of a verdict and is empty for a recipe with the printed values.
    ``budgets`` holds the fields that a reduced budget replaces. ``version`` is raised when the code behind the recipe
    computes something else.
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
    # factor on the learning rate of the neurons' own parameters: one for all, or one for each name
    lr_neuron: float | Mapping[str, float] = 1.0
    # {} (constant), {"every": epochs, "factor": f}, {"milestones": [epochs], "factor": f}, or {"linear": epochs} and
    # {"cosine": epochs}, which fall to 0
    schedule: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 128
    epochs: int = 1
    weight_decay: float = 0.0  # of all but the neurons' own parameters
    weight_decay_neuron: float = 0.0  # of the neurons' own parameters
    clip: float = 0.0  # largest norm of the gradient; 0 does not clip
    network_settings: Mapping[str, Any] = field(default_factory=dict)
    budgets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    instead_of: str = ""  # name of the task that this one replaces on a stand-in, on a subset or in an easier form
    departs: str = ""
    version: int = 1

    def at(self, budget: str) -> Task:
        """This recipe at ``budget``. Raises ``BenchError`` for an unknown budget and for one that it lacks."""
        if budget not in BUDGETS:
            raise unknown("budget", budget, BUDGETS)
        if budget != "paper" and budget not in self.budgets:
            raise BenchError(f"task {self.name} has no {budget} budget; it has: {', '.join(['paper', *self.budgets])}")
        return self.changed(self.budgets.get(budget, {}))

    def changed(self, changes: Mapping[str, Any]) -> Task:
        """This recipe with ``changes``. A mapping is merged into the present one, an empty mapping and ``schedule``
        replace it, and so do all other values.
        """
        fields: dict[str, Any] = {}
        for name, value in changes.items():
            present = getattr(self, name)
            merges = isinstance(value, Mapping) and isinstance(present, Mapping) and bool(value) and name != "schedule"
            fields[name] = {**present, **value} if merges else value
        return replace(self, **fields)
