"""Roles Table 2: the static image data sets."""

from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import CIFAR10, MNIST
from bench.spec.grid import grid
from bench.spec.table import Fact, Table

TABLE = Table(
    "roles-2",
    PAPER,
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
    notes=("table_2",),
)
