"""What ``--set`` may change a setting to."""

from __future__ import annotations

import math
from typing import Any

from bench.errors import BenchError
from datamodules.sources import SOURCES

# What a setting may be, by the type of its present value: the types allowed, and how to say so
KINDS: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
    list: ((list, tuple), "a JSON list"),
    tuple: ((list, tuple), "a JSON list"),
    dict: ((dict,), "a JSON object"),
}


def allowed(path: str, present: Any, value: Any) -> Any:
    """``value`` for the setting ``path``. Raises ``BenchError`` where it is not of the kind of the ``present`` one, or
    nothing can be trained with it. What the recipe leaves to the neuron's default has no present value: the neuron
    refuses what it does not know.
    """
    types, allowed = KINDS.get(type(present), ((), "any finite value"))
    if path == "lr_neuron":
        types, allowed = (int, float, dict), "a number, or a JSON object of numbers by name"
    right = (not types or type(value) in types) and not (isinstance(value, float) and not math.isfinite(value))
    if path in ("epochs", "batch_size"):
        right, allowed = right and value >= 1, "a whole number of 1 or more"
    elif path == "lr":
        right, allowed = right and value > 0, "a number above 0"
    elif path in ("clip", "weight_decay"):
        right, allowed = right and value >= 0, "a number of 0 or more"
    elif path == "data":
        right, allowed = right and value in SOURCES, f"one of {', '.join(SOURCES)}"
    if not right:
        now = "" if present is None else f" (in this recipe {present!r})"
        raise BenchError(f"--set {path} takes {allowed}{now}, got {value!r}")
    return value
