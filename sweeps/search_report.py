"""What people see of a search: a line for each trial, the best ones with the recipe, and whether the winner counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from bench.plan import clock
from bench.spec.estimates import Estimate, half_of_mean, loss
from sweeps.storage import connect

ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
ROWS = 5  # best trials in the table at the end


def settings_text(params: dict[str, Any]) -> str:
    """ "threshold=0.42, width=0.5"."""
    return ", ".join(f"{name}={_value_text(value)}" for name, value in sorted(params.items()))


def _value_text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def trial_text(trial: FrozenTrial) -> str:
    """One finished trial: its number, its state, its validation accuracy, its settings and why it failed."""
    state = trial.state.name.lower()
    last = trial.last_step
    value = trial.intermediate_values[last] if trial.value is None and last is not None else trial.value
    accuracy = "no value" if value is None else f"{value:.2f} %"
    error = f"; {trial.user_attrs['error']}" if "error" in trial.user_attrs else ""
    return f"trial {trial.number} {state}: {accuracy} with {settings_text(trial.params)}{error}"


def progress_text(trial: FrozenTrial, study: Study, trials: int, workers: int = 1) -> str:
    """``trial_text``, the best value so far, and the time that is left until ``trials`` have ended."""
    known = study.get_trials(deepcopy=False)
    complete = [t for t in known if t.state == TrialState.COMPLETE]
    best = ""
    if complete:
        winner = study.best_trial
        best = f"; best so far {winner.value:.2f} % (trial {winner.number})"
    lengths = [t.duration.total_seconds() for t in known if t.state in ENDED and t.duration is not None]
    left = trials - sum(t.state in ENDED for t in known)
    remaining = f"; about {clock(fmean(lengths) * left / workers)} left" if lengths and left > 0 else ""
    return trial_text(trial) + best + remaining


def values(trial: FrozenTrial) -> list[float]:
    """The validation accuracy of each seed of ``trial``."""
    return list(trial.user_attrs.get("values", [] if trial.value is None else [trial.value]))


def estimate(trial: FrozenTrial, name: str) -> Estimate:
    """The mean of a finished trial over its seeds, with their interval."""
    by_seed = dict(enumerate(values(trial)))
    spread = half_of_mean(list(by_seed.values())) if len(by_seed) > 1 else 0.0
    return Estimate(fmean(by_seed.values()), name, spread=spread, values=by_seed)


@dataclass(frozen=True)
class Verdict:
    """Whether the winner of a search counts, and why."""

    counts: bool
    text: str


def verdict(winner: FrozenTrial, recipe: FrozenTrial | None) -> Verdict:
    """A winner counts where it beats the ``recipe`` by more than the 95 % interval of their difference over seeds."""
    if recipe is None or recipe.value is None:
        return Verdict(False, "the winner does not count: the recipe's own settings have no value to compare with")
    if winner.number == recipe.number:
        return Verdict(False, "no trial is better than the recipe's own settings")
    if min(len(values(winner)), len(values(recipe))) < 2:
        return Verdict(
            False, "the winner does not count: one seed a trial has no interval; --seeds-per-trial 3 gives one"
        )
    difference = loss(estimate(winner, "winner"), estimate(recipe, "recipe"))
    counts = difference.value > difference.half
    word = "counts" if counts else "does not count"
    return Verdict(counts, f"the winner {word}: {difference} points above the recipe over {difference.n} seeds")


def table(study: Study, names: Sequence[str], recipe: FrozenTrial | None) -> str:
    """The best trials, the winner first, and the ``recipe``'s own settings beside them."""
    complete = [t for t in study.get_trials(deepcopy=False) if t.state == TrialState.COMPLETE]
    best = sorted(complete, key=lambda t: (-(t.value or 0.0), t.number))[:ROWS]
    if recipe is not None and recipe.value is not None and all(t.number != recipe.number for t in best):
        best.append(recipe)
    rows = [["", "trial", "validation %", *names]]
    for place, trial in enumerate(best):
        words = ["winner"] if place == 0 else []
        words += ["recipe"] if recipe is not None and trial.number == recipe.number else []
        settings = [_value_text(trial.params[name]) if name in trial.params else "" for name in names]
        rows.append([", ".join(words), str(trial.number), str(estimate(trial, "")), *settings])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def searches(storage: str | None) -> list[dict[str, Any]]:
    """Every search in the storage: its name, its trials by state, its best value and settings. Plain types."""
    opened = connect(storage)
    names = [
        s.study_name for s in opened.get_all_studies() if "version" in s.user_attrs and "schema" not in s.user_attrs
    ]
    entries = []
    for name in names:
        study = optuna.load_study(study_name=name, storage=opened)
        trials = study.get_trials(deepcopy=False)
        counts = {state.name.lower(): sum(t.state == state for t in trials) for state in TrialState}
        entry: dict[str, Any] = {"search": name, "trials": counts, "best": None}
        if counts["complete"]:
            best = study.best_trial
            entry["best"] = {"trial": best.number, "value": best.value, "settings": best.params}
        entries.append(entry)
    return entries


def search_text(entry: dict[str, Any]) -> str:
    """An entry of ``searches``, for people."""
    counts = ", ".join(f"{number} {state}" for state, number in entry["trials"].items() if number)
    best = entry["best"]
    if best is None:
        return f"{entry['search']}: {counts or 'no trial'}"
    winner = f"best {best['value']:.2f} % (trial {best['trial']}) with {settings_text(best['settings'])}"
    return f"{entry['search']}: {counts}; {winner}"
