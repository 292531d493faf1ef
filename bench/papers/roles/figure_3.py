"""Roles Figure 3: distribution of spike rates with and without reset."""

from bench.measures import SPIKE_RATE
from bench.papers.roles.models import LIF, LIF_NO_RESET
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import NMNIST, NMNIST_7, NMNIST_STANDIN
from bench.spec.grid import on_other_data
from bench.spec.table import Table, figure_cells

TABLE = Table(
    "roles-fig-3",
    PAPER,
    "Distribution of the spike rates of hidden neurons on N-MNIST, with and without reset",
    on_other_data(
        figure_cells({"With reset": LIF, "Without reset": LIF_NO_RESET}, {"N-MNIST": NMNIST}, SPIKE_RATE),
        NMNIST_STANDIN,
        NMNIST_7,
    ),
    notes=("figure_3",),
    draw="features:rates",
)
