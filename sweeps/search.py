"""Hyper-parameter search in a neuron's own search space: TPE, bad trials pruned, chosen on validation data and never on
the test set.

The best settings are exported to ``sweeps/best/<model>-<task>.toml``; ``bench.tuned`` reads them from there.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.trial import TrialState

from bench import paths
from bench.errors import BenchError, unknown
from bench.ledger import store
from bench.measures import ACCURACY
from bench.papers.registry import MODELS, TASKS
from bench.spec import best_settings
from bench.spec.experiment import Experiment
from bench.spec.model import Model
from bench.spec.task import BUDGETS, Task
from sweeps import storage as storages
from sweeps.queue import experiment_lock

SHARE = 0.1  # of the training samples, set aside to choose on
PRUNERS: dict[str, type[BasePruner]] = {"median": MedianPruner, "asha": SuccessiveHalvingPruner, "none": NopPruner}


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


def experiment(task: Task, model: Model, budget: str, settings: dict[str, Any]) -> Experiment:
    """The training of one trial: part of the training samples set aside, seed 0."""
    if not Experiment(task, model, 0, budget).config["data_settings"].get("validation"):
        task = task.changed({"data_settings": {"validation": SHARE}})
    return Experiment(
        task, model, 0, budget, tuple(sorted((f"neuron.{name}", value) for name, value in settings.items()))
    )


@dataclass(frozen=True)
class Names:
    """A task and a model whose neuron can be searched. Raises ``BenchError`` for unknown names and a model without a
    search space.
    """

    task: Task
    model: Model
    budget: str
    space: dict[str, BaseDistribution]

    @classmethod
    def of(cls, task: str, model: str, budget: str) -> Names:
        for kind, name, known in (("task", task, TASKS), ("model", model, MODELS), ("budget", budget, BUDGETS)):
            if name not in known:
                raise unknown(kind, name, known)
        TASKS[task].at(budget)
        return cls(TASKS[task], MODELS[model], budget, space(MODELS[model], TASKS[task]))


class Search:
    """One study of a task and a model, shared by everybody who names the same storage. Raises ``BenchError`` as
    ``Names.of``, and for a study of another version.
    """

    def __init__(
        self, names: Names, pruner: str = "median", storage: str | None = None, seed: int | None = None
    ) -> None:
        if pruner not in PRUNERS:
            raise unknown("pruner", pruner, PRUNERS)
        self.names = names
        self.version = Experiment(names.task, names.model, 0, names.budget).versions
        self.name = f"search {names.model.name} on {names.task.name} ({names.budget})"
        self.study = optuna.create_study(
            storage=storages.connect(storage),
            study_name=self.name,
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=PRUNERS[pruner](),
            direction="maximize",
            load_if_exists=True,
        )
        found = self.study.user_attrs.get("version", self.version)
        if found != self.version:
            raise BenchError(
                f"study {self.name!r} was searched with {found}, this is {self.version}: use another storage"
            )
        self.study.set_user_attr("version", self.version)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self.study.set_metric_names(["validation accuracy (%)"])

    def run(self, trials: int, threads: int = 1) -> None:
        """Go on until the study has ``trials`` that ended, pruned ones among them; the first has the recipe's own
        settings.
        """
        ended = (TrialState.COMPLETE, TrialState.PRUNED)
        known = self.study.get_trials(deepcopy=False)
        if sum(trial.state in ended for trial in known) >= trials:
            return
        if not known:
            self.study.enqueue_trial(self._own(), skip_if_exists=True)
        enough = optuna.study.MaxTrialsCallback(trials, states=ended)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self.study.optimize(lambda trial: self._objective(trial, threads), callbacks=[enough], catch=(_Failed,))

    def _own(self) -> dict[str, Any]:
        """What the recipe has for the settings that are searched, where the space holds it: the winner is never worse
        than that.
        """
        from lightning_modules.neurons import NEURONS

        names = self.names
        neuron = Experiment(names.task, names.model, 0, names.budget).config["neuron"]
        values = {name: neuron.get(name, getattr(NEURONS[names.model.neuron].Config(), name)) for name in names.space}
        return {
            name: value
            for name, value in values.items()
            if names.space[name]._contains(names.space[name].to_internal_repr(value))
        }

    def _objective(self, trial: optuna.Trial, threads: int) -> float:
        settings = {name: trial._suggest(name, distribution) for name, distribution in self.names.space.items()}
        chosen = experiment(self.names.task, self.names.model, self.names.budget, settings)
        trial.set_user_attr("experiment", chosen.id)
        from bench.training import run, trained
        from sweeps.pruning import Pruned, Pruning

        pruning = Pruning(trial)
        try:
            with experiment_lock(
                chosen.id, wait=True
            ):  # another search of this host may have come to the same settings
                lines, _ = run.run(chosen, (ACCURACY,), threads, callbacks=(pruning,))
                kept = trained.load(chosen)
        except Pruned:
            raise optuna.TrialPruned() from None
        except SystemExit:
            raise KeyboardInterrupt from None  # Optuna knows this one: the trial fails, the search ends
        if lines[0].status != "ok":
            raise _Failed(f"{lines[0].status}: {lines[0].error}")
        assert kept is not None
        return max(record["val/accuracy"] for record in kept.history)

    def export(self) -> str:
        """Write the winner to ``sweeps/best``; the path. Raises ``BenchError`` where no trial has finished."""
        if not self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            raise BenchError(f"no trial of {self.name!r} has finished: nothing to export")
        best = self.study.best_trial
        assert best.value is not None
        rows = [
            "# Written by python -m sweeps search; read by tables that say `tuned`.",
            f"study = {json.dumps(self.name)}",
            f"trial = {best.number}",
            f"trials = {len(self.study.get_trials(deepcopy=False))}",
            f"value = {best.value:.4f} # validation accuracy, %",
            f"budget = {json.dumps(self.names.budget)}",
            f"version = {json.dumps(self.version)}",
            "",
            "[neuron]",
            *(f"{name} = {json.dumps(value)}" for name, value in sorted(best.params.items())),
        ]
        path = best_settings.path(self.names.model.name, self.names.task.name)
        store.write(path, "\n".join(rows) + "\n")
        return str(path.relative_to(paths.ROOT) if path.is_relative_to(paths.ROOT) else path)


class _Failed(Exception):
    """A trial whose training did not end well: Optuna marks it as failed and goes on."""
