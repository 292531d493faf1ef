"""Roles Figure 5: loss landscapes on N-MNIST."""

from bench.measures import LANDSCAPE
from bench.papers.roles.models import LIF, LIF_NO_LEAK_RECURRENT, LSTM_512
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import NMNIST, NMNIST_7, NMNIST_STANDIN
from bench.spec.grid import on_other_data
from bench.spec.table import Table, figure_cells

_MODELS = {"Vanilla SNN": LIF, "SNN without leakage, with recurrence": LIF_NO_LEAK_RECURRENT, "LSTM": LSTM_512}

TABLE = Table(
    "roles-fig-5",
    PAPER,
    "Loss landscapes on N-MNIST (3 ms windows) along two filter-normalised random directions",
    on_other_data(figure_cells(_MODELS, {"N-MNIST": NMNIST}, LANDSCAPE), NMNIST_STANDIN, NMNIST_7),
    protocol="last",
    notes=("figure_5",),
    draw="landscapes:draw",
)
