"""Train one experiment in this process, or take its saved weights, and read its measures: the only place where results
are made.
"""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

import datamodules
from bench.errors import BenchError
from bench.ledger import correct, histories, provenance, series, store
from bench.ledger.new_lines import new_lines, now
from bench.ledger.store import SETTLED, Line
from bench.ledger.validity import valid
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure
from bench.training import memory, trained
from bench.training.callbacks import Check, Checkpoint, Cost, MetricLogger, Profile, ProgressMonitor, Report
from bench.training.libraries import device, libraries
from bench.training.tracking import Compare, Tracker
from bench.training.trained import NotApplicable, Reading, Trained
from bench.training.trainer import device as training_device
from bench.training.trainer import new_trainer
from datamodules.base import SequenceData
from datamodules.sources import DataError
from lightning_modules.graphed_training import GraphedModule
from lightning_modules.scan import outcomes, scan
from lightning_modules.spiking import Diverged, SpikingModule
from lightning_modules.together import Member

log = logging.getLogger(__name__)
EVALUATED_TOGETHER = 4  # batches of an evaluation on a card, which one of them does not fill


def run(
    experiment: Experiment,
    measures: tuple[Measure, ...],
    threads: int = 1,
    report: Report = lambda _: None,
    check: Check = lambda: None,
    callbacks: tuple[Callback, ...] = (),
    kind: str = "",
    context: Mapping[str, Sequence[Any]] | None = None,
    compare: Compare = lambda _: {},
    member: Member | None = None,
) -> tuple[list[Line], Profile]:
    """Give the ledger lines of ``measures``: from saved weights, or after training (on from the last epoch, if one was
    saved).

    Failures are lines too. The number of ``threads`` is fixed by the caller: sums in matrix products depend on it.
    ``check`` is called after every batch and before every measure and may raise ``SystemExit``: the last whole epoch's
    checkpoint stays. ``kind``, ``context`` and ``compare`` are for W&B, see ``tracking.Tracker``. ``member``: of the
    group that it is trained with.
    """
    memory.keep_freed()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)  # the Trainer's setting, for measures of kept weights too
    environment = provenance.environment(device(), threads, libraries())
    facts = {"environment": environment, "device": device()}
    tracker = Tracker(experiment, kind, facts, context, compare, beside_others=member is not None)
    origin = {"environment": environment, "started_utc": now()}
    attempt = _Attempt(experiment, origin, tracker, report, check, callbacks, member)
    exit_code = 0
    try:
        lines = attempt.lines(measures)
        exit_code = int(attempt.trained is None)
    finally:
        tracker.finish(exit_code)
        attempt.profile.tracking = tracker.seconds
    return lines, attempt.profile


