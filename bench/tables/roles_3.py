"""Roles Table 3: the neuromorphic vision data sets."""

from bench.table import ROLES, Fact, Table, grid
from bench.tasks.roles import DVS_GESTURE, NMNIST

TABLE = Table(
    "roles-3",
    ROLES,
    "The neuromorphic vision data sets N-MNIST and DVS128 Gesture",
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
    notes=(
        "DVS128 Gesture is printed with 1,342 samples; all accuracies but one are multiples of 1/288, the test part of a split of "
        "1,464 (1,176 + 288).",
    ),
)
