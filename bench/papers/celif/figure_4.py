"""CE-LIF Figure 4: learning curves and loss landscapes on Seq-MNIST."""

from bench.measures import LANDSCAPE_SMALL, LEARNING_CURVE
from bench.papers.celif.models import ALIF_REC, CELIF_154K, LIF_REC
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import SEQ_MNIST
from bench.spec.table import Table, figure_cells

_MODELS = {"LIF, recurrent": LIF_REC, "ALIF, recurrent": ALIF_REC, "CE-LIF, feedforward": CELIF_154K}

TABLE = Table(
    "celif-fig-4",
    PAPER,
    "Learning curves and loss landscapes on Seq-MNIST",
    figure_cells(_MODELS, {"Learning curve": SEQ_MNIST}, LEARNING_CURVE)
    + figure_cells(_MODELS, {"Loss landscape": SEQ_MNIST}, LANDSCAPE_SMALL),
    protocol="last",
    notes=("figure_4", "landscapes"),
    draw="curves:curves_and_landscapes",
)
