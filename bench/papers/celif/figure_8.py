"""CE-LIF Figure 8 (supplement): contours of the loss landscapes of Figure 4."""

from dataclasses import replace

from bench.measures import LANDSCAPE_SMALL, LANDSCAPE_SMALL_TE_FIXED
from bench.papers.celif.models import ALIF_REC, CELIF_154K, LIF_REC
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import SEQ_MNIST
from bench.spec.table import Table, figure_cells

_MODELS = {"LIF, recurrent": LIF_REC, "ALIF, recurrent": ALIF_REC, "CE-LIF, feedforward": CELIF_154K}
_OURS = "not in the paper: its temporal embedding stays as it is, so that all models are moved in weights alone"

TABLE = Table(
    "celif-fig-8",
    PAPER,
    "Contours of the loss landscapes on Seq-MNIST",
    figure_cells(_MODELS, {"Seq-MNIST": SEQ_MNIST}, LANDSCAPE_SMALL)
    + tuple(
        replace(cell, absent="", extra=True)
        for cell in figure_cells(
            {"CE-LIF, TE fixed": CELIF_154K}, {"Seq-MNIST": SEQ_MNIST}, LANDSCAPE_SMALL_TE_FIXED, _OURS
        )
    ),
    protocol="last",
    notes=("landscapes",),
    draw="landscapes:draw",
)
