"""Roles Table 9: silhouette coefficient of the features of five LIF variants."""

from bench.table import ROLES, Table, grid

TABLE = Table(
    "roles-9",
    ROLES,
    "Silhouette coefficient of the last hidden layer on N-MNIST",
    grid(
        """
                     | Silhouette Coefficient
    Baseline         | 0.271
    Without leakage  | 0.355
    Complete leakage | 0.273
    Without reset    | 0.277
    With recurrence  | 0.855
    """,
        note="the N-MNIST data module and the silhouette measure are not built yet",
    ),
    notes=("Cosine distance. Whether the features are spike counts or mean rates, and of which samples, is not in the paper.",),
)
