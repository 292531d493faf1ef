"""Stand-ins: data simulated in place of sets that could not be downloaded. Their results carry the label and enter no
published column.

``STANDINS`` are the sources, ``nmnist`` and ``spoken_digits`` make them (``python -m datamodules.standins``).
Importing this imports neither torch nor the simulators.
"""

from __future__ import annotations

from datamodules.sources.manifest import manifest_problem
from datamodules.sources.records import NMNIST_STANDIN, SPOKEN_STANDIN, STANDINS

__all__ = ["NMNIST_STANDIN", "SPOKEN_STANDIN", "STANDINS", "manifest_problem"]
