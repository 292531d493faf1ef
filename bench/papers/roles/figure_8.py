"""Roles Figure 8: perturbation that a white-box attack needs."""

from bench.measures import ATTACK, ATTACK_RMS, ATTACK_SUCCESS
from bench.papers.roles.models import VARIANTS
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import NMNIST, NMNIST_7, NMNIST_STANDIN
from bench.spec.grid import on_other_data
from bench.spec.table import Table, figure_cells

_MODELS = {m.title: m for m in VARIANTS}

TABLE = Table(
    "roles-fig-8",
    PAPER,
    "Perturbation of the spike input on N-MNIST that fools the network, by model",
    on_other_data(
        figure_cells(_MODELS, {"Flipped": NMNIST}, ATTACK)
        + figure_cells(_MODELS, {"RMS": NMNIST}, ATTACK_RMS)
        + figure_cells(_MODELS, {"Success": NMNIST}, ATTACK_SUCCESS),
        NMNIST_STANDIN,
        NMNIST_7,
    ),
    notes=("figure_8",),
    draw="features:attacks",
)
