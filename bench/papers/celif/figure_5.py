"""CE-LIF Figure 5: learning curves of the adding problem and copy memory."""

from dataclasses import replace

from bench.measures import LOSS_CURVE
from bench.papers.celif.models import ALIF_REC, CELIF
from bench.papers.celif.models_baselines import LSTM_256, LSTM_256_PLAIN, PLAIN_NOTE
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import ADDING, COPY
from bench.spec.table import Table, figure_cells

_TASKS = {t.title: t for t in (*ADDING.values(), *COPY.values())}

TABLE = Table(
    "celif-fig-5",
    PAPER,
    "Test loss over iterations in the adding problem and in copy memory, at four lengths each",
    figure_cells({"CE-LIF": CELIF, "LSTM": LSTM_256, "ALIF": ALIF_REC}, _TASKS, LOSS_CURVE)
    + tuple(
        replace(cell, absent="", extra=True)
        for cell in figure_cells({"Plain LSTM": LSTM_256_PLAIN}, _TASKS, LOSS_CURVE, PLAIN_NOTE)
    ),
    protocol="last",
    notes=("figure_5",),
    draw="curves:losses",
)
