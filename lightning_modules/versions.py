"""Versions of the neurons, readable without torch: a result of another version is stale.

Raise a neuron's number here whenever its equations, defaults or initial values change. Its golden trace fails until you
do.
"""

from __future__ import annotations

NEURON_VERSIONS = {
    "lif": 1,
    "leaky-readout": 1,
    "glif": 1,
    "alif": 1,
    "celif": 1,
    "plif": 1,
    "ltmd": 1,
    "alif-celif": 1,
    "lsnn": 1,
    "dexat": 1,
    "ahp": 1,
    "indrnn": 1,
}


def neuron_version(name: str) -> int:
    """Version of the neuron ``name``; a neuron from outside the suite is 1 unless it registered another."""
    return NEURON_VERSIONS.get(name, 1)
