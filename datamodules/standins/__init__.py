"""Stand-ins: data simulated in place of sets that could not be downloaded. Their results carry the label and enter no
published column.

``records.STANDINS`` are the sources, ``nmnist`` and ``spoken_digits`` make them (``python -m datamodules.standins``).
Importing this imports neither torch nor the simulators.
"""

from __future__ import annotations

from datamodules.standins.making import problem
from datamodules.standins.records import NMNIST_STANDIN, SPOKEN_STANDIN, STANDINS

__all__ = ["NMNIST_STANDIN", "SPOKEN_STANDIN", "STANDINS", "problem"]
