"""Roles Table 3: the neuromorphic vision data sets."""

from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import DVS_CLIPS, DVS_GESTURE, NMNIST, NMNIST_STANDIN, NMNIST_SUBSET
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
        NMNIST_SUBSET,
        DVS_CLIPS,
    ),
    notes=(
        "DVS128 Gesture is printed with 1,342 samples; all accuracies but one are multiples of 1/288, the test part of a split of "
        "1,464 (1,176 + 288).",
        "Columns in brackets are counted here and are not the paper's: N-MNIST simulated from MNIST is a stand-in, 1,100 "
        "recordings and 10 clips are subsets. Nothing is published for them.",
    ),
)
