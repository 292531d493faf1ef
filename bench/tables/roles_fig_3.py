"""Roles Figure 3: distribution of spike rates with and without reset."""

from bench.measures import SPIKE_RATE
from bench.models.roles import LIF, LIF_NO_RESET
from bench.table import ROLES, Table, elsewhere, pictured
from bench.tasks.roles import NMNIST, NMNIST_STANDIN, NMNIST_SUBSET

TABLE = Table(
    "roles-fig-3",
    ROLES,
    "Distribution of the spike rates of hidden neurons on N-MNIST, with and without reset",
    elsewhere(pictured({"With reset": LIF, "Without reset": LIF_NO_RESET}, {"N-MNIST": NMNIST}, SPIKE_RATE), NMNIST_STANDIN, NMNIST_SUBSET),
    notes=(
        "The value is the mean rate over all neurons; drawn are the hidden layer's, averaged over steps and all test samples.",
        "The paper takes one random test batch.",
    ),
    draw="features:rates",
)
