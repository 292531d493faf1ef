"""Tiny trained networks on a tiny N-MNIST, for the tests of measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bench.papers.roles.models import LIF
from bench.papers.roles.tasks import NMNIST
from bench.spec.experiment import Experiment
from bench.spec.model import Model
from bench.training import trained
from lightning_modules.spiking import SpikingModule
from tests.datamodules import tiny_sets

SIZES = {"train": 24, "test": 30}


def install(monkeypatch: pytest.MonkeyPatch, classes: int = 10, sizes: dict[str, int] = SIZES) -> None:
    """N-MNIST with this many recordings: events on pixels of the class's own third of the sensor, in 310 ms."""
    rng = np.random.default_rng(2)

    def recording(label: int) -> np.ndarray:
        events = tiny_sets.camera(rng, 34, 900, 310_000)
        events[:, 0] = (events[:, 0] // 3 + 3 * label) % 34
        return events

    splits = [[(recording(i % classes), i % classes) for i in range(count)] for count in sizes.values()]
    tiny_sets.install("nmnist", tiny_sets.nmnist_archives(*splits), sizes, monkeypatch)


def untrained(model: Model = LIF, gain: float = 1.0, **overrides: Any) -> trained.Trained:
    """Kept weights of a network before training (``gain`` times larger, to make it spike), as if after one epoch."""
    experiment = Experiment(
        NMNIST, model, 0, "smoke", tuple(sorted({"layers": [2312, 24, 10], "batch_size": 16, **overrides}.items()))
    )
    torch.manual_seed(1)
    state = {
        n: gain * v.detach().clone()
        for n, v in SpikingModule({**experiment.config, "seed": 0}).network.state_dict().items()
    }
    return trained.Trained(experiment, {"last": state, "best_test": state}, [{"epoch": 1}], 1, {})
