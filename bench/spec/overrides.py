"""Applies settings of ``--set`` to an experiment's configuration and refuses those that cannot be trained."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from bench.errors import BenchError, unknown
from datamodules.sources import SOURCES

# Type of a setting's present value: the types that may replace it, and their name in messages
REPLACEABLE_BY: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
    list: ((list, tuple), "a JSON list"),
    tuple: ((list, tuple), "a JSON list"),
    dict: ((dict,), "a JSON object"),
}
# The same by name, for settings that take other types than that of their present value
TYPES_BY_PATH: dict[str, tuple[tuple[type, ...], str]] = {
    "lr_neuron": ((int, float, dict), "a number, or a JSON object of numbers by name"),
}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
# Names that users of other libraries type: the setting's name here
SYNONYMS = {
    "learning_rate": "lr",
    "learning_rate_neuron": "lr_neuron",
    "batch": "batch_size",
    "max_epochs": "epochs",
    "optimizer": "optimiser",
    "scheduler": "schedule",
    "gradient_clip": "clip",
    "gradient_clip_val": "clip",
    "hidden": "layers",
}


def parsed(text: str) -> Any:
    """The value that ``text`` is as JSON, or as a number such as .5 that JSON does not know; else ``text`` itself."""
    try:
        return json.loads(text)
    except ValueError:
        return float(text) if NUMBER.fullmatch(text) else text


def _always(value: Any) -> bool:
    return True


# Setting: whether a value of the right type can be trained with, and the name of the allowed values in messages
LIMITS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "epochs": (lambda value: value >= 1, "a whole number of 1 or more"),
    "batch_size": (lambda value: value >= 1, "a whole number of 1 or more"),
    "lr": (lambda value: value > 0, "a number above 0"),
    "clip": (lambda value: value >= 0, "a number of 0 or more"),
    "weight_decay": (lambda value: value >= 0, "a number of 0 or more"),
    "weight_decay_neuron": (lambda value: value >= 0, "a number of 0 or more"),
    "data": (lambda value: value in SOURCES, f"one of {', '.join(SOURCES)}"),
}


def override(config: dict[str, Any], path: str, value: Any, defaults: Mapping[str, Any]) -> None:
    """Set ``config`` at ``path`` ("neuron.threshold") to ``value``, in place.

    ``defaults`` are settings that ``config`` leaves out while they have their default. Neuron settings that the recipe
    leaves to the neuron have no present value: the neuron itself refuses those it does not know. Raises ``BenchError``
    for an unknown path and for a value that is not allowed.
    """
    if path in SYNONYMS and path not in config:
        raise BenchError(f"unknown setting {path!r}; did you mean {SYNONYMS[path]}?")
    *parents, last = path.split(".")
    part = config
    for key in parents:
        if not isinstance(part.get(key), dict):
            raise unknown("setting", path, _paths({**defaults, **config}))
        part = part[key]
    may_have = defaults if part is config else {}
    if last not in part and last not in may_have and part is not config["neuron"]:
        raise unknown("setting", path, _paths({**defaults, **config}))
    present = part.get(last, may_have.get(last))
    part[last] = checked(path, present, value)


def checked(path: str, present: Any, value: Any) -> Any:
    """``value`` for the setting ``path``. Raises ``BenchError`` if its type does not fit the ``present`` value, or if
    nothing can be trained with it.
    """
    types, allowed = TYPES_BY_PATH.get(path) or REPLACEABLE_BY.get(type(present), ((), "any finite value"))
    within_limit, allowed = LIMITS.get(path, (_always, allowed))
    finite = not isinstance(value, float) or math.isfinite(value)
    fits = not types or type(value) in types
    if not (fits and finite and within_limit(value)):
        recipe = "" if present is None else f" (in this recipe {present!r})"
        raise BenchError(f"--set {path} takes {allowed}{recipe}, got {value!r}")
    return value


def _paths(config: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The path of every setting: "lr", "neuron.threshold", …"""
    paths: list[str] = []
    for key, value in config.items():
        paths += _paths(value, f"{prefix}{key}.") if isinstance(value, dict) and value else [f"{prefix}{key}"]
    return paths
