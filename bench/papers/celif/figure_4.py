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
    notes=(
        "Learning curve: the value is the number of epochs until the test accuracy is within 1 point of its best.",
        "Loss landscape: mean rise of the training loss over circles of radius 0.5 and 1, three pairs of directions; 256 samples, 9 x 9 "
        "points. The paper names neither grid nor samples.",
        "Which ALIF the paper trained is not said [U]: its eq. 3.",
        "LIF and ALIF were trained for one epoch (38.0 and 34.1 %), CE-LIF for ten: a network that has hardly learnt has a flat "
        "loss, so that the order of the values says nothing yet about the paper's, in which CE-LIF's is the flattest.",
    ),
    draw="curves:curves_and_landscapes",
)
