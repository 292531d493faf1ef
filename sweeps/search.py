"""Hyper-parameter search: TPE, bad trials pruned, chosen on validation data and never on the test set.

The winner is kept in ``BENCH_HOME/searches``. On request what counts is written to ``sweeps/best/<model>-<task>.toml``;
``bench.spec.best_settings`` reads it there.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.trial import FrozenTrial, TrialState

from bench import paths
from bench.errors import BenchError, unknown
from bench.ledger import store
from bench.measures import ACCURACY
from bench.spec import best_settings
from bench.spec.experiment import Experiment
from sweeps import storage as storages
from sweeps.closing import experiment_lock
from sweeps.search_report import ENDED, Verdict, settings_text, table, verdict
from sweeps.search_space import Subject, experiment, is_recipe_field, suggest
from sweeps.worker import silence_lightning

PRUNERS: dict[str, type[BasePruner]] = {"median": MedianPruner, "asha": SuccessiveHalvingPruner, "none": NopPruner}
Report = Callable[[FrozenTrial], None]


class Search:
    """One study of a subject, shared by everybody who names the same storage. A trial is the mean over ``seeds``
    trainings. ``workers`` is the number of processes that run it.

    Raises ``BenchError`` for an unknown pruner, less than one seed and a study of another version.
    """

    def __init__(
        self,
        subject: Subject,
        pruner: str = "median",
        storage: str | None = None,
        seed: int | None = None,
        seeds: int = 1,
        workers: int = 1,
    ) -> None:
        if pruner not in PRUNERS:
            raise unknown("pruner", pruner, PRUNERS)
        if seeds < 1:
            raise BenchError(f"seeds per trial must be at least 1, got {seeds}")
        self.subject = subject
        self.seeds = seeds
        self.version = Experiment(subject.task, subject.model, 0, subject.budget).versions
        about = [subject.budget, *subject.label, *([f"{seeds} seeds"] if seeds > 1 else [])]
        self.name = f"search {subject.model.name} on {subject.task.name} ({'; '.join(about)})"
        self.study = optuna.create_study(
            storage=storages.connect(storage),
            study_name=self.name,
            sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=workers > 1),
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

    def prepare(self) -> None:
        """Queue the recipe's own settings as the first trial: the winner is never worse than they are."""
        if not self.study.get_trials(deepcopy=False):
            self.study.enqueue_trial(self.subject.recipe, skip_if_exists=True)

    def run(self, trials: int, threads: int = 1, report: Report = lambda _: None, shared: bool = False) -> None:
        """Go on until the study has ``trials`` that ended, pruned ones among them. Every trial of this process goes to
        ``report``. ``shared``: trials that other processes run count as ended.
        """
        counted = (*ENDED, TrialState.RUNNING) if shared else ENDED

        def enough() -> bool:
            return sum(trial.state in counted for trial in self.study.get_trials(deepcopy=False)) >= trials

        def after(study: optuna.Study, trial: FrozenTrial) -> None:
            report(trial)
            if enough():
                study.stop()

        if enough():
            return
        self.prepare()
        with warnings.catch_warnings(), _quiet_optuna():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self.study.optimize(lambda trial: self._objective(trial, threads), callbacks=[after], catch=(_Failed,))

    def _objective(self, trial: optuna.Trial, threads: int) -> float:
        subject = self.subject
        settings = {name: suggest(trial, name, distribution) for name, distribution in subject.space.items()}
        values: list[float] = []
        for seed in range(self.seeds):
            candidate = experiment(subject.task, subject.model, subject.budget, settings, seed)
            if seed == 0:
                trial.set_user_attr("experiment", candidate.id)
            values.append(_train(trial, candidate, threads))
            trial.set_user_attr("values", values)
        return fmean(values)

    @property
    def recipe(self) -> FrozenTrial | None:
        """The trial with the recipe's own settings, if it has ended."""
        own = self.subject.recipe.items()
        trials = self.study.get_trials(deepcopy=False)
        return next((t for t in trials if t.state in ENDED and own <= t.params.items()), None)

    @property
    def verdict(self) -> Verdict:
        """Whether the winner counts. Raises ``BenchError`` where no trial has finished."""
        return verdict(self._best(), self.recipe)

    def table(self) -> str:
        """The best trials beside the recipe."""
        return table(self.study, sorted(self.subject.space), self.recipe)

    def summary(self) -> str:
        """The best trial, and the value of the recipe's own settings. Raises ``BenchError`` where no trial has
        finished.
        """
        best = self._best()
        trials = self.study.get_trials(deepcopy=False)
        own = self.recipe
        if own is None:
            comparison = f"the recipe's own settings ({settings_text(self.subject.recipe)}) were not tried"
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

    def save(self) -> str:
        """Write the winner, and whether it counts, below ``BENCH_HOME``; the path. Raises ``BenchError`` as ``export``
        does.
        """
        self._refuse_smoke()
        best = self._best()
        counts = f"counts = {json.dumps(self.verdict.counts)} # {self.verdict.text}"
        name = self.name.removeprefix("search ").replace("/", "-").replace(" ", "-")
        return self._write(paths.home() / "searches" / f"{name}.toml", best, [counts])

    def export(self) -> str:
        """Write what counts to ``sweeps/best``, the winner or the recipe's own settings; the path.

        Raises ``BenchError`` where neither has finished, for settings that are not of the neuron, and at budget smoke,
        whose results are never used.
        """
        self._refuse_smoke()
        best = self._best()
        config = Experiment(self.subject.task, self.subject.model, 0, self.subject.budget).config
        if others := [name for name in best.params if is_recipe_field(name, config)]:
            raise BenchError(
                f"tuned rows take settings of the neuron only, not {', '.join(others)}: the settings were not exported"
            )
        if not self.verdict.counts:
            if self.recipe is None or self.recipe.value is None:
                raise BenchError(f"{self.verdict.text}: nothing to export")
            best = self.recipe
        return self._write(best_settings.path(self.subject.model.name, self.subject.task.name), best)

    def _refuse_smoke(self) -> None:
        if self.subject.budget == "smoke":
            raise BenchError("smoke results are never used: the settings were not written")

    def _write(self, path: Path, trial: FrozenTrial, more: list[str] | None = None) -> str:
        """Write the settings of ``trial`` to ``path``; the path as users see it."""
        subject = self.subject
        config = Experiment(subject.task, subject.model, 0, subject.budget).config
        settings = sorted(trial.params.items())
        neuron = [f"{n} = {json.dumps(value)}" for n, value in settings if not is_recipe_field(n, config)]
        recipe = [f"{json.dumps(n)} = {json.dumps(value)}" for n, value in settings if is_recipe_field(n, config)]
        rows = [
            "# Written by python -m sweeps search; read by tables that say `tuned`.",
            f"study = {json.dumps(self.name)}",
            f"trial = {trial.number}",
            f"trials = {len(self.study.get_trials(deepcopy=False))}",
            f"value = {trial.value:.4f} # validation accuracy, %",
            f"budget = {json.dumps(subject.budget)}",
            f"version = {json.dumps(self.version)}",
            *(more or []),
            "",
            "[neuron]",
            *neuron,
            *(["", "[recipe]", *recipe] if recipe else []),
        ]
        store.write(path, "\n".join(rows) + "\n")
        return str(path.relative_to(paths.ROOT) if path.is_relative_to(paths.ROOT) else path)


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Keep Optuna's traceback of a trial that failed or was stopped off the terminal: ``report`` says why."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


class _Failed(Exception):
    """A trial whose training did not end well: Optuna marks it as failed and goes on."""


def _train(trial: optuna.Trial, candidate: Experiment, threads: int) -> float:
    """Train one seed of ``trial``; its best validation accuracy in %. Steps of later seeds come after earlier ones."""
    from bench.training import run, trained
    from sweeps.pruning import Pruned, Pruning

    silence_lightning()
    pruning = Pruning(trial, candidate.seed * candidate.config["epochs"])
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
