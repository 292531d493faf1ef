"""Roles Table 3: the neuromorphic vision data sets."""

from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import DVS_CLIPS, DVS_GESTURE, NMNIST, NMNIST_7, NMNIST_STANDIN
from bench.spec.grid import grid, on_other_data
from bench.spec.table import Fact, Table

TABLE = Table(
    "roles-3",
    PAPER,
    "The neuromorphic vision data sets N-MNIST and DVS128 Gesture",
    on_other_data(
        grid(
            """
            | N-MNIST                         | DVS128 Gesture
    Samples | 70,000                          | 1,342
    Classes | 10                              | 11
    Size    | 34x34 pixels                    | 128x128 pixels
    Source  | Neuromorphic handwritten digits | Dynamic hand gestures
    Format  | DVS format                      | DVS format
    """,
            tasks={"N-MNIST": NMNIST, "DVS128 Gesture": DVS_GESTURE},
            facts={
                "Samples": Fact("samples"),
                "Classes": Fact("classes"),
                "Size": Fact("size"),
                "Source": Fact("described", why="what the camera saw"),
                "Format": Fact("format"),
            },
        ),
        NMNIST_STANDIN,
        NMNIST_7,
        DVS_CLIPS,
    ),
    notes=("table_3",),
)
