"""CE-LIF Figure 7: similarity between the columns of the temporal embedding."""

from bench.measures import TE_MATRIX, TE_SIMILARITY
from bench.papers.celif.models import CELIF_154K
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import SEQ_MNIST
from bench.spec.table import Table, figure_cells

TABLE = Table(
    "celif-fig-7",
    PAPER,
    "Cosine similarity of the temporal embedding between time steps, before and after training on Seq-MNIST",
    figure_cells({"CE-LIF": CELIF_154K}, {"Matrix": SEQ_MNIST}, TE_MATRIX)
    + figure_cells({"CE-LIF": CELIF_154K}, {"By lag": SEQ_MNIST}, TE_SIMILARITY),
    protocol="last",
    notes=("figure_7",),
    draw="embedding:similarity",
)
