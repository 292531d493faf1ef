"""Roles Table 2: the static image data sets."""

from bench.table import ROLES, Fact, Table, grid
from bench.tasks.roles import CIFAR10, MNIST

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
        tasks={"MNIST": MNIST, "CIFAR10": CIFAR10},
        facts={
            "Images": Fact("samples"),
            "Classes": Fact("classes"),
            "Size": Fact("size"),
            "Source": Fact("described", why="what the images show"),
            "Format": Fact("format"),
        },
    ),
    notes=("Images: training and test set together.",),
)
