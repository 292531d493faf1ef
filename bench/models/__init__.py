"""The neuron variants and baselines that rows of the tables name; ``MODELS`` finds them by name."""

from __future__ import annotations

from bench.experiment import Model
from bench.models import celif, roles

_FOUND = [v for module in (celif, roles) for value in vars(module).values() for v in (value if isinstance(value, tuple) else (value,))]
MODELS = {m.name: m for m in _FOUND if isinstance(m, Model)}
