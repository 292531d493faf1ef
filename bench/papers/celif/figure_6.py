"""CE-LIF Figure 6: how far back the gradient reaches."""

from dataclasses import replace

from bench.measures import GRADIENT_REACH
from bench.papers.celif.models import ALIF_REC, CELIF
from bench.papers.celif.models_baselines import LSTM_256, LSTM_256_PLAIN, PLAIN_NOTE
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import COPY_100, COPY_400
from bench.spec.table import Table, figure_cells

_TASKS = {t.title: t for t in (COPY_400, COPY_100)}

TABLE = Table(
    "celif-fig-6",
    PAPER,
    "Gradient of the loss with respect to the last hidden layer over time, in trained networks on copy memory",
    figure_cells({"CE-LIF": CELIF, "LSTM": LSTM_256, "ALIF": ALIF_REC}, _TASKS, GRADIENT_REACH)
    + tuple(
        replace(cell, absent="", extra=True)
        for cell in figure_cells({"Plain LSTM": LSTM_256_PLAIN}, _TASKS, GRADIENT_REACH, PLAIN_NOTE)
    ),
    protocol="last",
    notes=("figure_6",),
    draw="embedding:reach",
)
