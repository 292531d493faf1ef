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
    notes=(
        "The value is the mean similarity at lags of 28k steps minus that at 28k + 14: 28 steps later the pixel below is read.",
        "Before training about 0.5 is expected everywhere: mean and deviation of the embedding are equal.",
        "The matrix is drawn as means over blocks of 7 x 7 steps.",
    ),
    draw="embedding:similarity",
)
