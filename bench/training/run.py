"""Train one experiment in this process, or take its kept weights, and read its measures: the only place where results
are made.
"""

from __future__ import annotations

import logging
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
)  # deterministic matrix products on CUDA; read when CUDA starts

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import WandbLogger

import datamodules
from bench.errors import BenchError
from bench.ledger import provenance, series, store
from bench.ledger.new_lines import new_lines, now
from bench.ledger.store import Line
from bench.ledger.validity import valid
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure
from bench.training import tracking, trained
from datamodules.sources import DataError
from lightning_modules.scan import scan
from lightning_modules.spiking import Diverged, SpikingModule

log = logging.getLogger(__name__)
Report = Callable[[dict[str, Any]], None]
Check = Callable[[], None]  # raises SystemExit where the work must not go on


@dataclass
class Profile:
    """Seconds of one experiment: training steps, making their batches, evaluation, checkpoints, and all the rest."""

    total: float = 0.0
    steps: float = 0.0
    data: float = 0.0
    evaluation: float = 0.0
    checkpoints: float = 0.0
    before_first_step: float = 0.0

    @property
    def outside(self) -> float:
        """Share of the time that is neither a training step (with its batch) nor evaluation."""
        return (self.total - self.steps - self.data - self.evaluation) / self.total if self.total else 0.0


class _Watch(Callback):
    """Times the parts of a training, reports progress at most twice a second, and asks ``check`` after every batch."""

    def __init__(self, profile: Profile, report: Report, check: Check) -> None:
        self.profile, self.report, self.check, self.begun, self.reported = (
            profile,
            report,
            check,
            time.perf_counter(),
            0.0,
        )
        self.mark = 0.0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.profile.before_first_step = time.perf_counter() - self.begun

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, index: int) -> None:
        self.mark = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        now = time.perf_counter()
        self.profile.steps += now - self.mark
        self.check()
        if now - self.reported > 0.5:
            self.reported = now
            batches = int(trainer.num_training_batches)
            self.report(
                {"epoch": trainer.current_epoch, "epochs": trainer.max_epochs, "batch": index + 1, "batches": batches}
            )

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.mark = time.perf_counter()

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.check()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.profile.evaluation += time.perf_counter() - self.mark
        assert isinstance(module, SpikingModule)
        history = module.history
        value = history[-1].get("test/accuracy", history[-1]["test/loss"])
        self.report({"epoch": trainer.current_epoch + 1, "epochs": trainer.max_epochs, "value": value})


class _Checkpoint(Callback):
    """Keeps the state after the last whole epoch, replaced whole, so that a killed training loses one epoch at most."""

    def __init__(self, path: Path, profile: Profile) -> None:
        self.path, self.profile = path, profile

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        begun = time.perf_counter()
        new = self.path.with_suffix(".new")
        trainer.save_checkpoint(new)
        os.replace(new, self.path)
        self.profile.checkpoints += time.perf_counter() - begun


def run(
    experiment: Experiment,
    measures: tuple[Measure, ...],
    threads: int = 1,
    report: Report = lambda _: None,
    check: Check = lambda: None,
    callbacks: tuple[Callback, ...] = (),
) -> tuple[list[Line], Profile]:
    """Give the ledger lines of ``measures``: from kept weights, or after training (on from the last epoch, if one was
    saved).

    Failures are lines too. The number of ``threads`` is fixed by the caller: sums in matrix products depend on it.
    ``check`` is called after every batch and before every measure and may raise ``SystemExit``: the last whole epoch's
    checkpoint stays.
    """
    started, profile = now(), Profile()
    torch.set_num_threads(threads)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    environment = provenance.environment(device, threads)
    where: dict[str, Any] = {"environment": environment, "started_utc": started}

    def failed(measures: tuple[Measure, ...], status: str, message: str, begun: float) -> list[Line]:
        wall = round(time.perf_counter() - begun, 1)
        return [replace(line, wall_s=wall, **where) for line in new_lines(experiment, measures, status, message)]

    def attempt(begun: float, measures: tuple[Measure, ...], action: Callable[[], Any]) -> tuple[Any, list[Line]]:
        try:
            return action(), []
        except (KeyboardInterrupt, SystemExit):
            raise
        except DataError as error:
            return None, failed(measures, "data missing", str(error), begun)
        except trained.NotApplicable as error:
            return None, failed(measures, "not applicable", str(error), begun)
        except Diverged as error:
            return None, failed(measures, "diverged", str(error), begun)
        except (MemoryError, torch.cuda.OutOfMemoryError) as error:
            return None, failed(measures, "oom", str(error) or "out of memory", begun)
        except Exception as error:  # anything else: recorded, the other experiments go on
            if type(error).__name__ == "SIGTERMException":
                raise SystemExit(143) from None
            return None, failed(measures, "failed", f"{type(error).__name__}: {error}", begun)

    begun = time.perf_counter()
    kept, problem = attempt(
        begun,
        measures,
        lambda: trained.load(experiment) or _trained(experiment, profile, report, check, callbacks, where),
    )
    profile.total = time.perf_counter() - begun
    if kept is None:
        return problem, profile
    last = kept.history[-1]
    cost: dict[str, Any] = {
        "epochs": len(kept.history),
        "steps": kept.steps,
        "params": kept.params,
        "spike_rate": round(last["spike_rate"], 6) if "spike_rate" in last else None,
        "synops": round(last["synops"], 1) if "synops" in last else None,
        "checkpoint_sha256": kept.sha256,
    }
    done: list[Line] = []
    waiting = _waiting(kept)
    for measure in measures:
        check()
        if again := [line for line in waiting if valid(line, experiment, measure)]:
            done += again
            continue
        begun = time.perf_counter()
        readings, problem = attempt(begun, (measure,), lambda measure=measure: list(trained.read(kept, measure)))  # type: ignore[misc]
        done += problem
        # what is read off the history comes from the training; anything else has its own time and place
        spent = kept.origin
        if not measure.from_history:
            spent = {**where, "wall_s": round((time.perf_counter() - begun) / max(1, len(readings or ())), 1)}
            spent["wandb_run"] = kept.origin.get("wandb_run", "")
        for protocol, reading in readings or ():
            (line,) = new_lines(experiment, (measure,), "ok", "")
            done.append(replace(line, **cost, **spent, protocol=protocol, **reading.fields))
            series.write_series(experiment, measure, protocol, reading.series)
        if readings and not measure.from_history:
            with suppress(
                BenchError
            ):  # no room to save them: they are handed in all the same if nothing stops this attempt
                store.append_to(trained.readings(experiment), done[-len(readings) :])
    return done, profile


