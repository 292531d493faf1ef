"""Networks of neurons, built from a plain configuration."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from lightning_modules.networks.base import Activity, Network
from lightning_modules.networks.dense import Dense
from lightning_modules.networks.indrnn import IndRNNNetwork
from lightning_modules.networks.lsnn import LSNNNetwork
from lightning_modules.networks.resnet18 import ResNet18
from lightning_modules.networks.rnn import RNN
from lightning_modules.networks.tcn import TCN

NETWORKS = {"dense": Dense, "resnet18": ResNet18, "rnn": RNN, "indrnn": IndRNNNetwork, "tcn": TCN, "lsnn": LSNNNetwork}


def build(config: Mapping[str, Any]) -> Network:
    """The network of an experiment's ``config``. Raises ``ValueError``, naming the known names or settings."""
    if config["network"] not in NETWORKS:
        raise ValueError(f"unknown network {config['network']!r}; known: {', '.join(NETWORKS)}")
    if not all(type(width) is int and width > 0 for width in config["layers"]):
        raise ValueError(f"layers are widths of 1 or more, got {config['layers']}")
    settings = dict(config["neuron"])
    name = settings.pop("name")
    options = dict(config.get("network_settings", {}))
    kind = NETWORKS[config["network"]]
    try:
        inspect.signature(kind).bind_partial(**options)
    except TypeError:
        known = [
            p
            for p in inspect.signature(kind).parameters
            if p not in ("layers", "neuron", "settings", "readout", "recurrent", "init")
        ]
        raise ValueError(
            f"network {config['network']} takes the settings {', '.join(known) or 'none'}, got {', '.join(options)}"
        ) from None
    return kind(config["layers"], name, settings, config["readout"], config["recurrent"], config["init"], **options)


__all__ = ["NETWORKS", "Activity", "Network", "build"]
