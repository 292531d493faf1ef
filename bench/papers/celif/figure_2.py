"""CE-LIF Figure 2: the neuron's variables over time."""

from bench.measures import NEURON_TRACE
from bench.papers.celif.models import CELIF_OUTPUT
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import SEQ_MNIST
from bench.spec.table import Table, figure_cells

TABLE = Table(
    "celif-fig-2",
    PAPER,
    "Membrane potential, threshold and spikes of output neurons while an image is read pixel by pixel",
    figure_cells({"CE-LIF": CELIF_OUTPUT}, {"Seq-MNIST": SEQ_MNIST}, NEURON_TRACE),
    protocol="last",
    notes=("figure_2",),
    draw="embedding:traces",
)
