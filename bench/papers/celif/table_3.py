"""CE-LIF Table 3 (supplement): CE-LIF with and without recurrence."""

from bench.measures import ACCURACY
from bench.papers.celif.models import CELIF_154K, CELIF_REC_158K, CELIF_REC_181K
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import PS_MNIST, SEQ_MNIST
from bench.spec.grid import grid
from bench.spec.table import Fact, Table

_FACTS = {"Architecture": Fact("architecture"), "Parameters": Fact("parameters"), "Hidden dimensions": Fact("widths")}

TABLE = Table(
    "celif-3",
    PAPER,
    "Accuracy of feedforward and recurrent CE-LIF networks",
    grid(
        """
           | Architecture | Parameters | Hidden dimensions | Seq-MNIST | P-MNIST
    CE-LIF | Feedforward  | 153.9k     | [64, 152, 152]    | 98.84     | 98.14
    CE-LIF | Recurrent    | 158.3k     | [64, 136, 136]    | 98.41     | 97.83
    CE-LIF | Recurrent    | 181.4k     | [64, 152, 152]    | 98.91     | 98.09
    """,
        key={"Architecture": "{}", "Parameters": "{}"},
        models={
            "CE-LIF | Feedforward | 153.9k": CELIF_154K,
            "CE-LIF | Recurrent | 158.3k": CELIF_REC_158K,
            "CE-LIF | Recurrent | 181.4k": CELIF_REC_181K,
        },
        tasks={"Seq-MNIST": SEQ_MNIST, "P-MNIST": PS_MNIST, **dict.fromkeys(_FACTS, SEQ_MNIST)},
        facts=_FACTS,
        measure={"Seq-MNIST": ACCURACY, "P-MNIST": ACCURACY},
        unit={"Parameters": "k", "Seq-MNIST": "%", "P-MNIST": "%"},
    ),
    notes=("table_3", "published_values"),
)
