"""One file per neuron; importing this package registers them all in ``NEURONS``."""

from importlib import import_module
from pkgutil import iter_modules

from lightning_modules.neurons.base import NEURONS, Neuron

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["NEURONS", "Neuron"]
