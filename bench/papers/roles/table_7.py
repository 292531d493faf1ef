"""Roles Table 7: accuracy for fixed leaks from complete (k_tau = 0) to none (k_tau = 1)."""

from bench.measures import ACCURACY
from bench.papers.roles.input_factor import INPUT_WHOLE, without_input_noted
from bench.papers.roles.models import LIF_LEAK
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import (
    CIFAR10,
    DVS_GESTURE,
    MNIST,
    NMNIST,
    NMNIST_7,
    NMNIST_STANDIN,
    SHD,
    SHD_WHOLE_INPUT,
    SPOKEN_DIGITS,
    SPOKEN_DIGITS_WHOLE_INPUT,
    SSC,
    SSC_WHOLE_INPUT,
)
from bench.spec.grid import grid, on_other_data
from bench.spec.table import Table

PUBLISHED = grid(
    """
            | SHD   | SSC   | N-MNIST | DVS128 Gesture | MNIST | CIFAR10
k_tau = 0   | 67.67 | 44.45 | 95.03   | 93.75          | 95.22 | 92.25
k_tau = 0.1 | 69.04 | 45.30 | 95.04   | 93.05          | 95.12 | 92.67
k_tau = 0.2 | 67.89 | 46.53 | 94.84   | 93.75          | 94.77 | 92.28
k_tau = 0.3 | 68.29 | 47.98 | 94.75   | 94.09          | 94.85 | 93.09
k_tau = 0.4 | 69.17 | 49.88 | 94.69   | 94.44          | 95.98 | 93.98
k_tau = 0.5 | 72.35 | 51.69 | 94.60   | 93.75          | 95.62 | 93.23
k_tau = 0.6 | 67.76 | 52.62 | 94.69   | 93.40          | 96.02 | 93.64
k_tau = 0.7 | 67.89 | 54.50 | 94.84   | 92.01          | 95.17 | 93.21
k_tau = 0.8 | 63.91 | 56.52 | 95.19   | 90.62          | 94.85 | 93.22
k_tau = 0.9 | 58.61 | 58.16 | 95.34   | 89.93          | 96.48 | 92.76
k_tau = 1.0 | 13.69 | 3.22  | 95.18   | 89.23          | 94.38 | 92.97
""",
    models={m.title: m for m in LIF_LEAK},
    tasks={t.title: t for t in (SHD, SSC, NMNIST, DVS_GESTURE, MNIST, CIFAR10)},
    measure=ACCURACY,
    unit="%",
)
CELLS = without_input_noted(
    on_other_data(
        on_other_data(PUBLISHED, NMNIST_STANDIN, NMNIST_7, SPOKEN_DIGITS),
        SHD_WHOLE_INPUT,
        SSC_WHOLE_INPUT,
        SPOKEN_DIGITS_WHOLE_INPUT,
        note=INPUT_WHOLE,
    )
)

TABLE = Table(
    "roles-7",
    PAPER,
    "Accuracy for fixed leaks k_tau from 0 to 1",
    CELLS,
    notes=("table_7", "fully_connected"),
)
