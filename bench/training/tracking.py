"""W&B: one run per experiment, offline unless the user is logged in.

A run holds what compares experiments: the settings of the experiment, its metrics after every epoch and, in its
summary, the value of every measure that was read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import wandb

from bench import paths
from bench.ledger import provenance
from bench.ledger.store import Line
from bench.spec.experiment import Experiment

PROJECT = "spiking-sequence-benchmarks"
LONGEST = 128  # characters of a name or group that W&B takes
BEST = {"test/accuracy": "max", "test/loss": "min", "val/accuracy": "max", "val/loss": "min", "train/loss": "min"}
COST = ("wall_s", "peak_mb", "params", "checkpoint_sha256")  # fields of a ledger line in the summary


def mode() -> str:
    """``WANDB_MODE`` if set; online with a key in the environment or in ~/.netrc; else offline. No account is
    needed.
    """
    if chosen := os.environ.get("WANDB_MODE"):
        return chosen
    netrc = os.path.expanduser("~/.netrc")
    try:
        with open(netrc, encoding="utf-8") as file:
            known = "api.wandb.ai" in file.read()
    except OSError:
        known = False
    return "online" if known or os.environ.get("WANDB_API_KEY") else "offline"


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested plain settings as ``a.b`` keys: what W&B filters and groups by."""
    out: dict[str, Any] = {}
    for key, value in config.items():
        out |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return out


def labels(experiment: Experiment, kind: str = "") -> dict[str, Any]:
    """Name, group and tags of a run. One of ``kind`` (such as "search"), or one with changed settings, has those of no
    official run.
    """
    group = f"{experiment.task.name}/{experiment.model.name}"
    name = f"{group}/{experiment.budget}/{experiment.seed}"
    tags = [experiment.budget, experiment.config["data"], *experiment.versions.split()]
    if kind := kind or ("exploratory" if experiment.overrides else ""):
        changes = " ".join(f"{setting}={value}" for setting, value in experiment.overrides)
        name = f"{name} {changes or kind}"
        group = f"{group} ({kind})"
        tags.append(kind)
    return {"name": name[:LONGEST], "group": group[:LONGEST], "tags": tags}


def settings(experiment: Experiment) -> dict[str, Any]:
    """The run's config: the experiment's settings, what identifies it, and the commit of the code."""
    commit, dirty = provenance.git()
    return flat(experiment.config) | {
        "task": experiment.task.name,
        "model": experiment.model.name,
        "neuron": experiment.config["neuron"]["name"],
        "seed": experiment.seed,
        "budget": experiment.budget,
        "versions": experiment.versions,
        "commit": commit,
        "dirty": dirty,
    }


def start(
    experiment: Experiment,
    kind: str = "",
    facts: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
    resume: bool = False,
) -> Any:
    """Start the run of ``experiment``, with the experiment's id. Its config has the ``settings``, with ``facts`` in
    their place where the names are equal, and the rest of ``context``.

    With ``resume`` a run online goes on; without, W&B replaces it. Where W&B refuses, the run is a disabled one: an
    experiment never fails for its tracking.
    """
    folder = paths.home() / "wandb"
    os.environ.setdefault("WANDB_SILENT", "true")
    about: dict[str, Any] = dict(
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        id=experiment.id,
        config={**(context or {}), **settings(experiment), **(facts or {})},
        dir=str(folder),
        reinit="finish_previous",
        settings=wandb.Settings(console="off", x_disable_stats=True, save_code=False, disable_git=True),
        **labels(experiment, kind),
    )
    if resume and mode() == "online":
        about["resume"] = "allow"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        run = wandb.init(mode=mode(), **about)  # type: ignore[arg-type]
        run.define_metric("trainer/global_step")
        run.define_metric("*", step_metric="trainer/global_step")
        for metric, best in _best().items():
            run.define_metric(metric, step_metric="trainer/global_step", summary=f"last,{best}")
        return run
    except Exception as error:  # the service may still hold a killed worker's run, say
        print(f"W&B does not track {experiment} ({type(error).__name__}: {error})", file=sys.stderr)
        return wandb.init(mode="disabled", **about)


def _best() -> dict[str, str]:
    """Metrics whose summary holds the best value beside the last. A W&B sweep expects one number there."""
    return {} if os.environ.get("WANDB_SWEEP_ID") else BEST


def _summary(metric: str, values: list[Any]) -> Any:
    """The last of ``values``, with the best beside it where that has a meaning: as W&B itself summarises a metric."""
    best = _best().get(metric)
    if best is None:
        return values[-1]
    return {"last": values[-1], best: min(values) if best == "min" else max(values)}


class Tracker:
    """The run of an experiment in this process. After an error it takes nothing more.

    ``facts`` are of this process (environment, device). ``context`` comes from the caller: lists by name, such as the
    tables that ask for the experiment and the values that they publish.
    """

    def __init__(
        self,
        experiment: Experiment,
        kind: str = "",
        facts: Mapping[str, Any] | None = None,
        context: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        self.experiment = experiment
        self.kind = kind
        self.facts = dict(facts or {})
        self.context = {name: list(values) for name, values in (context or {}).items()}
        self.run: Any = None
        self.failed = False

    @property
    def id(self) -> str:
        """Of the run as the ledger names it; empty without one."""
        return "" if self.run is None or self.run.disabled else self.experiment.id

    def start(self, resume: bool, **facts: Any) -> None:
        """Start the run, if it has not started, with ``facts`` in its config before those of this process."""
        if self.run is None and not self.failed:
            try:
                self.run = start(self.experiment, self.kind, self.facts | facts, self.context, resume)
            except Exception as error:
                self._stop(error)

    def log(self, metrics: Mapping[str, Any]) -> None:
        self._try(lambda: self.run.log(dict(metrics)))

    def summarise(self, history: Sequence[Mapping[str, Any]], cost: Mapping[str, Any], lines: Sequence[Line]) -> None:
        """Write the whole summary: the metrics of ``history`` (a record an epoch) that every record has, ``cost``, and
        the values of ``lines`` as ``measure/<name>/<protocol>``, whose units are in the config.

        Every attempt, and every later reading, has an offline folder of its own. The last one to be uploaded replaces
        the summary, so each holds all.
        """
        names = set(history[-1]).intersection(*history) - {"epoch"}
        content = {name: _summary(name, [record[name] for record in history]) for name in names}
        content |= {name: cost[name] for name in COST if name in cost}
        read = [line for line in lines if line.status == "ok"]
        content |= {f"measure/{line.measure}/{line.protocol}": line.value for line in read}
        units = {f"unit.{line.measure}": line.unit for line in read}
        self._try(lambda: self.run.config.update(units, allow_val_change=True))
        self._try(lambda: self.run.summary.update(content))

    def finish(self, exit_code: int = 0) -> None:
        if self.run is not None:
            with suppress(Exception):
                self.run.finish(exit_code=exit_code)

    def _try(self, action: Callable[[], Any]) -> None:
        if self.run is None or self.failed:
            return
        try:
            action()
        except Exception as error:
            self._stop(error)

    def _stop(self, error: Exception) -> None:
        self.failed = True
        print(f"W&B stopped tracking {self.experiment} ({type(error).__name__}: {error})", file=sys.stderr)
