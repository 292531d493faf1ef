"""What is trained on: one file per data set, and where each comes from (``sources``). Importing this imports no torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datamodules.base import SequenceData

MODULES = {
    "delayed-xor": "datamodules.xor:DelayedXOR",
    "mnist": "datamodules.mnist:MNIST",
}


def build(name: str, settings: dict[str, Any], batch_size: int, seed: int) -> SequenceData:
    """The LightningDataModule of source ``name``. Raises ``ValueError`` for an unknown name, ``TypeError`` for an unknown setting."""
    if name not in MODULES:
        raise ValueError(f"unknown data set {name!r}; known: {', '.join(MODULES)}")
    module, cls = MODULES[name].split(":")
    return getattr(import_module(module), cls)(batch_size=batch_size, seed=seed, **settings)
