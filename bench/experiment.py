"""Tasks, models, experiments, budgets and measures: plain frozen data, no torch."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from bench import tuned
from bench.errors import BenchError, unknown
from datamodules.sources import SOURCES
from lightning_modules.versions import NEURON_VERSIONS, neuron_version

# Fields added after results existed: left out of an experiment's identity while they have their default.
LATER = ("weight_decay", "clip", "network_settings")

BUDGETS = {
    "smoke": "seconds on tiny data; never enters results",
    "laptop": "less training than in the paper",
    "paper": "the paper's own settings",
}
PROTOCOLS = {
    "last": "value after the last epoch",
    "best_test": "best test value over the epochs (the papers' usual way: the test set chooses the epoch)",
    "best_val": "test value at the epoch with the best validation value",
}


def canonical_hash(value: Any) -> str:
    """First 12 hex digits of the sha256 of ``value`` as canonical JSON (sorted keys, no spaces). Plain types only."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Measure:
    """What is read off a trained experiment. ``version`` is raised when what it computes changes; the name says every parameter.

    Without ``reader`` it is the ``key`` of the training history, "max" or "min" being the ``best``. Otherwise ``reader`` names a function
    "module:function" of ``bench.measures`` that reads the kept weights, once for each of ``protocols``, with ``settings``.
    """

    name: str
    unit: str
    title: str
    version: int = 1
    tolerance: float = 1.0  # in units: a measured value this near the published one is "within"
    digits: int = 2  # after the point, in tables
    key: str = "test/accuracy"
    best: str = "max"
    reader: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    protocols: tuple[str, ...] = ("last", "best_test")
    series: bool = True  # a reader's value has a series behind it, which a figure of it needs
    history: bool = False  # its reader looks at the training history alone
    # columns of its series: the mean of the first is its value, the second tells the repeats apart whose spread is an interval
    repeats: tuple[str, str] | None = None

    @property
    def costs_training(self) -> bool:
        """Whether it costs what the training costs, and nothing more."""
        return not self.reader or self.history


@dataclass(frozen=True)
class Task:
    """A data set with its preprocessing, network, loss, optimiser and schedule: a column's recipe.

    ``sources`` says for every field where its value comes from: "paper …", "code …", "search …" or "guess …".
    ``budgets`` holds what a reduced budget replaces. ``version`` is raised when what the recipe's code computes changes.
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
    lr_neuron: float | Mapping[str, float] = 1.0  # factor on the learning rate of the neurons' own parameters, of all or by name
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
        """This recipe at ``budget``. Mappings are merged, other fields replaced. Raises ``BenchError`` for an unknown budget."""
        if budget not in BUDGETS:
            raise unknown("budget", budget, BUDGETS)
        if budget != "paper" and budget not in self.budgets:
            raise BenchError(f"task {self.name} has no {budget} budget; it has: {', '.join(['paper', *self.budgets])}")
        return self.changed(self.budgets.get(budget, {}))

    def changed(self, changes: Mapping[str, Any]) -> Task:
        """This recipe with ``changes``: mappings are merged (an empty one empties), a schedule and other fields replaced."""
        merged: dict[str, Any] = {}
        for name, value in changes.items():
            old = getattr(self, name)
            both = isinstance(value, Mapping) and isinstance(old, Mapping) and bool(value) and name != "schedule"
            merged[name] = {**old, **value} if both else value
        return replace(self, **merged)


@dataclass(frozen=True)
class Model:
    """A neuron variant or baseline with its settings: a row.

    ``settings`` override the task's neuron settings, which are LIF's: another neuron takes its own defaults and ``settings`` alone (and
    what ``by_task`` has under "neuron"), and a network without neurons ("") none. ``changes`` replace fields of any task's recipe and
    ``by_task`` those of the named ones (widths, network, learning rate, …); what ``budgets`` says for a reduced budget is the last word.
    ``sources`` says where all that comes from.
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


