"""An experiment: what is trained, and the hashes that identify it. Plain frozen data, no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

from bench.errors import unknown
from bench.spec import best_settings
from bench.spec.measure import Measure
from bench.spec.model import Model
from bench.spec.overrides import allowed
from bench.spec.task import Task
from datamodules.sources import SOURCES
from lightning_modules.versions import NEURON_VERSIONS, neuron_version

# Fields added after results existed: left out of an experiment's identity while they have their default.
LATER = ("weight_decay", "clip", "network_settings")


def canonical_hash(value: Any) -> str:
    """First 12 hex digits of the sha256 of ``value`` as canonical JSON (sorted keys, no spaces). Plain types only."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Experiment:
    """What is trained: task + model + seed + budget. ``overrides`` (from ``--set``) make it exploratory: it never
    enters a table.
    """

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
        """All that decides the weights besides the seed, data and versions, in plain types. Names of rows and tables
        are not in it.
        """
        task, model = self.recipe, self.model
        hidden = {"name", "title", "budgets", "sources", "instead_of", "version"}
        hidden |= {name for name in LATER if getattr(task, name) == _DEFAULTS[name]}
        config = {k: v for k, v in asdict(task).items() if k not in hidden}
        config["neuron"] = {"name": model.neuron, **(task.neuron if model.neuron == "lif" else {}), **self._settings}
        config["recurrent"] = self.model.recurrent
        if model.tuned:
            searched = replace(self, model=replace(model, tuned=""), overrides=())
            config["neuron"] |= best_settings.settings(model.tuned, task.name, searched.versions)
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
            part[last] = allowed(path, present, value)
        return json.loads(json.dumps(config))

    @cached_property
    def sources(self) -> dict[str, str]:
        """Where each entry of ``config`` comes from: the recipe's word, what the row changes, what a reduced budget
        replaces.
        """
        task, model = self.task, self.model
        said = dict(task.sources)
        row = {**model.changes, **model.by_task.get(task.name, {})}
        if model.settings or model.neuron != "lif":
            row["neuron"] = {"name": model.neuron, **self._settings}
        if model.recurrent:
            row["recurrent"] = True
        if model.tuned:
            said["neuron"] = f"search: {best_settings.path(model.tuned, task.name).name}; {said.get('neuron', '')}"
        for name, value in row.items():
            said[name] = "; ".join(
                filter(None, [f"row {model.title!r}: {_plain(value)}", model.sources.get(name, ""), said.get(name, "")])
            )
        if self.budget != "paper":
            full = replace(self, budget="paper").config
            for name in {**task.budgets.get(self.budget, {}), **model.budgets.get(self.budget, {})}:
                if full.get(name) != self.config.get(name):
                    said[name] = (
                        f"{self.budget} budget; at paper budget {full.get(name)!r}: {said.get(name, '')}".rstrip(": ")
                    )
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
        """Hash of all that decides the weights, and of nothing else: the same training under two names is one
        experiment.
        """
        return canonical_hash([self.config, self.seed, self.data_hash, self.versions])

    def version(self, measure: Measure) -> str:
        """Everything whose change makes a result stale, readable."""
        return f"{self.versions} {measure.name}={measure.version}"

    def __str__(self) -> str:
        return f"{self.task.name} / {self.model.name} / seed {self.seed} / {self.budget}"


_DEFAULTS = {f.name: f.default if f.default is not MISSING else {} for f in fields(Task) if f.name in LATER}


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _paths(config: Mapping[str, Any], prefix: str = "") -> list[str]:
    paths: list[str] = []
    for key, value in config.items():
        paths += _paths(value, f"{prefix}{key}.") if isinstance(value, dict) and value else [f"{prefix}{key}"]
    return paths
