"""Hyper-parameter search in a neuron's own search space: TPE, bad trials pruned, chosen on validation data and never on
the test set.

The best settings are exported to ``sweeps/best/<model>-<task>.toml``; ``bench.spec.best_settings`` reads them there.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.trial import FrozenTrial, TrialState, create_trial

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
from sweeps.closing import experiment_lock
from sweeps.worker import silence_lightning

VALIDATION_SHARE = 0.1  # of the training samples, set aside to choose on
PRUNERS: dict[str, type[BasePruner]] = {"median": MedianPruner, "asha": SuccessiveHalvingPruner, "none": NopPruner}
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


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


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
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


def experiment(task: Task, model: Model, budget: str, settings: dict[str, Any]) -> Experiment:
    """The training of one trial: part of the training samples set aside, seed 0."""
    if not Experiment(task, model, 0, budget).config["data_settings"].get("validation"):
        task = task.changed({"data_settings": {"validation": VALIDATION_SHARE}})
    return Experiment(
        task, model, 0, budget, tuple(sorted((f"neuron.{name}", value) for name, value in settings.items()))
    )


@dataclass(frozen=True)
class Subject:
    """A task and a model whose neuron can be searched. Raises ``BenchError`` for unknown names and a model without a
    search space.
    """

    task: Task
    model: Model
    budget: str
    space: dict[str, BaseDistribution]

    @classmethod
    def of(cls, task: str, model: str, budget: str) -> Subject:
        for kind, name, known in (("task", task, TASKS), ("model", model, MODELS), ("budget", budget, BUDGETS)):
            if name not in known:
                raise unknown(kind, name, known, f"python -m bench list {kind}s")
        TASKS[task].at(budget)
        return cls(TASKS[task], MODELS[model], budget, space(MODELS[model], TASKS[task]))

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe's own values of the settings that are searched, where the space holds them."""
        from lightning_modules.neurons import NEURONS  # loads torch

        neuron = Experiment(self.task, self.model, 0, self.budget).config["neuron"]
        defaults = NEURONS[self.model.neuron].Config()
        values = {name: neuron.get(name, getattr(defaults, name)) for name in self.space}
        return {name: value for name, value in values.items() if _contains(self.space[name], value)}


def settings_text(params: dict[str, Any]) -> str:
    """ "threshold=0.42, width=0.5"."""
    return ", ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in sorted(params.items())
    )


def trial_text(trial: FrozenTrial) -> str:
    """One finished trial: its number, its state, its validation accuracy, its settings and why it failed."""
    state = trial.state.name.lower()
    last = trial.last_step
    value = trial.intermediate_values[last] if trial.value is None and last is not None else trial.value
    accuracy = "no value" if value is None else f"{value:.2f} %"
    error = f"; {trial.user_attrs['error']}" if "error" in trial.user_attrs else ""
    return f"trial {trial.number} {state}: {accuracy} with {settings_text(trial.params)}{error}"


