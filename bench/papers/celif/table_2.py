"""CE-LIF Table 2: six forms of the contextual embedding."""

from bench.measures import ACCURACY
from bench.papers.celif.models import CELIF_EMBEDDINGS
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import PS_MNIST, SEQ_MNIST
from bench.spec.grid import grid
from bench.spec.table import Fact, Table

TABLE = Table(
    "celif-2",
    PAPER,
    "Accuracy with other contextual embeddings CE[t] in the threshold of a feedforward network",
    grid(
        """
      | CE[t] =                   | Seq-MNIST | PS-MNIST
    1 | S[t-1]                    | 68.66     | 36.64
    2 | V[t-1]                    | 87.55     | 72.60
    3 | TE[t]                     | 95.36     | 90.19
    4 | V[t-1] + TE[t]            | 95.55     | 89.97
    5 | S[t-1] (Hadamard) TE[t]   | 98.61     | 96.21
    6 | V[t-1] (Hadamard) TE[t]   | 98.84     | 98.14
    """,
        models={str(row): model for row, model in enumerate(CELIF_EMBEDDINGS, 1)},
        tasks={"CE[t] =": SEQ_MNIST, "Seq-MNIST": SEQ_MNIST, "PS-MNIST": PS_MNIST},
        measure={"Seq-MNIST": ACCURACY, "PS-MNIST": ACCURACY},
        unit={"Seq-MNIST": "%", "PS-MNIST": "%"},
        facts={"CE[t] =": Fact("embedding")},
    ),
    notes=("table_2", "published_values"),
)
