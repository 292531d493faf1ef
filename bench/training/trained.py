"""A trained experiment: its kept weights and history, and how measures are read from them."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
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
from datamodules.base import SequenceData
from lightning_modules.spiking import SpikingModule

log = logging.getLogger(__name__)


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
    """What is kept of a finished training. ``states``: weights of the network by protocol (last, best_test; best_val
    where there is validation data).
    """

    experiment: Experiment
    states: dict[str, dict[str, Tensor]]
    history: list[dict[str, Any]]
    steps: int
    origin: dict[str, Any]  # of the training, as in the ledger: wall_s, peak_mb, git_commit, git_dirty, environment, …

    @cached_property
    def sha256(self) -> str:
        """Of the weights after the last epoch."""
        digest = hashlib.sha256()
        for name, value in sorted(self.states["last"].items()):
            digest.update(f"network.{name}".encode())
            digest.update(value.contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
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
    """Where checkpoints and weights of ``experiment`` are kept."""
    return paths.home() / "experiments" / experiment.id


def keep(experiment: Experiment, module: SpikingModule, steps: int, origin: dict[str, Any]) -> Trained:
    """Save weights and history of a finished training, whole or not at all; the training checkpoint is no longer
    needed.
    """
    last = {name: value.detach().cpu().contiguous() for name, value in module.network.state_dict().items()}
    kept = Trained(experiment, {"last": last, **module.best}, module.history, steps, origin)
    path = folder(experiment) / "weights.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {name: getattr(kept, name) for name in ("states", "history", "steps", "origin", "sha256")} | {
        "id": experiment.id
    }
    torch.save(content, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)
    with suppress(FileNotFoundError):
        (folder(experiment) / "last.ckpt").unlink()
    return kept


def load(experiment: Experiment) -> Trained | None:
    """The kept weights of ``experiment``, or ``None``. Damaged ones are set aside with a message: training repeats
    them.
    """
    path = folder(experiment) / "weights.pt"
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["id"] != experiment.id:  # the folder's name holds config, data and versions
            raise ValueError(f"of experiment {content['id']}")
        kept = Trained(experiment, *(content[name] for name in ("states", "history", "steps", "origin")))
        if kept.sha256 != content["sha256"]:
            raise ValueError("another sha256 than when it was written")
    except Exception as error:
        log.warning("weights %s are unusable (%s: %s): training starts over", path, type(error).__name__, error)
        shutil.move(path, path.with_suffix(".damaged"))
        return None
    return kept


def readings(experiment: Experiment) -> Path:
    """Where ledger lines wait that were read off the weights for this results folder, until they are handed in."""
    return folder(experiment) / f"readings-{folder_key(paths.results())}.csv"


def _equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


def read(kept: Trained, measure: Measure) -> Iterator[tuple[str, Reading]]:
    """``(protocol, reading)`` of ``measure``, read once where the best epoch was the last. Raises ``NotApplicable``."""
    if measure.reader:
        module, function = measure.reader.split(":")
        reader = getattr(import_module(f"bench.measures.{module}"), function)
        known: list[tuple[dict[str, Tensor], Reading]] = []
        for protocol in measure.protocols:
            states = kept.states.get(protocol, {})
            reading = next((r for others, r in known if _equal(others, states)), None)
            if reading is None:
                torch.manual_seed(kept.experiment.seed)
                np.random.seed(kept.experiment.seed)  # Tonic's transforms draw from it
                reading = reader(kept, protocol, **measure.settings)
                known.append((states, reading))
            yield protocol, reading
        return
    if measure.key not in kept.history[-1]:
        raise NotApplicable(f"{measure.title} is not recorded for task {kept.experiment.task.name}")
    pick = max if measure.best == "max" else min
    chosen = {
        "last": kept.history[-1],
        "best_test": pick(kept.history, key=lambda record: record[measure.key]),
    }  # the first of equals
    if (validated := measure.key.replace("test/", "val/")) != measure.key and validated in kept.history[-1]:
        chosen["best_val"] = pick(kept.history, key=lambda record: record[validated])
    for protocol, record in chosen.items():
        yield (
            protocol,
            Reading(round(record[measure.key], 4 if measure.unit else 7), int(record["n_test"]), int(record["epoch"])),
        )
