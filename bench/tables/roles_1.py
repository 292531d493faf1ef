"""Roles Table 1: the neuromorphic audio data sets."""

from bench.table import ROLES, Fact, Table, grid
from bench.tasks.roles import SHD, SSC

_AUDIO = Fact("described", why="spoken digits (SHD) and spoken commands (SSC) through a cochlea model")
_MICROPHONE = Fact("described", why="SHD's authors recorded theirs; SSC's are the Speech Commands, of many speakers' own microphones")

TABLE = Table(
    "roles-1",
    ROLES,
    "The neuromorphic audio data sets SHD and SSC",
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
        facts={"Recordings": Fact("samples"), "Classes": Fact("classes"), "Type": _AUDIO, "Source": _MICROPHONE, "Format": Fact("format")},
    ),
    notes=("SHD is printed with 10 classes; the data set has 20, and roles-4 uses 20 outputs.",),
)
