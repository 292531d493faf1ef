"""The stand-ins as sources: data simulated in place of sets that could not be had. Plain data; importing this imports
no torch."""

from __future__ import annotations

from datamodules.sources.records import Source

# A version is raised when the generator's output changes: results made from the old bytes are then stale.
NMNIST_STANDIN = Source(
    "nmnist-standin",
    "stand-in for N-MNIST: simulated from MNIST",
    licence="CC BY-SA 3.0 (derived from MNIST)",
    citation=(
        "simulated; set-up of Orchard, Jayawant, Cohen, Thakor, Front. Neurosci. 9, 2015; images: LeCun "
        "et al., Proc. IEEE 86, 1998"
    ),
    samples={"train": 60_000, "test": 10_000},
    kind="stand-in",
    version=1,
    place="nmnist-standin",
)
SPOKEN_STANDIN = Source(
    "spoken-digits-standin",
    "stand-in for SHD: Free Spoken Digit Dataset through a cochlea model (10 classes)",
    licence="CC BY-SA 4.0 (derived from the Free Spoken Digit Dataset)",
    citation=(
        "simulated; model of Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33(7), 2022; recordings of "
        "Jakobovski et al."
    ),
    samples={"train": 2_700, "test": 300},
    kind="stand-in",
    version=1,
    place="spoken-digits-standin",
)
STANDINS = {s.name: s for s in (NMNIST_STANDIN, SPOKEN_STANDIN)}
