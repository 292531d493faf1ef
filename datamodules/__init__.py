"""The data sets: one file each; ``sources`` says where each comes from. Importing this imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datamodules.base import SequenceData

MadeBy = str | Callable[..., Mapping[str, tuple[Any, Any]]]  # "module:Class", or a function that gives arrays
MODULES: dict[str, MadeBy] = {
    "delayed-xor": "datamodules.xor:DelayedXOR",
    "mnist": "datamodules.mnist:MNIST",
    "sequential-mnist": "datamodules.sequential_mnist:SequentialMNIST",
    "adding": "datamodules.memory_tasks:Adding",
    "copy-memory": "datamodules.memory_tasks:CopyMemory",
    "shd": "datamodules.shd:SHD",
    "ssc": "datamodules.shd:SSC",
    "nmnist": "datamodules.nmnist:NMNIST",
    "nmnist-subset": "datamodules.nmnist:NMNISTSubset",
    "nmnist-7": "datamodules.nmnist:NMNIST7",
    "nmnist-standin": "datamodules.nmnist:NMNISTStandin",
    "spoken-digits-standin": "datamodules.shd:SpokenDigits",
    "dvs-gesture": "datamodules.dvs_gesture:DVSGesture",
    "dvs-gesture-clips": "datamodules.dvs_gesture:DVSClips",
    "cifar10": "datamodules.cifar10:CIFAR10",
    "cifar10-subset": "datamodules.cifar10:CIFAR10Subset",
}


def build(name: str, settings: dict[str, Any], batch_size: int, seed: int) -> SequenceData:
    """The LightningDataModule of source ``name``.

    Raises ``ValueError`` for an unknown name, ``TypeError`` for an unknown setting.
    """
    if name not in MODULES:
        raise ValueError(f"unknown data set {name!r}; known: {', '.join(MODULES)}")
    made_by = MODULES[name]
    if not isinstance(made_by, str):
        from datamodules.arrays import Arrays  # loads torch

        return Arrays(made_by, name, batch_size, seed, **settings)
    module, cls = made_by.split(":")
    return getattr(import_module(module), cls)(batch_size=batch_size, seed=seed, **settings)
