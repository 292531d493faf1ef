"""Table of spiking neurons: test accuracy on PS-MNIST, feedforward and recurrent, and networks without spikes."""

from dataclasses import replace

from bench.measures import ACCURACY
from bench.papers.stp.models import (
    ALIF_FF,
    ALIF_REC,
    CELIF_FF,
    CELIF_REC,
    GLIF_FF,
    GLIF_REC,
    LIF_FF,
    LIF_REC,
    PLIF_FF,
    PLIF_REC,
    TCN,
)
from bench.papers.stp.paper import PAPER
from bench.papers.stp.tasks import PS_MNIST
from bench.spec.grid import grid
from bench.spec.table import Table

FEEDFORWARD = "Feedforward"
RECURRENT = "Recurrent"
MODELS = {
    "LIF": (LIF_FF, LIF_REC),
    "PLIF": (PLIF_FF, PLIF_REC),
    "ALIF": (ALIF_FF, ALIF_REC),
    "GLIF": (GLIF_FF, GLIF_REC),
    "CE-LIF": (CELIF_FF, CELIF_REC),
    "TCN": (TCN, None),
}
_BY_CELL = {
    (row, column): model
    for row, models in MODELS.items()
    for column, model in zip((FEEDFORWARD, RECURRENT), models, strict=True)
}
_NO_NEURON = ("adLIF", "LTC", "SPSN", "TC-LIF", "LM-H", "CLIF", "DH-LIF", "PMSN")
_WAITING = dict.fromkeys(_NO_NEURON, "the suite does not have this neuron")
_WAITING |= {
    "LSTM": "the public code names two of its three layers, 64 and 64; the configuration with the third was not found",
    "Transformer": "the suite has no transformer",
}

TABLE = Table(
    "stp-1",
    PAPER,
    "Accuracy on PS-MNIST of spiking neurons, feedforward and recurrent, and of three networks without spikes",
    tuple(
        replace(cell, model=_BY_CELL.get((cell.row, cell.column)))
        for cell in grid(
            """
                        | Feedforward | Recurrent
            LIF         | 57.45       | 72.97
            PLIF        | 55.86       | 77.32
            ALIF        | 73.90       | 85.78
            adLIF       | 85.93       | 89.53
            GLIF        | 95.42       | 95.04
            LTC         | 86.33       | 90.94
            SPSN        | 83.88       | -
            TC-LIF      | 86.81       | 92.08
            LM-H        | 77.70       | 83.14
            CLIF        | 43.90       | 70.44
            DH-LIF      | 79.12       | 91.07
            CE-LIF      | 97.76       | 97.66
            PMSN        | 96.28       | -
            TCN         | 95.10       | n/a
            LSTM        | 92.41       | n/a
            Transformer | 97.64       | n/a
            """,
            tasks={FEEDFORWARD: PS_MNIST, RECURRENT: PS_MNIST},
            measure=ACCURACY,
            unit="%",
            waiting=_WAITING,
            legend={
                "-": "the paper has no recurrent form of it",
                "n/a": "the paper's table of networks has one column for PS-MNIST",
            },
        )
    ),
    notes=("table_1", "public_code"),
)