def _waiting(kept: trained.Trained) -> list[Line]:
    """What an attempt that was stopped has read off these weights already."""
    path = trained.readings(kept.experiment)
    try:
        found = store.read_file(path) if path.exists() else []
    except BenchError:  # cut off by a power failure
        path.unlink()
        found = []
    return [line for line in found if line.checkpoint_sha256 == kept.sha256]


def check(experiments: Iterable[Experiment]) -> None:
    """Build what they would train, without data, and step its neurons once. Raises ``BenchError`` for a setting that a
    neuron, network, loss, optimiser, schedule or data module does not take.
    """
    for one in {e.config_hash: e for e in experiments}.values():
        config = {**one.config, "seed": one.seed}
        try:
            datamodules.build(config["data"], config["data_settings"], config["batch_size"], one.seed)
            module = SpikingModule(config)
            module.configure_optimizers()
            for neuron in module.network.neurons:
                scan(neuron, *[torch.zeros(1, 1, neuron.size)] * neuron.inputs, backend="loop")
        except (TypeError, ValueError) as error:
            raise BenchError(f"{one}: {error}") from None


def _trained(
    experiment: Experiment,
    profile: Profile,
    report: Report,
    check: Check,
    callbacks: tuple[Callback, ...],
    where: dict[str, Any],
) -> trained.Trained:
    begun = time.perf_counter()
    _reset_peak()
    module, steps, run_id = _train(experiment, profile, report, check, callbacks)
    commit, dirty = provenance.git()
    spent = {
        "wall_s": round(time.perf_counter() - begun, 1),
        "peak_mb": _peak_mb(),
        "git_commit": commit,
        "git_dirty": dirty,
    }
    return trained.keep(experiment, module, steps, {**spent, **where, "wandb_run": run_id})


def _train(
    experiment: Experiment, profile: Profile, report: Report, check: Check, callbacks: tuple[Callback, ...]
) -> tuple[SpikingModule, int, str]:
    last = trained.folder(experiment) / "last.ckpt"
    config = {**experiment.config, "seed": experiment.seed}
    data = datamodules.build(config["data"], config["data_settings"], config["batch_size"], experiment.seed)
    data.setup("fit")
    pl.seed_everything(experiment.seed, verbose=False)
    module = SpikingModule(config)
    data.form = "events" if data.has_events and module.network.takes_events else "dense"
    watch = _Watch(profile, report, check)
    tracked = tracking.start(experiment)
    try:
        trainer = pl.Trainer(
            max_epochs=config["epochs"],
            accelerator="auto",
            devices=1,
            deterministic=True,
            gradient_clip_val=config.get("clip") or None,
            logger=WandbLogger(experiment=tracked),
            callbacks=[watch, _Checkpoint(last, profile), *callbacks],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=50,
        )
        trainer.fit(module, datamodule=data, ckpt_path=str(last) if _usable(last, config) else None)
        if trainer.interrupted:
            raise KeyboardInterrupt
        profile.data = data.seconds
        return module, trainer.global_step, "" if tracked.disabled else experiment.id
    finally:
        tracked.finish()


def _usable(checkpoint: Path, config: dict[str, Any]) -> bool:
    """Whether ``checkpoint`` is whole and of exactly this configuration; a damaged one is set aside and training starts
    over.
    """
    if not checkpoint.exists():
        return False
    try:
        return torch.load(checkpoint, map_location="cpu", weights_only=True)["hyper_parameters"]["config"] == config
    except Exception as error:
        log.warning("checkpoint %s is unusable (%s): training starts over", checkpoint, type(error).__name__)
        shutil.move(checkpoint, checkpoint.with_suffix(".damaged"))
        return False


def _reset_peak() -> None:
    with suppress(OSError):  # Linux: the high-water mark of this experiment, not of the process
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    """Peak resident memory in MB (device memory on CUDA)."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    with suppress(OSError):
        for row in Path("/proc/self/status").read_text().splitlines():
            if row.startswith("VmHWM:"):
                return round(int(row.split()[1]) / 1024, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 1024), 1)