@dataclass
class _Attempt:
    """An attempt at an experiment. ``origin``: environment and start of what is made by it, as in the ledger."""

    experiment: Experiment
    origin: dict[str, Any]
    tracker: Tracker
    report: Report
    check: Check
    callbacks: tuple[Callback, ...]
    member: Member | None = None
    profile: Profile = field(default_factory=Profile)
    trained: Trained | None = None
    series: dict[str, dict[str, list]] = field(default_factory=dict)  # of new readings, by "measure/protocol"

    def lines(self, measures: tuple[Measure, ...]) -> list[Line]:
        """Ledger lines of ``measures``; of a training that failed, the same failure for each."""
        cost = Cost(self.member.share if self.member else 1.0)
        try:
            self.trained = trained.load(self.experiment) or self._train(cost)
        except Exception as error:  # of any kind: recorded, the other experiments go on
            return self._failures(measures, error, cost.seconds)
        finally:
            self.profile.total = time.perf_counter() - cost.started
        if self.member is not None:
            self.member.end()
        pending = _pending_readings(self.trained)
        lines: list[Line] = []
        for measure in measures:
            self.check()
            known = [line for line in pending if valid(line, self.experiment, measure)]
            lines += known or self._read(self.trained, measure)
        if any(line.status in SETTLED for line in lines):
            _write_history(self.trained)
        if any(line.status == "ok" for line in lines):
            self._summarise(self.trained, lines)
        return lines

    def _summarise(self, weights: Trained, lines: list[Line]) -> None:
        """Give W&B everything that is known of ``weights``, in a run of its own where the training was an earlier
        one.
        """
        if self.tracker.run is None:
            environment = weights.origin.get("environment", "")
            self.tracker.start(
                resume=True,
                parameters=weights.params,
                commit=weights.origin.get("git_commit"),
                dirty=weights.origin.get("git_dirty"),
                environment=environment,
                device=provenance.device_of(environment),
            )
            lines = [*_recorded(weights), *lines]
        self.tracker.summarise(weights.history, weights.origin | weights.fields, lines, self.series)

    def _train(self, cost: Cost) -> Trained:
        memory.reset_peak()
        progress = ProgressMonitor(self.profile, self.report, self.check)
        checkpoint = Checkpoint(trained.checkpoint_file(self.experiment), self.profile)
        callbacks = [progress, cost, checkpoint, *self.callbacks]
        module, steps = _train(self.experiment, callbacks, self.tracker, self.profile, self.member)
        commit, dirty = provenance.git()
        origin = {"wall_s": round(cost.seconds, 1), "peak_mb": cost.peak_mb, "git_commit": commit, "git_dirty": dirty}
        return trained.save(self.experiment, module, steps, {**origin, **self.origin, "wandb_run": self.tracker.id})

    def _read(self, weights: Trained, measure: Measure) -> list[Line]:
        """Lines of ``measure``; those that took time of their own wait in a file until they are in the ledger."""
        started = time.perf_counter()
        try:
            readings = list(trained.read(weights, measure))
            _check_finite(readings)
        except Exception as error:
            failures = self._failures((measure,), error, time.perf_counter() - started)
            return [replace(line, checkpoint_sha256=weights.sha256) for line in failures]
        origin = weights.origin  # what is read off the history comes from the training
        if not measure.from_history:
            seconds = round((time.perf_counter() - started) / max(1, len(readings)), 1)
            origin = {**self.origin, "wall_s": seconds, "wandb_run": weights.origin.get("wandb_run", "")}
        lines = [self._line(weights, measure, protocol, reading, origin) for protocol, reading in readings]
        if lines and not measure.from_history:
            with suppress(BenchError):  # no room to save them: they are handed in all the same if nothing stops this
                store.append_to(trained.readings(self.experiment), lines)
        return lines

    def _line(
        self, weights: Trained, measure: Measure, protocol: str, reading: Reading, origin: dict[str, Any]
    ) -> Line:
        series.write_series(self.experiment, measure, protocol, reading.series)
        if reading.series:
            self.series[f"{measure.name}/{protocol}"] = reading.series
        (line,) = new_lines(self.experiment, (measure,), "ok", "")
        return replace(line, **weights.fields, **origin, protocol=protocol, **reading.fields)

    def _failures(self, measures: tuple[Measure, ...], error: Exception, seconds: float) -> list[Line]:
        if type(error).__name__ == "SIGTERMException":  # Lightning's own
            raise SystemExit(143) from None
        status, text = _status(error)
        if status == "oom" and self.member is not None:
            text += f"; {len(self.member.group.members)} were trained together, --together takes fewer"
        lines = new_lines(self.experiment, measures, status, text)
        return [replace(line, wall_s=round(seconds, 1), **self.origin) for line in lines]


def _check_finite(readings: Iterable[tuple[str, Reading]]) -> None:
    """Raise ``ArithmeticError`` for a value that is no finite number."""
    for protocol, reading in readings:
        for name, value in reading.fields.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ArithmeticError(f"{name} is {value} ({protocol})")


def _status(error: Exception) -> tuple[str, str]:
    """Status and message of an experiment's end by ``error``, as in the ledger."""
    match error:
        case DataError():
            return "data missing", str(error)
        case NotApplicable():
            return "not applicable", str(error)
        case Diverged():
            return "diverged", str(error)
    if memory.is_exhausted(error):
        return "oom", str(error) or "out of memory"
    return "failed", f"{type(error).__name__}: {error}"


def _write_history(weights: Trained) -> None:
    """Write history and correctness of ``weights``; equal files are left alone."""
    histories.write(weights.experiment, weights.history, weights.steps)
    bools = {protocol: values.numpy() for protocol, values in weights.correct.items()}
    correct.write(weights.experiment, bools)


def _pending_readings(weights: Trained) -> list[Line]:
    """Lines that an attempt which was stopped has read off these weights."""
    path = trained.readings(weights.experiment)
    try:
        lines = store.read_file(path) if path.exists() else []
    except BenchError:  # cut off by a power failure
        path.unlink()
        lines = []
    return [line for line in lines if line.checkpoint_sha256 == weights.sha256]


def _recorded(weights: Trained) -> list[Line]:
    """What the ledger has of these weights, as far as it can be read."""
    experiment = weights.experiment
    with suppress(BenchError):
        lines = store.read(only=[experiment.task.name])
        return [x for x in lines if (x.experiment, x.checkpoint_sha256) == (experiment.id, weights.sha256)]
    return []