class Search:
    """One study of a task and a model, shared by everybody who names the same storage. Raises ``BenchError`` as
    ``Subject.of``, and for a study of another version.
    """

    def __init__(
        self, subject: Subject, pruner: str = "median", storage: str | None = None, seed: int | None = None
    ) -> None:
        if pruner not in PRUNERS:
            raise unknown("pruner", pruner, PRUNERS)
        self.subject = subject
        self.version = Experiment(subject.task, subject.model, 0, subject.budget).versions
        self.name = f"search {subject.model.name} on {subject.task.name} ({subject.budget})"
        self.study = optuna.create_study(
            storage=storages.connect(storage),
            study_name=self.name,
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=PRUNERS[pruner](),
            direction="maximize",
            load_if_exists=True,
        )
        version = self.study.user_attrs.get("version", self.version)
        if version != self.version:
            raise BenchError(
                f"study {self.name!r} was searched with {version}, this is {self.version}: use another storage"
            )
        self.study.set_user_attr("version", self.version)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self.study.set_metric_names(["validation accuracy (%)"])

    def run(self, trials: int, threads: int = 1, report: Callable[[FrozenTrial], None] = lambda _: None) -> None:
        """Go on until the study has ``trials`` that ended, pruned ones among them. Every trial of this process goes to
        ``report``.

        The first trial has the recipe's own settings: the winner is never worse than they are.
        """
        known = self.study.get_trials(deepcopy=False)
        if sum(trial.state in ENDED for trial in known) >= trials:
            return
        if not known:
            self.study.enqueue_trial(self.subject.recipe, skip_if_exists=True)
        enough = optuna.study.MaxTrialsCallback(trials, states=ENDED)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self.study.optimize(
                lambda trial: self._objective(trial, threads),
                callbacks=[lambda _, trial: report(trial), enough],
                catch=(_Failed,),
            )

    def _objective(self, trial: optuna.Trial, threads: int) -> float:
        subject = self.subject
        settings = {name: _suggest(trial, name, distribution) for name, distribution in subject.space.items()}
        candidate = experiment(subject.task, subject.model, subject.budget, settings)
        trial.set_user_attr("experiment", candidate.id)
        from bench.training import run, trained
        from sweeps.pruning import Pruned, Pruning

        silence_lightning()
        pruning = Pruning(trial)
        try:
            with experiment_lock(candidate.id, wait=True):  # another search of this host may have the same settings
                lines, _ = run.run(candidate, (ACCURACY,), threads, callbacks=(pruning,), kind="search")
                weights = trained.load(candidate)
        except Pruned:
            raise optuna.TrialPruned() from None
        except SystemExit:
            raise KeyboardInterrupt from None  # Optuna knows this one: the trial fails, the search ends
        if lines[0].status != "ok":
            trial.set_user_attr("error", f"{lines[0].status}: {lines[0].error}")
            raise _Failed(f"{lines[0].status}: {lines[0].error}")
        assert weights is not None
        return max(record["val/accuracy"] for record in weights.history)

    def summary(self) -> str:
        """The best trial, and the value of the recipe's own settings. Raises ``BenchError`` where no trial has
        finished.
        """
        best = self._best()
        trials = self.study.get_trials(deepcopy=False)
        recipe = self.subject.recipe
        own = next((t for t in trials if t.state in ENDED and recipe.items() <= t.params.items()), None)
        if own is None:
            comparison = f"the recipe's own settings ({settings_text(recipe)}) were not tried"
        elif own.value is None:
            comparison = f"the recipe's own settings ({settings_text(own.params)}) were pruned"
        else:
            comparison = f"the recipe's own settings: {own.value:.2f} % with {settings_text(own.params)}"
        return (
            f"best of {len(trials)} trials: {best.value:.2f} % on validation data with {settings_text(best.params)}"
            f" (trial {best.number})\n{comparison}"
        )

    def _best(self) -> FrozenTrial:
        if not self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            raise BenchError(f"no trial of {self.name!r} has finished: nothing to export")
        return self.study.best_trial

    def export(self) -> str:
        """Write the winner to ``sweeps/best``; the path. Raises ``BenchError`` where no trial has finished, and at
        budget smoke, whose results are never used.
        """
        subject = self.subject
        if subject.budget == "smoke":
            raise BenchError("smoke results are never used: the settings were not written")
        best = self._best()
        assert best.value is not None
        rows = [
            "# Written by python -m sweeps search; read by tables that say `tuned`.",
            f"study = {json.dumps(self.name)}",
            f"trial = {best.number}",
            f"trials = {len(self.study.get_trials(deepcopy=False))}",
            f"value = {best.value:.4f} # validation accuracy, %",
            f"budget = {json.dumps(subject.budget)}",
            f"version = {json.dumps(self.version)}",
            "",
            "[neuron]",
            *(f"{name} = {json.dumps(value)}" for name, value in sorted(best.params.items())),
        ]
        path = best_settings.path(subject.model.name, subject.task.name)
        store.write(path, "\n".join(rows) + "\n")
        return str(path.relative_to(paths.ROOT) if path.is_relative_to(paths.ROOT) else path)


class _Failed(Exception):
    """A trial whose training did not end well: Optuna marks it as failed and goes on."""
