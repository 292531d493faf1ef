"""CE-LIF Table 2: six forms of the contextual embedding."""

from bench.measures import ACCURACY
from bench.papers.celif.models import CELIF_EMBEDDINGS, EMBEDDING_S_GAIN
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import PS_MNIST, SEQ_MNIST
from bench.spec.grid import grid
from bench.spec.table import Cell, Fact, Table

FORMS = ("S[t-1]", "V[t-1]", "TE[t]", "V[t-1] + TE[t]", "S[t-1] ⊙ TE[t]", "V[t-1] ⊙ TE[t]")
ROWS = tuple(f"{number} | {form}" for number, form in enumerate(FORMS, 1))
S, V, TE, V_PLUS_TE, S_TIMES_TE, V_TIMES_TE = ROWS
WITH_GAIN = "1, with ALIF's gain"
_NOT_PRINTED = "not in the paper: row 1 with the gain of ALIF, whose equation it is"

TABLE = Table(
    "celif-2",
    PAPER,
    "Accuracy with other contextual embeddings CE[t] in the threshold of a feedforward network",
    (
        *grid(
            """
      | CE[t] =                   | Seq-MNIST | PS-MNIST
    1 | S[t-1]                    | 68.66     | 36.64
    2 | V[t-1]                    | 87.55     | 72.60
    3 | TE[t]                     | 95.36     | 90.19
    4 | V[t-1] + TE[t]            | 95.55     | 89.97
    5 | S[t-1] ⊙ TE[t]            | 98.61     | 96.21
    6 | V[t-1] ⊙ TE[t]            | 98.84     | 98.14
    """,
            models=dict(zip(ROWS, CELIF_EMBEDDINGS, strict=True)),
            tasks={"CE[t] =": SEQ_MNIST, "Seq-MNIST": SEQ_MNIST, "PS-MNIST": PS_MNIST},
            measure={"Seq-MNIST": ACCURACY, "PS-MNIST": ACCURACY},
            unit={"Seq-MNIST": "%", "PS-MNIST": "%"},
            key={"CE[t] =": "{}"},
            facts={"CE[t] =": Fact("embedding")},
        ),
        Cell(
            WITH_GAIN, "CE[t] =", None, "", SEQ_MNIST, EMBEDDING_S_GAIN, None, "", _NOT_PRINTED, Fact("embedding"), True
        ),
        *(
            Cell(WITH_GAIN, task.title, None, "%", task, EMBEDDING_S_GAIN, ACCURACY, "", _NOT_PRINTED, extra=True)
            for task in (SEQ_MNIST, PS_MNIST)
        ),
    ),
    notes=("table_2", "published_values"),
)
