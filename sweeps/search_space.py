"""What a search varies: the search space of the neuron, and settings that its command names."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from bench.errors import BenchError, unknown
from bench.papers.registry import MODELS, TASKS
from bench.spec.experiment import DEFAULTS, Experiment
from bench.spec.model import Model
from bench.spec.overrides import SYNONYMS, parsed
from bench.spec.task import BUDGETS, Task

VALIDATION_SHARE = 0.1  # of the training samples, set aside to choose on
FORM = "--param takes NAME=LOW..HIGH, NAME=LOW..HIGH:log or NAME=A,B,C"


def space(model: Model, task: Task) -> dict[str, BaseDistribution]:
    """Distributions of the neuron's own search space, without what the row fixes and a leak that is learnt on ``task``.

    Raises ``BenchError`` where it has none.
    """
    from lightning_modules.neurons import NEURONS  # loads torch

    declared = NEURONS[model.neuron].search_space if model.neuron in NEURONS else {}
    if not declared:
        having = ", ".join(
            sorted(m.name for m in MODELS.values() if m.neuron in NEURONS and NEURONS[m.neuron].search_space)
        )
        raise BenchError(
            f"model {model.name} (neuron {model.neuron or 'none'}) has no search space; those that have: {having}"
        )
    learnt = Experiment(task, model, 0, "paper").config["neuron"].get("learn_leak")
    fixed = {*model.settings, *(("leak",) if learnt else ())}
    return {name: _distribution(*kind) for name, kind in declared.items() if name not in fixed}


def _distribution(kind: str, *values: Any) -> BaseDistribution:
    if kind == "categorical":
        return CategoricalDistribution(values)
    low, high, *more = values
    return (IntDistribution if kind == "int" else FloatDistribution)(low, high, log="log" in more)


def suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, distribution.low, distribution.high, log=distribution.log)
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    try:
        create_trial(state=TrialState.WAITING, params={"value": value}, distributions={"value": distribution})
    except ValueError:
        return False
    return True


def is_recipe_field(name: str, config: dict[str, Any]) -> bool:
    """Whether ``name`` belongs to the recipe; other names are fields of the neuron."""
    first = name.partition(".")[0]
    return first != "neuron" and (first in config or first in DEFAULTS or name in SYNONYMS)


def _override(name: str, value: Any, config: dict[str, Any]) -> tuple[str, Any]:
    """The override that gives the setting ``name`` this ``value``; a list is JSON text in a trial."""
    plain = json.loads(value) if isinstance(value, str) and value.startswith(("[", "{")) else value
    return name if is_recipe_field(name, config) else f"neuron.{name}", plain


def experiment(task: Task, model: Model, budget: str, settings: dict[str, Any], seed: int = 0) -> Experiment:
    """A training of one trial: part of the training samples is set aside."""
    config = Experiment(task, model, 0, budget).config
    if not config["data_settings"].get("validation"):
        task = task.changed({"data_settings": {"validation": VALIDATION_SHARE}})
    overrides = tuple(sorted(_override(name, value, config) for name, value in settings.items()))
    return Experiment(task, model, seed, budget, overrides)


@dataclass(frozen=True)
class Subject:
    """A task and a model with the ``space`` that is searched. ``label`` says how it differs from the neuron's own.

    Raises ``BenchError`` for unknown names, a wrong ``--param``, and a model without a search space where no other
    setting is named.
    """

    task: Task
    model: Model
    budget: str
    space: dict[str, BaseDistribution]
    label: tuple[str, ...] = ()

    @classmethod
    def of(cls, task: str, model: str, budget: str, params: Iterable[str] = (), only_params: bool = False) -> Subject:
        """The subject of these names. ``only_params``: without the neuron's own search space."""
        for kind, name, known in (("task", task, TASKS), ("model", model, MODELS), ("budget", budget, BUDGETS)):
            if name not in known:
                raise unknown(kind, name, known, f"python -m bench list {kind}s")
        TASKS[task].at(budget)
        params = tuple(params)
        if only_params and not params:
            raise BenchError("--only-params needs a --param")
        plain = Experiment(TASKS[task], MODELS[model], 0, budget)
        named = dict(_parameter(text, plain) for text in params)
        own = {} if only_params else space(MODELS[model], TASKS[task])
        if named:
            _check(plain, named)
        label = (*sorted(params), *(["only"] if only_params else []))
        return cls(TASKS[task], MODELS[model], budget, own | named, label)

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe's own values of the settings that are searched, where the space holds them."""
        plain = Experiment(self.task, self.model, 0, self.budget)
        values = {name: _stored(present(name, plain)) for name in self.space}
        return {name: value for name, value in values.items() if _contains(self.space[name], value)}


