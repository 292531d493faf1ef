"""Roles Figure 6: the last hidden layer as a feature space."""

from bench.measures import SILHOUETTE, T_SNE
from bench.papers.roles.models import VARIANTS
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import NMNIST, NMNIST_7, NMNIST_STANDIN
from bench.spec.grid import on_other_data
from bench.spec.table import Table, figure_cells

_MODELS = {m.title: m for m in VARIANTS}

TABLE = Table(
    "roles-fig-6",
    PAPER,
    "t-SNE of the last hidden layer on N-MNIST, and its silhouette coefficient",
    on_other_data(
        figure_cells(_MODELS, {"t-SNE (KL divergence)": NMNIST}, T_SNE)
        + figure_cells(_MODELS, {"Silhouette": NMNIST}, SILHOUETTE, "a picture; the coefficient is printed in Table 9"),
        NMNIST_STANDIN,
        NMNIST_7,
    ),
    notes=("figure_6",),
    draw="features:embeddings",
)