@dataclass(frozen=True)
class Experiment:
    """What is trained: task + model + seed + budget. ``overrides`` (from ``--set``) make it exploratory: it never enters a table."""

    task: Task
    model: Model
    seed: int
    budget: str
    overrides: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def recipe(self) -> Task:
        """The task as this model trains it at this budget."""
        model = self.model
        task = self.task.changed(model.changes).changed(model.by_task.get(self.task.name, {})).at(self.budget)
        return task.changed(model.budgets.get(self.budget, {}))

    @property
    def _settings(self) -> dict[str, Any]:
        """Of the model's neuron."""
        return {**self.model.settings, **self.model.by_task.get(self.task.name, {}).get("neuron", {})}

    @cached_property
    def config(self) -> dict[str, Any]:
        """All that decides the weights besides the seed, data and versions, in plain types. Names of rows and tables are not in it."""
        task, model = self.recipe, self.model
        hidden = {"name", "title", "budgets", "sources", "instead_of", "version"}
        hidden |= {name for name in LATER if getattr(task, name) == _DEFAULTS[name]}
        config = {k: v for k, v in asdict(task).items() if k not in hidden}
        config["neuron"] = {"name": model.neuron, **(task.neuron if model.neuron == "lif" else {}), **self._settings}
        config["recurrent"] = self.model.recurrent
        if model.tuned:
            searched = replace(self, model=replace(model, tuned=""), overrides=())
            config["neuron"] |= tuned.settings(model.tuned, task.name, searched.versions)
        for path, value in self.overrides:
            part = config
            *parents, last = path.split(".")
            for key in parents:
                if not isinstance(part.get(key), dict):
                    raise unknown("setting", path, _paths(_DEFAULTS | config))
                part = part[key]
            if last not in part and part is not config["neuron"] and not (part is config and last in _DEFAULTS):
                raise unknown("setting", path, _paths(_DEFAULTS | config))
            present = part.get(last, _DEFAULTS.get(last) if part is config else None)
            part[last] = _allowed(path, present, value)
        return json.loads(json.dumps(config))

    @cached_property
    def sources(self) -> dict[str, str]:
        """Where each entry of ``config`` comes from: the recipe's word, what the row changes, what a reduced budget replaces."""
        task, model = self.task, self.model
        said = dict(task.sources)
        row = {**model.changes, **model.by_task.get(task.name, {})}
        if model.settings or model.neuron != "lif":
            row["neuron"] = {"name": model.neuron, **self._settings}
        if model.recurrent:
            row["recurrent"] = True
        if model.tuned:
            said["neuron"] = f"search: {tuned.path(model.tuned, task.name).name}; {said.get('neuron', '')}"
        for name, value in row.items():
            said[name] = "; ".join(filter(None, [f"row {model.title!r}: {_plain(value)}", model.sources.get(name, ""), said.get(name, "")]))
        if self.budget != "paper":
            full = replace(self, budget="paper").config
            for name in {**task.budgets.get(self.budget, {}), **model.budgets.get(self.budget, {})}:
                if full.get(name) != self.config.get(name):
                    said[name] = f"{self.budget} budget; at paper budget {full.get(name)!r}: {said.get(name, '')}".rstrip(": ")
        for name, _ in self.overrides:
            said[name.split(".")[0]] = "--set: exploratory"
        return {name: said.get(name, "") for name in self.config}

    @cached_property
    def config_hash(self) -> str:
        return canonical_hash(self.config)

    @cached_property
    def data_hash(self) -> str:
        """Of the source files' md5 (or the generator's version) and everything that shapes the data."""
        return canonical_hash([SOURCES[self.config["data"]].identity, self.config["data_settings"]])

    @cached_property
    def versions(self) -> str:
        """Versions of the recipe and of the neurons in it, as ``task=1 lif=1``."""
        neurons = {self.config["neuron"]["name"]} - {""}
        if self.config["readout"] != "spiking":
            neurons.add(self.config["readout"])
        if self.config["network"] in NEURON_VERSIONS:
            neurons.add(self.config["network"])
        return " ".join([f"task={self.task.version}", *(f"{n}={neuron_version(n)}" for n in sorted(neurons))])

    @cached_property
    def id(self) -> str:
        """Hash of all that decides the weights, and of nothing else: the same training under two names is one experiment."""
        return canonical_hash([self.config, self.seed, self.data_hash, self.versions])

    def version(self, measure: Measure) -> str:
        """Everything whose change makes a result stale, readable."""
        return f"{self.versions} {measure.name}={measure.version}"

    def __str__(self) -> str:
        return f"{self.task.name} / {self.model.name} / seed {self.seed} / {self.budget}"


_DEFAULTS = {f.name: f.default if f.default is not MISSING else {} for f in fields(Task) if f.name in LATER}


# What a setting may be, by the type of its present value: the types allowed, and how to say so
KINDS: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
    list: ((list, tuple), "a JSON list"),
    tuple: ((list, tuple), "a JSON list"),
    dict: ((dict,), "a JSON object"),
}


def _allowed(path: str, present: Any, value: Any) -> Any:
    """``value`` for the setting ``path``. Raises ``BenchError`` where it is not of the kind of the ``present`` one, or nothing can be
    trained with it. What the recipe leaves to the neuron's default has no present value: the neuron refuses what it does not know."""
    types, allowed = KINDS.get(type(present), ((), "any finite value"))
    if path == "lr_neuron":
        types, allowed = (int, float, dict), "a number, or a JSON object of numbers by name"
    right = (not types or type(value) in types) and not (isinstance(value, float) and not math.isfinite(value))
    if path in ("epochs", "batch_size"):
        right, allowed = right and value >= 1, "a whole number of 1 or more"
    elif path == "lr":
        right, allowed = right and value > 0, "a number above 0"
    elif path in ("clip", "weight_decay"):
        right, allowed = right and value >= 0, "a number of 0 or more"
    elif path == "data":
        right, allowed = right and value in SOURCES, f"one of {', '.join(SOURCES)}"
    if not right:
        now = "" if present is None else f" (in this recipe {present!r})"
        raise BenchError(f"--set {path} takes {allowed}{now}, got {value!r}")
    return value


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _paths(config: Mapping[str, Any], prefix: str = "") -> list[str]:
    paths: list[str] = []
    for key, value in config.items():
        paths += _paths(value, f"{prefix}{key}.") if isinstance(value, dict) and value else [f"{prefix}{key}"]
    return paths
