"""Roles Table 1: the neuromorphic audio data sets."""

from bench.table import ROLES, Table, grid

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
        note="read off the data sets: not built yet",
    ),
    notes=("SHD is printed with 10 classes; the data set has 20, and roles-4 uses 20 outputs.",),
)
