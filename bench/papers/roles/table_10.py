"""Roles Table 10: accuracy of five LIF variants under EventDrop."""

from bench.measures import EVENT_DROP
from bench.papers.roles.models import VARIANTS
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import NMNIST, NMNIST_7, NMNIST_STANDIN
from bench.spec.grid import grid, on_other_data, read_by
from bench.spec.table import Table

SHOWN = 0.5  # rho under the printed column
PUBLISHED = grid(
    """
                 | Accuracy
Baseline         | 85.67
Without leakage  | 77.51
Complete leakage | 86.66
Without reset    | 88.83
With recurrence  | 82.81
""",
    models={m.title: m for m in VARIANTS},
    tasks={"Accuracy": NMNIST},
    measure=EVENT_DROP[SHOWN],
    unit="%",
)
CURVE = tuple(
    cell
    for rho, measure in EVENT_DROP.items()
    for cell in read_by(PUBLISHED, "Accuracy", f"rho = {rho}", measure, f"{rho:.0%} of the events dropped")
)

TABLE = Table(
    "roles-10",
    PAPER,
    "Accuracy on N-MNIST under EventDrop (events dropped at random)",
    PUBLISHED
    + CURVE
    + tuple(c for task in (NMNIST_STANDIN, NMNIST_7) for c in on_other_data(CURVE, task)[len(CURVE) :]),
    notes=("event_drop", "other_data"),
)