def check(experiments: Iterable[Experiment]) -> None:
    """Build what they would train, without data, and step its neurons once. Raises ``BenchError`` for a setting that a
    neuron, network, loss, optimiser, schedule or data module does not take.
    """
    for experiment in {e.config_hash: e for e in experiments}.values():
        config = {**experiment.config, "seed": experiment.seed}
        try:
            datamodules.build(config["data"], config["data_settings"], config["batch_size"], experiment.seed)
            module = SpikingModule(config)
            module.configure_optimizers()
            for neuron in module.network.neurons:
                scan(neuron, *[torch.zeros(1, 1, neuron.size)] * neuron.inputs, backend="loop")
        except (TypeError, ValueError, ArithmeticError) as error:
            raise BenchError(f"{experiment}: {error}") from None
        except (MemoryError, RuntimeError) as error:
            if not memory.is_exhausted(error):
                raise
            reason = str(error).strip().splitlines() or ["out of memory"]
            raise BenchError(f"{experiment} needs more memory than there is here: {reason[0]}") from None


def together(experiment: Experiment) -> bool:
    """Whether experiments of the form of ``experiment`` can share their training steps here: on a card that has passed
    its check, where a step is one graph.
    """
    on_card = training_device()
    if on_card.type != "cuda" or outcomes.problem(on_card) or trained.load(experiment) is not None:
        return False
    with suppress(Exception):  # settings that no network takes are a failure where they are trained
        return GraphedModule({**experiment.config, "seed": experiment.seed}).capturable
    return False


def _train(
    experiment: Experiment, callbacks: list[Callback], tracker: Tracker, profile: Profile, member: Member | None
) -> tuple[SpikingModule, int]:
    """The trained module and its optimiser steps, on from the checkpoint where there is one."""
    checkpoint = trained.checkpoint_file(experiment)
    config = {**experiment.config, "seed": experiment.seed}
    data = datamodules.build(config["data"], config["data_settings"], config["batch_size"], experiment.seed)
    data.setup("fit")
    pl.seed_everything(experiment.seed, verbose=False)
    module = (GraphedModule if training_device().type == "cuda" else SpikingModule)(config)
    if isinstance(module, GraphedModule):
        module.member = member
    _choose_form(data, module)
    usable = _usable(checkpoint, config)
    tracker.start(resume=usable, parameters=module.network.parameter_count)
    trainer = new_trainer(
        max_epochs=config["epochs"],
        gradient_clip_val=config.get("clip") or None,
        logger=MetricLogger(tracker),
        callbacks=callbacks,
    )
    trainer.fit(module, datamodule=data, ckpt_path=str(checkpoint) if usable else None)
    if trainer.interrupted:
        raise KeyboardInterrupt
    profile.data = data.seconds
    _check_whole(module, trainer.global_step, data)
    return module, trainer.global_step


def _choose_form(data: SequenceData, module: SpikingModule) -> None:
    """Let ``data`` make batches for where ``module`` is trained: on the CPU events for a network that takes them.

    A network whose states are drawn at every pass draws those of a test batch for its place in it: such batches are not
    joined.
    """
    device = training_device()
    if device.type == "cuda":
        drawn = getattr(module.network, "start", "own") != "own"
        data.place(device, together=1 if drawn else EVALUATED_TOGETHER)
    else:
        data.form = "events" if data.has_events and module.network.takes_events else "dense"


def _check_whole(module: SpikingModule, steps: int, data: SequenceData) -> None:
    """Raise ``RuntimeError`` for a training that is not what its recipe says, and ``Diverged`` for a metric that is not
    finite.
    """
    epochs = module.config["epochs"]
    batches = len(data.train_dataloader())
    tested = data.test_batches().count
    records = module.history
    for name, number, wanted in (
        ("epochs", [record["epoch"] for record in records], [*range(1, epochs + 1)]),
        ("optimiser steps", steps, epochs * batches),
        ("test samples", {record["n_test"] for record in records}, {tested}),
    ):
        if number != wanted:
            raise RuntimeError(f"the training is not what its recipe says: {name} {number} instead of {wanted}")
    for record in records:
        for name, value in record.items():
            if not math.isfinite(value):
                raise Diverged(f"{name} is {value} after epoch {record['epoch']}")


def _usable(checkpoint: Path, config: dict[str, Any]) -> bool:
    """Whether ``checkpoint`` is whole and of exactly this configuration; a damaged one is set aside and training starts
    over.
    """
    if not checkpoint.exists():
        return False
    try:
        return torch.load(checkpoint, map_location="cpu", weights_only=True)["hyper_parameters"]["config"] == config
    except Exception as error:
        if memory.is_exhausted(error):
            raise
        log.warning("checkpoint %s is unusable (%s): training starts over", checkpoint, type(error).__name__)
        shutil.move(checkpoint, checkpoint.with_suffix(".damaged"))
        return False