def present(name: str, plain: Experiment) -> Any:
    """The value that ``plain`` has of the setting ``name``. Raises ``BenchError`` where there is no such setting."""
    from lightning_modules.neurons import NEURONS  # loads torch

    config = plain.config
    if is_recipe_field(name, config):
        value: Any = DEFAULTS | config
        for key in name.split("."):
            if not isinstance(value, dict) or key not in value:
                meant = f"; did you mean {SYNONYMS[name]}?" if name in SYNONYMS else ""
                raise BenchError(f"unknown setting {name!r}{meant or f'; this recipe has {_names(config)}'}")
            value = value[key]
        return value
    neuron = NEURONS.get(plain.model.neuron)
    defaults = neuron.Config() if neuron else None
    known = [field.name for field in fields(defaults)] if defaults else []
    if name not in known:
        raise unknown("setting", name, [*_names(config).split(", "), *known])
    return config["neuron"].get(name, getattr(defaults, name))


def _names(config: dict[str, Any]) -> str:
    return ", ".join(sorted(({*config} | {*DEFAULTS}) - {"neuron"}))


def _stored(value: Any) -> Any:
    """``value`` as Optuna stores it: lists as JSON text."""
    return json.dumps(value) if isinstance(value, list | dict) else value


def _parameter(text: str, plain: Experiment) -> tuple[str, BaseDistribution]:
    """Name and distribution of a ``--param``."""
    name, mark, values = text.partition("=")
    if not (mark and name and values):
        raise BenchError(f"{FORM}; got {text!r}")
    name = name.removeprefix("neuron.")
    own = present(name, plain)
    match = re.fullmatch(r"(.+?)\.\.(.+?)(:log)?", values)
    distribution = _range(text, own, *match.groups()) if match else _choices(text, values)
    if not _contains(distribution, _stored(own)):
        raise BenchError(f"--param {text} leaves out the recipe's own value {own!r}, which trials are compared with")
    return name, distribution


def _range(text: str, own: Any, low_text: str, high_text: str, log: str | None) -> BaseDistribution:
    low = parsed(low_text)
    high = parsed(high_text)
    if any(type(value) not in (int, float) or not math.isfinite(value) for value in (low, high)):
        raise BenchError(f"{FORM}; got {text!r}")
    if type(own) not in (int, float):
        raise BenchError(f"--param {text}: {own!r} is no number, name its values: NAME=A,B,C")
    if not low < high or (log and low <= 0):
        raise BenchError(f"--param {text}: the lower bound must be {'above 0 and ' if log else ''}below the upper one")
    if type(own) is float:
        return FloatDistribution(low, high, log=bool(log))
    if type(low) is not int or type(high) is not int:
        raise BenchError(f"--param {text} takes whole numbers (in this recipe {own!r})")
    return IntDistribution(low, high, log=bool(log))


def _choices(text: str, values: str) -> BaseDistribution:
    try:
        choices = json.loads(f"[{values}]")
    except ValueError:
        choices = [parsed(value) for value in values.split(",")]
    if len(choices) < 2:
        raise BenchError(f"{FORM}, with two values or more; got {text!r}")
    return CategoricalDistribution([_stored(choice) for choice in choices])


def _check(plain: Experiment, named: dict[str, BaseDistribution]) -> None:
    """Build a network with each end of ``named``. Raises ``BenchError`` for a value that cannot be trained with."""
    from bench.training import run  # loads torch

    for name, distribution in named.items():
        if isinstance(distribution, CategoricalDistribution):
            values = list(distribution.choices)
        else:
            assert isinstance(distribution, FloatDistribution | IntDistribution)
            values = [distribution.low, distribution.high]
        for value in values:
            candidate = experiment(plain.task, plain.model, plain.budget, {name: value})
            try:
                run.check([candidate])
            except BenchError as error:
                raise BenchError(str(error).replace("--set", "--param")) from None
