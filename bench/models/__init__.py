"""The neuron variants and baselines that rows of the tables name; ``MODELS`` finds them by name."""

from __future__ import annotations

from dataclasses import replace

from bench.experiment import Model
from bench.models import celif, roles

_FOUND = [v for module in (celif, roles) for value in vars(module).values() for v in (value if isinstance(value, tuple) else (value,))]
MODELS = {m.name: m for m in _FOUND if isinstance(m, Model)}


def find(name: str) -> Model:
    """The model ``name``; "<model>-tuned" is that model with what its search found. Raises ``KeyError`` for an unknown one."""
    base = name.removesuffix("-tuned")
    return MODELS[name] if name == base or name in MODELS else tuned(MODELS[base])


def tuned(model: Model) -> Model:
    """``model`` with the settings that ``python -m sweeps search`` found for it, task by task."""
    return replace(model, name=f"{model.name}-tuned", title=f"{model.title}, tuned", tuned=model.name)
