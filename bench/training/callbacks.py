"""What Lightning calls during a training: progress and times, checkpoints, costs over all attempts, W&B."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers.logger import Logger

from bench.training import memory
from bench.training.background import BackgroundWriter
from bench.training.tracking import Tracker
from lightning_modules.spiking import SpikingModule

Report = Callable[[dict[str, Any]], None]
Check = Callable[[], None]  # raises SystemExit where the work must not go on
REPORT_EVERY = 0.5  # seconds


@dataclass
class Profile:
    """Seconds of one attempt at an experiment: its training in ``total``, with steps, making their batches, evaluation
    and checkpoints; and W&B, which also takes the measures that are read after it.
    """

    total: float = 0.0
    steps: float = 0.0
    data: float = 0.0
    evaluation: float = 0.0
    checkpoints: float = 0.0
    before_first_step: float = 0.0
    tracking: float = 0.0

    @property
    def outside(self) -> float:
        """Share of the time that is neither a training step (with its batch) nor evaluation."""
        return (self.total - self.steps - self.data - self.evaluation) / self.total if self.total else 0.0


class ProgressMonitor(Callback):
    """Times the parts of a training, reports progress at most twice a second, and calls ``check`` after every batch."""

    def __init__(self, profile: Profile, report: Report, check: Check) -> None:
        self.profile = profile
        self.report = report
        self.check = check
        self.started = time.perf_counter()
        self.part_started = 0.0  # of the present batch or evaluation
        self.last_report = 0.0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.profile.before_first_step = time.perf_counter() - self.started

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, index: int) -> None:
        self.part_started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        now = time.perf_counter()
        self.profile.steps += now - self.part_started
        self.check()
        if now - self.last_report > REPORT_EVERY:
            self.last_report = now
            batches = int(trainer.num_training_batches)
            self.report(
                {"epoch": trainer.current_epoch, "epochs": trainer.max_epochs, "batch": index + 1, "batches": batches}
            )

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        started = time.perf_counter()
        if module.device.type == "cuda":
            torch.cuda.synchronize()  # the steps of this epoch are queued, and belong to the training
        self.part_started = time.perf_counter()
        self.profile.steps += self.part_started - started

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.check()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.profile.evaluation += time.perf_counter() - self.part_started
        assert isinstance(module, SpikingModule)
        record = module.history[-1]
        value = record.get("test/accuracy", record["test/loss"])
        self.report({"epoch": trainer.current_epoch + 1, "epochs": trainer.max_epochs, "value": value})


class Cost(Callback):
    """Seconds and peak memory (MB) of a training over all its attempts.

    They are in every checkpoint: an attempt that goes on from one adds its own. A killed attempt loses the seconds
    since its last whole epoch. Of experiments that are trained together each has its ``share``.
    """

    def __init__(self, share: float = 1.0) -> None:
        self.share = share
        self.started = time.perf_counter()
        self.earlier_seconds = 0.0
        self.earlier_peak_mb = 0.0

    @property
    def seconds(self) -> float:
        return self.earlier_seconds + self.share * (time.perf_counter() - self.started)

    @property
    def peak_mb(self) -> float:
        return max(self.earlier_peak_mb, round(self.share * memory.peak_mb(), 1))

    def state_dict(self) -> dict[str, float]:
        return {"seconds": self.seconds, "peak_mb": self.peak_mb}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.earlier_seconds = state_dict["seconds"]
        self.earlier_peak_mb = state_dict["peak_mb"]


class Checkpoint(Callback):
    """Saves the state after every epoch. The file is replaced whole, so that a killed training loses one epoch at
    most; on a card, where ``BackgroundWriter`` writes it, two.
    """

    def __init__(self, path: Path, profile: Profile) -> None:
        self.path = path
        self.profile = profile

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        started = time.perf_counter()
        if isinstance(trainer.strategy.checkpoint_io, BackgroundWriter):
            trainer.save_checkpoint(self.path)
        else:
            new = self.path.with_suffix(".new")
            trainer.save_checkpoint(new)
            os.replace(new, self.path)
        self.profile.checkpoints += time.perf_counter() - started


class MetricLogger(Logger):
    """Hands the metrics that the module logs to ``tracker``."""

    def __init__(self, tracker: Tracker) -> None:
        super().__init__()
        self.tracker = tracker

    @property
    def name(self) -> str:
        return "wandb"

    @property
    def version(self) -> str:
        return self.tracker.id

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.tracker.log({**metrics, "trainer/global_step": step})

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run has the experiment's settings already."""
