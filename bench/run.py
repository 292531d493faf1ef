"""Train one experiment in this process and read its measures: the only place where ledger lines are made from training."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic matrix products on CUDA; read when CUDA starts

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import WandbLogger

import datamodules
from bench import paths, provenance, tracking
from bench.experiment import Experiment, Measure
from bench.ledger import Line
from bench.unfinished import now, unfinished
from datamodules.sources import DataError
from lightning_modules.spiking import Diverged, SpikingModule

Report = Callable[[dict[str, Any]], None]


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
    """Times the parts of a training and reports progress at most twice a second."""

    def __init__(self, profile: Profile, report: Report) -> None:
        self.profile, self.report, self.begun, self.reported = profile, report, time.perf_counter(), 0.0
        self.mark = 0.0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.profile.before_first_step = time.perf_counter() - self.begun

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, index: int) -> None:
        self.mark = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int) -> None:
        now = time.perf_counter()
        self.profile.steps += now - self.mark
        if now - self.reported > 0.5:
            self.reported = now
            batches = int(trainer.num_training_batches)
            self.report({"epoch": trainer.current_epoch, "epochs": trainer.max_epochs, "batch": index + 1, "batches": batches})

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.mark = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.profile.evaluation += time.perf_counter() - self.mark
        assert isinstance(module, SpikingModule)
        history = module.history
        self.report({"epoch": trainer.current_epoch + 1, "epochs": trainer.max_epochs, "accuracy": history[-1]["test/accuracy"]})


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


def folder(experiment: Experiment) -> Path:
    """Where checkpoints and weights of ``experiment`` are kept."""
    return paths.home() / "experiments" / experiment.id


def run(
    experiment: Experiment, measures: tuple[Measure, ...], threads: int = 1, report: Report = lambda _: None
) -> tuple[list[Line], Profile]:
    """Train ``experiment`` (or go on from its last epoch) and give its ledger lines; failures are lines too.

    The number of ``threads`` is fixed by the caller: sums in matrix products depend on it.
    """
    begun, started, profile = time.perf_counter(), now(), Profile()
    torch.set_num_threads(threads)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    environment = provenance.environment(device, threads)
    _reset_peak()
    try:
        module, steps = _train(experiment, profile, report)
    except (KeyboardInterrupt, SystemExit):
        raise
    except DataError as error:
        status, message = "data missing", str(error)
    except Diverged as error:
        status, message = "diverged", str(error)
    except torch.cuda.OutOfMemoryError as error:
        status, message = "oom", str(error)
    except MemoryError as error:
        status, message = "oom", str(error) or "out of memory"
    except Exception as error:  # anything else: recorded, the other experiments go on
        if type(error).__name__ == "SIGTERMException":
            raise SystemExit(143) from None
        status, message = "failed", f"{type(error).__name__}: {error}"
    else:
        profile.total = time.perf_counter() - begun
        weights = _keep(experiment, module)
        last = module.history[-1]
        cost: dict[str, Any] = {
            "wall_s": round(profile.total, 1),
            "epochs": len(module.history),
            "steps": steps,
            "params": sum(p.numel() for p in module.parameters()),
            "peak_mb": _peak_mb(),
            "spike_rate": round(last["spike_rate"], 6),
            "synops": round(last["synops"], 1),
            "wandb_run": experiment.id,
            "checkpoint_sha256": weights,
            "environment": environment,
            "started_utc": started,
        }
        lines = unfinished(experiment, measures, "ok", "")
        return [replace(read, **cost) for line in lines for read in _read(line, module)], profile
    profile.total = time.perf_counter() - begun
    cost = {"wall_s": round(profile.total, 1), "environment": environment, "started_utc": started}
    return [replace(line, **cost) for line in unfinished(experiment, measures, status, message)], profile


def _train(experiment: Experiment, profile: Profile, report: Report) -> tuple[SpikingModule, int]:
    last = folder(experiment) / "last.ckpt"
    config = {**experiment.config, "seed": experiment.seed}
    data = datamodules.build(config["data"], config["data_settings"], config["batch_size"], experiment.seed)
    data.setup("fit")
    pl.seed_everything(experiment.seed, verbose=False)
    module = SpikingModule(config)
    watch = _Watch(profile, report)
    tracked = tracking.start(experiment)
    try:
        trainer = pl.Trainer(
            max_epochs=config["epochs"],
            accelerator="auto",
            devices=1,
            deterministic=True,
            logger=WandbLogger(experiment=tracked),
            callbacks=[watch, _Checkpoint(last, profile)],
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
        return module, trainer.global_step
    finally:
        tracked.finish()


def _usable(checkpoint: Path, config: dict[str, Any]) -> bool:
    """Whether ``checkpoint`` is whole and of exactly this configuration; a damaged one is set aside and training starts over."""
    if not checkpoint.exists():
        return False
    try:
        return torch.load(checkpoint, map_location="cpu", weights_only=True)["hyper_parameters"]["config"] == config
    except Exception as error:
        print(f"checkpoint {checkpoint} is unusable ({type(error).__name__}): training starts over", file=sys.stderr)
        shutil.move(checkpoint, checkpoint.with_suffix(".damaged"))
        return False


def _keep(experiment: Experiment, module: SpikingModule) -> str:
    """Save the final weights; their sha256. The training checkpoint is no longer needed."""
    path = folder(experiment) / "weights.pt"
    state = {name: value.detach().cpu().contiguous() for name, value in sorted(module.state_dict().items())}
    torch.save({"config": experiment.config, "seed": experiment.seed, "versions": experiment.versions, "state": state}, path)
    with suppress(FileNotFoundError):
        (folder(experiment) / "last.ckpt").unlink()
    digest = hashlib.sha256()
    for name, value in state.items():
        digest.update(name.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _read(line: Line, module: SpikingModule) -> list[Line]:
    """``line`` with its measure's value, once a protocol."""
    history = module.history
    best = max(history, key=lambda record: record["test/accuracy"])  # the first of equals
    chosen = {"last": history[-1], "best_test": best}
    return [
        replace(line, value=round(record["test/accuracy"], 4), protocol=protocol, epoch=int(record["epoch"]), n_test=int(record["n_test"]))
        for protocol, record in chosen.items()
    ]


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
