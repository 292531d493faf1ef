"""CE-LIF Figure 2: the output neurons' variables over time."""

from bench.measures import ACCURACY, NEURON_TRACE, TRACE_SHARE
from bench.papers.celif.models import CELIF_OUTPUT
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import SEQ_MNIST
from bench.spec.table import Table, figure_cells

MODELS = {"CE-LIF": CELIF_OUTPUT}
TABLE = Table(
    "celif-fig-2",
    PAPER,
    "Contextual embeddings, thresholds and spikes of all output neurons while an image is read pixel by pixel",
    figure_cells(MODELS, {"Traces": SEQ_MNIST}, NEURON_TRACE)
    + figure_cells(
        MODELS,
        {"TE V below 0, target minus others": SEQ_MNIST},
        TRACE_SHARE,
        "the text says that target neurons have more of them, and prints no number",
    )
    + figure_cells(
        MODELS, {"Accuracy": SEQ_MNIST}, ACCURACY, "the paper prints no accuracy of a network with this output layer"
    ),
    protocol="last",
    notes=("figure_2",),
    draw="embedding:traces",
)
