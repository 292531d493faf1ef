"""W&B: one run per experiment, offline unless the user is logged in.

A run holds what compares experiments: the settings of the experiment, its metrics after every epoch and, in its
summary, the value of every measure that was read, beside the published values of the table cells that it serves.
Series behind a measure (curves, landscapes) are W&B tables.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import wandb

from bench import paths
from bench.ledger import provenance
from bench.ledger.store import Line
from bench.spec.experiment import Experiment
from bench.training import wandb_mode
from datamodules.sources import SOURCES

log = logging.getLogger(__name__)

INIT_S = 20  # seconds that the service has to answer where a run starts
FINISH_S = 60  # … and for the upload where it ends; what is left `make wandb-sync` uploads
LONGEST_TABLE = 10_000  # rows of a series that W&B takes
LONGEST = 128  # characters of a name or group that W&B takes
BEST = {"test/accuracy": "max", "test/loss": "min", "val/accuracy": "max", "val/loss": "min", "train/loss": "min"}
Compare = Callable[[Sequence[Line]], Mapping[str, Any]]
COST = ("wall_s", "peak_mb", "params", "checkpoint_sha256")  # fields of a ledger line in the summary


def measure_key(measure: str, protocol: str) -> str:
    """The key of a run's summary that has the value of ``measure`` by ``protocol``. W&B takes "." for nesting."""
    return f"measure/{measure}/{protocol}".replace(".", "_")


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested plain settings as ``a.b`` keys: what W&B filters and groups by."""
    out: dict[str, Any] = {}
    for key, value in config.items():
        out |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return out


def labels(experiment: Experiment, kind: str = "") -> dict[str, Any]:
    """Name, group, job type and tags of a run. One of ``kind`` (such as "search"), or one with changed settings, has
    those of no official run.
    """
    group = f"{experiment.task.name}/{experiment.model.name}"
    name = f"{group}/{experiment.budget}/{experiment.seed}"
    tags = [experiment.budget, experiment.config["data"], *experiment.versions.split()]
    if kind := kind or ("exploratory" if experiment.overrides else ""):
        changes = " ".join(f"{setting}={value}" for setting, value in experiment.overrides)
        name = f"{name} {changes or kind}"
        group = f"{group} ({kind})"
        tags.append(kind)
    return {"name": name[:LONGEST], "group": group[:LONGEST], "job_type": kind or "training", "tags": tags}


def settings(experiment: Experiment) -> dict[str, Any]:
    """The run's config: the experiment's settings, what identifies it, and the commit of the code."""
    commit, dirty = provenance.git()
    return flat(experiment.config) | {
        "task": experiment.task.name,
        "model": experiment.model.name,
        "neuron": experiment.config["neuron"]["name"],
        "seed": experiment.seed,
        "budget": experiment.budget,
        "data_kind": SOURCES[experiment.config["data"]].kind,
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
    beside_others: bool = False,
) -> Any:
    """Start the run of ``experiment``, with the experiment's id. Its config has the ``settings``, with ``facts`` in
    their place where the names are equal, and the rest of ``context``. The process may have other runs
    ``beside_others``; else one that has not ended is finished.

    With ``resume`` a run online goes on; without, W&B replaces it. Where W&B refuses, one warning says so, and this
    process tracks offline from then on, or not at all: an experiment never fails for its tracking.
    """
    folder = paths.home() / "wandb"
    os.environ.setdefault("WANDB_SILENT", "true")
    about: dict[str, Any] = dict(
        project=os.environ.get("WANDB_PROJECT", wandb_mode.PROJECT),
        id=experiment.id,
        config={**(context or {}), **settings(experiment), **(facts or {})},
        dir=str(folder),
        reinit="create_new" if beside_others else "finish_previous",
        settings=wandb.Settings(
            console="off",
            x_disable_stats=True,
            save_code=False,
            disable_git=True,
            init_timeout=INIT_S,
            finish_timeout=FINISH_S,
        ),
        **labels(experiment, kind),
    )
    mode = wandb_mode.mode()
    if mode == "online":
        try:
            return _defined(wandb.init(mode="online", resume="allow" if resume else None, **about))
        except Exception as error:  # the service is away, or the run was deleted there
            log.warning("W&B tracks %s offline (%s)", experiment, _plain(error))
            mode = "offline"
            if "deleted" not in str(error):  # this run alone
                os.environ["WANDB_MODE"] = "offline"
    if mode == "offline":
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return _defined(wandb.init(mode="offline", **about))
        except Exception as error:  # no permission, say
            log.warning("W&B tracks nothing from %s on (%s)", experiment, _plain(error))
            os.environ["WANDB_MODE"] = "disabled"
    return wandb.init(mode="disabled", **about)


def _defined(run: Any) -> Any:
    """``run``, whose metrics have their steps and their best values."""
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step")
    for metric, best in _best().items():
        run.define_metric(metric, step_metric="trainer/global_step", summary=f"last,{best}")
    return run


def _plain(error: Exception) -> str:
    """Kind and text of ``error`` on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _best() -> dict[str, str]:
    """Metrics whose summary holds the best value beside the last. A W&B sweep expects one number there."""
    return {} if os.environ.get("WANDB_SWEEP_ID") else BEST


