"""Roles Table 10: accuracy of five LIF variants under EventDrop."""

from bench.table import ROLES, Table, grid

TABLE = Table(
    "roles-10",
    ROLES,
    "Accuracy on N-MNIST under EventDrop (events dropped at random)",
    grid(
        """
                     | Accuracy
    Baseline         | 85.67
    Without leakage  | 77.51
    Complete leakage | 86.66
    Without reset    | 88.83
    With recurrence  | 82.81
    """,
        unit="%",
        note="the N-MNIST data module and the EventDrop measure are not built yet",
    ),
    notes=("The share of events that are dropped (rho) is not in the paper: compare the order of the rows, over a range of rho.",),
)
