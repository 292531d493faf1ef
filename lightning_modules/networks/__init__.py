"""Networks of neurons, built from a plain configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_modules.networks.base import Activity, Network
from lightning_modules.networks.dense import Dense
from lightning_modules.networks.resnet18 import ResNet18

NETWORKS = {"dense": Dense, "resnet18": ResNet18}


def build(config: Mapping[str, Any]) -> Network:
    """The network of an experiment's ``config``. Raises ``ValueError`` for unknown names or settings, naming what is known."""
    if config["network"] not in NETWORKS:
        raise ValueError(f"unknown network {config['network']!r}; known: {', '.join(NETWORKS)}")
    settings = dict(config["neuron"])
    name = settings.pop("name")
    return NETWORKS[config["network"]](config["layers"], name, settings, config["readout"], config["recurrent"], config["init"])


__all__ = ["NETWORKS", "Activity", "Network", "build"]
