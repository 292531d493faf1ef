"""Roles Table 9: silhouette coefficient of the features of five LIF variants."""

from bench.measures import SILHOUETTE, SPIKE_RATE
from bench.papers.roles.models import VARIANTS
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import NMNIST, NMNIST_7, NMNIST_STANDIN
from bench.spec.grid import grid, on_other_data, read_by
from bench.spec.table import Table

_COLUMN = "Silhouette Coefficient"
PUBLISHED = grid(
    """
                 | Silhouette Coefficient
Baseline         | 0.271
Without leakage  | 0.355
Complete leakage | 0.273
Without reset    | 0.277
With recurrence  | 0.855
""",
    models={m.title: m for m in VARIANTS},
    tasks={_COLUMN: NMNIST},
    measure=SILHOUETTE,
)
RATES = read_by(
    PUBLISHED, _COLUMN, "Spike rate", SPIKE_RATE, "spikes per neuron and step over hidden and output neurons"
)

TABLE = Table(
    "roles-9",
    PAPER,
    "Silhouette coefficient of the last hidden layer on N-MNIST",
    on_other_data(PUBLISHED + RATES, NMNIST_STANDIN, NMNIST_7),
    notes=("silhouette", "other_data"),
)
