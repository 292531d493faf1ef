"""CE-LIF Table 5 (supplement): hyper-parameters."""

from bench.papers.celif.models import CELIF as CELIF_256
from bench.papers.celif.models import CELIF_84K, CELIF_154K
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import ADDING_100, COPY_100, PS_MNIST, SEQ_MNIST
from bench.spec.grid import grid
from bench.spec.table import Fact, Table

_MNIST = ("Seq-MNIST", "PS-MNIST")
_SETTINGS = {
    "Learning Rate": "lr",
    "Batch Size": "batch_size",
    "alpha": "neuron.alpha",
    "beta": "neuron.beta",
    "Theta_0": "neuron.threshold",
    "Gamma": "neuron.width",
}
_FACTS: dict[str | tuple[str, str], Fact] = {
    **{column: Fact("setting", (path,)) for column, path in _SETTINGS.items()},
    "Hidden Dimensions": Fact("widths"),
    **{(row, "Hidden Dimensions"): Fact("widths", (CELIF_154K.name,)) for row in _MNIST},
    "TE Initialization": Fact("te"),
    ("Copy Memory", "beta"): Fact("decay"),
}

TABLE = Table(
    "celif-5",
    PAPER,
    "Hyper-parameters of the CE-LIF networks",
    grid(
        """
    | Hidden Dimensions | Learning Rate | Batch Size | TE Initialization | alpha | beta | Theta_0 | Gamma
    Seq-MNIST      | [64,88,88]/[64,152,152] | 5e-4 | 256 | N(0.01, 0.01) | 0.5 | 0.99    | 0.3 | 0.2
    PS-MNIST       | [64,88,88]/[64,152,152] | 5e-4 | 256 | N(0.01, 0.01) | 0.5 | 0.99    | 0.3 | 0.2
    Adding Problem | [64,256,256]            | 5e-4 | 256 | N(0.01, 0.01) | 0.5 | 0.99    | 0.3 | 0.2
    Copy Memory    | [64,256,256]            | 1e-3 | 256 | N(0.01, 0.01) | 0.5 | 1 - 1/T | 0.3 | 0.2
    """,
        tasks={"Seq-MNIST": SEQ_MNIST, "PS-MNIST": PS_MNIST, "Adding Problem": ADDING_100, "Copy Memory": COPY_100},
        models={**dict.fromkeys(_MNIST, CELIF_84K), "Adding Problem": CELIF_256, "Copy Memory": CELIF_256},
        facts=_FACTS,
    ),
    notes=("table_5",),
)
