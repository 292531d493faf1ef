"""``Experiment``, what is trained, with the hashes that identify it. Plain frozen data; imports no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

from bench.spec import best_settings, own
from bench.spec.measure import Measure
from bench.spec.model import Model
from bench.spec.overrides import override
from bench.spec.task import Task
from datamodules.sources import SOURCES
from lightning_modules.versions import NEURON_VERSIONS, neuron_version

# Fields of Task that were added when results existed already. While they have their default they are left out of the
# configuration, so that the ids of older experiments stay valid.
ADDED_LATER = ("weight_decay", "weight_decay_neuron", "clip", "network_settings")
DEFAULTS = {f.name: f.default if f.default is not MISSING else {} for f in fields(Task) if f.name in ADDED_LATER}
# Fields of Task that decide no weights.
NOT_IN_CONFIG = ("name", "title", "budgets", "sources", "instead_of", "departs", "version")


def canonical_hash(value: Any) -> str:
    """First 12 hex digits of the sha256 of ``value`` as canonical JSON (sorted keys, no spaces). Plain types only."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Experiment:
    """What is trained: task, model, seed and budget. ``overrides`` (``--set``) make it exploratory: it never enters a
    table.
    """

    task: Task
    model: Model
    seed: int
    budget: str
    overrides: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def recipe(self) -> Task:
        """The task as this model trains it at this budget. Raises ``BenchError`` for a budget that it lacks."""
        task = self.task.changed(self.model.changes).changed(self._by_task).at(self.budget)
        return task.changed(self.model.budgets.get(self.budget, {}))

    @property
    def _by_task(self) -> Mapping[str, Any]:
        """The model's changes for this task."""
        return self.model.by_task.get(self.task.name, {})

    @property
    def _neuron_settings(self) -> dict[str, Any]:
        """The model's neuron settings on this task."""
        return {**self.model.settings, **self._by_task.get("neuron", {})}

    @cached_property
    def config(self) -> dict[str, Any]:
        """All that decides the weights besides the seed, data and versions, in plain types. It holds no names of rows
        or tables. Raises ``BenchError`` for an override that is not allowed.
        """
        task = self.recipe
        model = self.model
        absent = {*NOT_IN_CONFIG, *(name for name, default in DEFAULTS.items() if getattr(task, name) == default)}
        config = {name: value for name, value in asdict(task).items() if name not in absent}
        task_neuron = task.neuron if model.neuron == "lif" else {}
        config["neuron"] = {"name": model.neuron, **task_neuron, **self._neuron_settings}
        config["recurrent"] = model.recurrent
        if model.tuned:
            searched = replace(self, model=replace(model, tuned=""), overrides=())
            config["neuron"] |= best_settings.settings(model.tuned, task.name, searched.versions)
        for path, value in self.overrides:
            override(config, path, value, DEFAULTS)
        return json.loads(json.dumps(config))

    @cached_property
    def sources(self) -> dict[str, str]:
        """Where each entry of ``config`` comes from: the recipe's source, and before it the row, the reduced budget or
        ``--set`` where they replace its value.
        """
        sources = dict(self.task.sources)
        if self.model.tuned:
            file = best_settings.path(self.model.tuned, self.task.name)
            sources["neuron"] = f"search: {file.name}; {sources.get('neuron', '')}"
        for name, value in self._row_changes.items():
            row = f"row {self.model.title!r}: {_plain(value)}"
            sources[name] = "; ".join(filter(None, [row, self.model.sources.get(name, ""), sources.get(name, "")]))
        for name, value in self._paper_values.items():
            reduced = f"{self.budget} budget; at paper budget {value!r}: {sources.get(name, '')}"
            sources[name] = reduced.rstrip(": ")
        for path, _ in self.overrides:
            sources[path.split(".")[0]] = "--set: exploratory"
        return {name: sources.get(name, "") for name in self.config}

    @property
    def departs(self) -> str:
        """Where task and model depart from what the paper prints; empty where they do not."""
        return "; ".join(filter(None, [self.task.departs, self.model.departs]))

    @property
    def _row_changes(self) -> dict[str, Any]:
        """Entries of ``config`` that the model sets."""
        changes = {**self.model.changes, **self._by_task}
        if self.model.settings or self.model.neuron != "lif":
            changes["neuron"] = {"name": self.model.neuron, **self._neuron_settings}
        if self.model.recurrent:
            changes["recurrent"] = True
        return changes

    @property
    def _paper_values(self) -> dict[str, Any]:
        """The paper budget's values of the entries of ``config`` that a reduced budget replaces."""
        if self.budget == "paper":
            return {}
        paper = replace(self, budget="paper").config
        names = {**self.task.budgets.get(self.budget, {}), **self.model.budgets.get(self.budget, {})}
        return {name: paper.get(name) for name in names if paper.get(name) != self.config.get(name)}

    def at_largest_budget(self) -> Experiment:
        """This experiment at paper budget where a reduced budget changes nothing, else itself."""
        if self.budget == "paper" or self.overrides:
            return self
        paper = replace(self, budget="paper")
        return paper if paper.config == self.config else self

    @property
    def form(self) -> dict[str, Any]:
        """``config`` without the floating-point numbers among the neuron's settings, such as a leak. Trainings of one
        form can share launches on a card.
        """
        neuron = {name: None if isinstance(v, float) else v for name, v in self.config["neuron"].items()}
        return {**self.config, "neuron": neuron}

    @cached_property
    def config_hash(self) -> str:
        """Hash of ``config``."""
        return canonical_hash(self.config)

    @cached_property
    def data_hash(self) -> str:
        """Hash of the source files' md5 (or the generator's version) and of the data settings."""
        return canonical_hash([SOURCES[self.config["data"]].identity, self.config["data_settings"]])

    @cached_property
    def versions(self) -> str:
        """Versions of the recipe and of the neurons in it, as ``task=1 lif=1``. Readouts and networks with a version of
        their own count as neurons.
        """
        neurons = {self.config["neuron"]["name"]} - {""}
        if self.config["readout"] != "spiking":
            neurons.add(self.config["readout"])
        if self.config["network"] in NEURON_VERSIONS:
            neurons.add(self.config["network"])
        return " ".join([f"task={self.task.version}", *(f"{n}={self._neuron_version(n)}" for n in sorted(neurons))])

    def _neuron_version(self, name: str) -> int | str:
        """A number; of a plug-in's neuron a hash of its traced step."""
        if name not in own.NEURONS:
            return neuron_version(name)
        settings = self.config["neuron"] if name == self.config["neuron"]["name"] else {}
        return str(own.neuron(name, settings)["digest"])

    def origins(self, measures: Iterable[Measure]) -> list[own.Origin]:
        """Where all of it is from that plug-ins have declared, and those of ``measures``."""
        names = {
            "task": [self.task.name],
            "model": [self.model.name],
            "neuron": [self.config["neuron"]["name"]],
            "data set": [self.config["data"]],
            "measure": [measure.name for measure in measures],
        }
        return own.origins(self.config, names)

    @cached_property
    def id(self) -> str:
        """Hash of all that decides the weights and of nothing else. The same training under two names has one id."""
        return canonical_hash([self.config, self.seed, self.data_hash, self.versions])

    def version(self, measure: Measure) -> str:
        """The versions that a result of ``measure`` depends on, readable. Another version makes the result stale."""
        code = own.digest("measure", measure.name)
        return f"{self.versions} {measure.name}={measure.version}{f'-{code}' if code else ''}"

    def __str__(self) -> str:
        return f"{self.task.name} / {self.model.name} / seed {self.seed} / {self.budget}"


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
