"""Roles Table 2: the static image data sets."""

from bench.table import ROLES, Table, grid

TABLE = Table(
    "roles-2",
    ROLES,
    "The static image data sets MNIST and CIFAR10",
    grid(
        """
            | MNIST              | CIFAR10
    Images  | 70,000             | 60,000
    Classes | 10                 | 10
    Size    | 28x28 pixels       | 32x32 pixels
    Source  | Handwritten digits | Natural images
    Format  | Grayscale          | RGB
    """,
        note="read off the data sets: not built yet",
    ),
)