def _summary(metric: str, values: list[Any]) -> Any:
    """The last of ``values``, with the best beside it where that has a meaning: as W&B itself summarises a metric."""
    best = _best().get(metric)
    if best is None:
        return values[-1]
    return {"last": values[-1], best: min(values) if best == "min" else max(values)}


def _table(columns: Mapping[str, list]) -> Any:
    rows = list(zip(*columns.values(), strict=True))[:LONGEST_TABLE]
    return wandb.Table(columns=list(columns), data=[list(row) for row in rows])


class Tracker:
    """The run of an experiment in this process. After an error it takes nothing more.

    ``facts`` are of this process (environment, device). ``context`` comes from the caller: lists by name, such as the
    tables that ask for the experiment and the values that they publish. ``compare`` gives what new ledger lines mean
    for these tables.
    """

    def __init__(
        self,
        experiment: Experiment,
        kind: str = "",
        facts: Mapping[str, Any] | None = None,
        context: Mapping[str, Sequence[Any]] | None = None,
        compare: Compare = lambda _: {},
        beside_others: bool = False,
    ) -> None:
        self.experiment = experiment
        self.kind = kind
        self.facts = dict(facts or {})
        self.context = {name: list(values) for name, values in (context or {}).items()}
        self.compare = compare
        self.beside_others = beside_others
        self.run: Any = None
        self.failed = False
        self.seconds = 0.0  # that tracking took

    @property
    def id(self) -> str:
        """Of the run as the ledger names it; empty without one."""
        return "" if self.run is None or self.run.disabled else self.experiment.id

    def start(self, resume: bool, **facts: Any) -> None:
        """Start the run, if it has not started, with ``facts`` in its config before those of this process."""
        if self.run is None and not self.failed:
            try:
                with self._timed():
                    facts = self.facts | facts
                    self.run = start(self.experiment, self.kind, facts, self.context, resume, self.beside_others)
            except Exception as error:
                self._stop(error)

    def log(self, metrics: Mapping[str, Any]) -> None:
        self._try(lambda: self.run.log(dict(metrics)))

    def summarise(
        self,
        history: Sequence[Mapping[str, Any]],
        cost: Mapping[str, Any],
        lines: Sequence[Line],
        series: Mapping[str, Mapping[str, list]] | None = None,
    ) -> None:
        """Write the whole summary: the metrics of ``history`` (a record an epoch) that every record has, ``cost``, the
        values of ``lines`` as ``measure/<name>/<protocol>``, whose units are in the config, and what ``compare`` says
        of them. ``series`` (columns by ``<name>/<protocol>``) become tables.

        Every attempt, and every later reading, has an offline folder of its own. The last one to be uploaded replaces
        the summary, so each holds all.
        """
        names = set(history[-1]).intersection(*history) - {"epoch"}
        content = {name: _summary(name, [record[name] for record in history]) for name in names}
        content |= {name: cost[name] for name in COST if name in cost}
        read = [line for line in lines if line.status == "ok"]
        content |= {measure_key(line.measure, line.protocol): line.value for line in read}
        units = {f"unit.{line.measure}": line.unit for line in read}
        self._try(lambda: self.run.config.update(units, allow_val_change=True))
        for name, columns in (series or {}).items():
            self._try(lambda n=name, c=columns: self.run.log({f"series/{n}".replace(".", "_"): _table(c)}))  # type: ignore[misc]
        self._try(lambda: self.run.summary.update(content | dict(self.compare(lines))))

    def finish(self, exit_code: int = 0) -> None:
        if self.run is not None:
            with suppress(Exception), self._timed():
                self.run.finish(exit_code=exit_code)

    def _try(self, action: Callable[[], Any]) -> None:
        if self.run is None or self.failed:
            return
        try:
            with self._timed():
                action()
        except Exception as error:
            self._stop(error)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started

    def _stop(self, error: Exception) -> None:
        self.failed = True
        log.warning("W&B stopped tracking %s (%s)", self.experiment, _plain(error))
