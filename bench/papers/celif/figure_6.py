"""CE-LIF Figure 6: how far back the gradient reaches."""

from bench.measures import GRADIENT_REACH
from bench.papers.celif.models import ALIF_REC, CELIF
from bench.papers.celif.models_baselines import LSTM_256
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import COPY_100, COPY_400
from bench.spec.table import Table, figure_cells

TABLE = Table(
    "celif-fig-6",
    PAPER,
    "Gradient of the loss with respect to the last hidden layer over time, in trained networks on copy memory",
    figure_cells(
        {"CE-LIF": CELIF, "LSTM": LSTM_256, "ALIF": ALIF_REC},
        {t.title: t for t in (COPY_400, COPY_100)},
        GRADIENT_REACH,
    ),
    protocol="last",
    notes=("figure_6",),
    draw="embedding:reach",
)
