"""Roles Table 1: the neuromorphic audio data sets."""

from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import SHD, SPOKEN_DIGITS, SSC
from bench.spec.grid import grid, on_other_data
from bench.spec.table import Fact, Table

_AUDIO = Fact("described", why="spoken digits (SHD) and spoken commands (SSC) through a cochlea model")
_MICROPHONE = Fact(
    "described", why="SHD's authors recorded theirs; SSC's are the Speech Commands, of many speakers' own microphones"
)

TABLE = Table(
    "roles-1",
    PAPER,
    "The neuromorphic audio data sets SHD and SSC",
    on_other_data(
        grid(
            """
               | SHD                 | SSC
    Recordings | 10,420              | 105,829
    Classes    | 10                  | 35
    Type       | Audio, spiking data | Audio, spiking data
    Source     | Microphone array    | Microphone array
    Format     | Spike times         | Spike times
    """,
            tasks={"SHD": SHD, "SSC": SSC},
            facts={
                "Recordings": Fact("samples"),
                "Classes": Fact("classes"),
                "Type": _AUDIO,
                "Source": _MICROPHONE,
                "Format": Fact("format"),
            },
        ),
        SPOKEN_DIGITS,
    ),
    notes=("table_1",),
)
