"""CE-LIF Figure 7: similarity between the columns of the temporal embedding."""

from bench.measures import (
    TE_BEFORE,
    TE_LATE,
    TE_LATE_EQUAL_LAGS,
    TE_MATRIX,
    TE_PERIOD_SCORES,
    TE_SIMILARITY,
)
from bench.papers.celif.models import CELIF_154K
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import SEQ_MNIST
from bench.spec.table import Cell, Table, figure_cells

COLUMNS = {
    "Matrix": TE_MATRIX,
    "By lag": TE_SIMILARITY,
    "Best period": TE_PERIOD_SCORES,
    "Before training": TE_BEFORE,
    "Late minus early": TE_LATE,
    "Late minus early, equal lags": TE_LATE_EQUAL_LAGS,
}


def _cells() -> tuple[Cell, ...]:
    return tuple(
        cell
        for column, measure in COLUMNS.items()
        for cell in figure_cells({"CE-LIF": CELIF_154K}, {column: SEQ_MNIST}, measure)
    )


TABLE = Table(
    "celif-fig-7",
    PAPER,
    "Cosine similarity of the temporal embedding between time steps, before and after training on Seq-MNIST",
    _cells(),
    protocol="last",
    notes=("figure_7",),
    draw="embedding:similarity",
)
