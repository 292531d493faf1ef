"""The Trainer of every experiment: one process on one device, whatever variables of other tools are set."""

from __future__ import annotations

import inspect
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import ClusterEnvironment

from bench.training.background import BackgroundWriter

# Defaults of Lightning's Trainer, given explicitly: it would take them from variables PL_TRAINER_… otherwise
DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(pl.Trainer.__init__).parameters.items()
    if parameter.default is not inspect.Parameter.empty
}
OURS: dict[str, Any] = {
    "devices": 1,
    "num_nodes": 1,
    "precision": "32-true",
    "deterministic": True,
    "benchmark": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "log_every_n_steps": 50,
}


class OneProcess(ClusterEnvironment):
    """This process alone. Variables of Slurm, torchrun, MPI and Kubeflow would make it one of several ranks."""

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return "127.0.0.1"

    @property
    def main_port(self) -> int:
        return 0

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return 1

    def set_world_size(self, size: int) -> None:
        """Nothing: there is one process."""

    def global_rank(self) -> int:
        return 0

    def set_global_rank(self, rank: int) -> None:
        """Nothing: the only process has rank 0."""

    def local_rank(self) -> int:
        return 0

    def node_rank(self) -> int:
        return 0


def new_trainer(**settings: Any) -> pl.Trainer:
    """A Trainer with ``settings``. Every argument is given, so that no variable of the environment decides one."""
    chosen = {"accelerator": "cuda" if device().type == "cuda" else "cpu", "plugins": plugins()}
    return pl.Trainer(**{**DEFAULTS, **OURS, **chosen, **settings})


def plugins() -> list[Any]:
    """What Lightning's Trainer gets of ours. On a card checkpoints are written while the next epoch runs."""
    return [OneProcess(), *([BackgroundWriter()] if device().type == "cuda" else [])]


def device() -> torch.device:
    """Where trainings run: on the first card that is visible, or on the CPU. Lightning would also take other devices,
    which lack float64 or deterministic algorithms.
    """
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
