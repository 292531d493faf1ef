"""CE-LIF Figure 5: learning curves of the adding problem and copy memory."""

from bench.measures import LOSS_CURVE
from bench.papers.celif.models import ALIF_REC, CELIF
from bench.papers.celif.models_baselines import LSTM_256
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import ADDING, COPY
from bench.spec.table import Table, figure_cells

TABLE = Table(
    "celif-fig-5",
    PAPER,
    "Test loss over iterations in the adding problem and in copy memory, at four lengths each",
    figure_cells(
        {"CE-LIF": CELIF, "LSTM": LSTM_256, "ALIF": ALIF_REC},
        {t.title: t for t in (*ADDING.values(), *COPY.values())},
        LOSS_CURVE,
    ),
    protocol="last",
    notes=("figure_5",),
    draw="curves:losses",
)
