"""A trained experiment: its saved weights and history, and how measures are read off them."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import datamodules
from bench import paths
from bench.ledger.locks import folder_key
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure
from bench.training import memory
from datamodules.base import SequenceData
from lightning_modules.spiking import SpikingModule

log = logging.getLogger(__name__)
_SAVED = ("states", "history", "steps", "origin")  # fields of ``Trained`` in every file of weights


class NotApplicable(Exception):
    """A measure was asked of a model that cannot have it; the message says why."""


@dataclass(frozen=True)
class Reading:
    """A measure's value. ``series``: columns of equal length behind it (a curve, a distribution), kept for figures."""

    value: float
    n_test: int | None = None
    epoch: int | None = None
    energy_nj: float | None = None
    energy_convention: str = ""
    series: dict[str, list] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Any]:
        """Its part of a ledger line."""
        return {k: round(v, 7) if isinstance(v, float) else v for k, v in vars(self).items() if k != "series"}


@dataclass(frozen=True)
class Trained:
    """What is saved of a finished training. ``states``: weights of the network by protocol (last, best_test; best_val
    where there is validation data). ``correct``: by protocol a bool for each test sample in the order of the test set,
    whether it is decided right; empty for a task without one class a sample.
    """

    experiment: Experiment
    states: dict[str, dict[str, Tensor]]
    history: list[dict[str, Any]]
    steps: int
    origin: dict[str, Any]  # of the training, as in the ledger: wall_s, peak_mb, git_commit, git_dirty, environment, …
    correct: dict[str, Tensor] = field(default_factory=dict)

    @cached_property
    def sha256(self) -> str:
        """Of the weights after the last epoch."""
        digest = hashlib.sha256()
        for name, value in sorted(self.states["last"].items()):
            digest.update(f"network.{name}".encode())
            digest.update(value.contiguous().numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def fields(self) -> dict[str, Any]:
        """Its part of the ledger line of each measure that is read off it."""
        last = self.history[-1]
        return {
            "epochs": len(self.history),
            "steps": self.steps,
            "params": self.params,
            "spike_rate": round(last["spike_rate"], 6) if "spike_rate" in last else None,
            "synops": round(last["synops"], 1) if "synops" in last else None,
            "checkpoint_sha256": self.sha256,
        }

    @cached_property
    def params(self) -> int:
        return self.module("last", "cpu").network.parameter_count

    def module(self, protocol: str, device: str | None = None) -> SpikingModule:
        """The LightningModule with the weights of ``protocol``, in eval mode, on the GPU if there is one."""
        module = SpikingModule({**self.experiment.config, "seed": self.experiment.seed})
        module.network.load_state_dict(self.states[protocol])
        return module.to(device or ("cuda" if torch.cuda.is_available() else "cpu")).eval()

    def data(self, stage: str = "fit", **changes: Any) -> SequenceData:
        """Its data module, set up (for ``stage`` "test" the test set alone); ``changes`` replace data settings (another
        resolution, …).
        """
        config = self.experiment.config
        data = datamodules.build(
            config["data"], {**config["data_settings"], **changes}, config["batch_size"], self.experiment.seed
        )
        data.setup(stage)
        return data


def folder(experiment: Experiment) -> Path:
    """Where checkpoint and weights of ``experiment`` are saved."""
    return paths.home() / "experiments" / experiment.id


def checkpoint_file(experiment: Experiment) -> Path:
    """The state after the last whole epoch, while ``experiment`` is trained."""
    return folder(experiment) / "last.ckpt"


def _weights_file(experiment: Experiment) -> Path:
    return folder(experiment) / "weights.pt"


def save(experiment: Experiment, module: SpikingModule, steps: int, origin: dict[str, Any]) -> Trained:
    """Save weights and history of a finished training, whole or not at all; the training checkpoint is no longer
    needed.
    """
    last = {name: value.detach().cpu().contiguous() for name, value in module.network.state_dict().items()}
    states = {"last": last, **module.best}
    trained = Trained(experiment, states, module.history, steps, origin, module.correctness)
    write(trained)
    checkpoint_file(experiment).unlink(missing_ok=True)
    return trained


def write(trained: Trained) -> None:
    """Write the file of weights that ``load`` reads, whole or not at all."""
    path = _weights_file(trained.experiment)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {name: getattr(trained, name) for name in (*_SAVED, "correct", "sha256")} | {"id": trained.experiment.id}
    unfinished = path.with_suffix(".new")
    try:
        torch.save(content, unfinished)
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def load(experiment: Experiment) -> Trained | None:
    """The saved weights of ``experiment``, or ``None``. Damaged ones are set aside with a message: training repeats
    them.
    """
    path = _weights_file(experiment)
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["id"] != experiment.id:  # the folder's name holds config, data and versions
            raise ValueError(f"of experiment {content['id']}")
        saved = {name: content[name] for name in _SAVED}
        correct = content.get("correct", {})  # not in weights of an earlier version
        trained = Trained(experiment, **saved, correct=correct)
        if trained.sha256 != content["sha256"]:
            raise ValueError("another sha256 than when it was written")
        if len(trained.history) != experiment.config["epochs"]:
            raise ValueError(f"{len(trained.history)} epochs instead of {experiment.config['epochs']}")
    except Exception as error:
        if memory.is_exhausted(error):
            raise
        log.warning("weights %s are unusable (%s: %s): training starts over", path, type(error).__name__, error)
        shutil.move(path, path.with_suffix(".damaged"))
        return None
    return trained


def readings(experiment: Experiment) -> Path:
    """Where ledger lines wait that were read off the weights for this results folder, until they are handed in."""
    return folder(experiment) / f"readings-{folder_key(paths.results())}.csv"


def read(trained: Trained, measure: Measure) -> Iterator[tuple[str, Reading]]:
    """``(protocol, reading)`` of ``measure``. Raises ``NotApplicable``."""
    return _from_weights(trained, measure) if measure.reader else _from_history(trained, measure)


def _from_weights(trained: Trained, measure: Measure) -> Iterator[tuple[str, Reading]]:
    """Call the measure's reader for each protocol, once for those with equal weights."""
    module, function = measure.reader.split(":")
    reader = getattr(import_module(module if "." in module else f"bench.measures.{module}"), function)
    known: list[tuple[dict[str, Tensor], Reading]] = []
    for protocol in measure.protocols:
        weights = trained.states.get(protocol, {})
        reading = next((reading for others, reading in known if _equal(others, weights)), None)
        if reading is None:
            torch.manual_seed(trained.experiment.seed)
            np.random.seed(trained.experiment.seed)  # Tonic's transforms draw from it
            reading = reader(trained, protocol, **measure.settings)
            known.append((weights, reading))
        yield protocol, reading


def _equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


def _from_history(trained: Trained, measure: Measure) -> Iterator[tuple[str, Reading]]:
    """The measure's key at the epoch that each protocol chooses, the first of equals."""
    history = trained.history
    if measure.key not in history[-1]:
        raise NotApplicable(f"{measure.title} is not recorded for task {trained.experiment.task.name}")
    best = max if measure.best == "max" else min
    records = {"last": history[-1]}
    if "best_test" in measure.protocols:
        records["best_test"] = best(history, key=lambda record: record[measure.key])
        validated = measure.key.replace("test/", "val/")
        if validated != measure.key and validated in history[-1]:
            records["best_val"] = best(history, key=lambda record: record[validated])
    for protocol, record in records.items():
        value = round(record[measure.key], 4 if measure.unit else 7)
        yield protocol, Reading(value, int(record["n_test"]), int(record["epoch"]))
