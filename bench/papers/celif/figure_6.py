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
    notes=(
        "Absolute values, normalised sample by sample over 256 training samples: the paper's signed sums can vanish.",
        "The paper writes the gradient once as Grad(n, t) and once as Grad(t, n): here by step t and neuron n.",
        "The paper shows T = 400. T = 100 is here beside it because figure 5 has those networks trained: a quarter of the work.",
        "The value is the share on the first 10 steps, where the digits are shown.",
    ),
    draw="embedding:reach",
)
