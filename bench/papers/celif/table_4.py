"""CE-LIF Table 4 (supplement): theoretical and empirical energy cost."""

from bench.measures import (
    ENERGY,
    ENERGY_HONEST,
    ENERGY_INFERENCE,
    ENERGY_INFERENCE_HONEST,
    MACS,
    MACS_HONEST,
    SPIKES,
    SYNOPS,
    UPDATES,
)
from bench.papers.celif.models import CELIF_154K, LIF_REC
from bench.papers.celif.models_baselines import ALIF_YIN, LSTM_128
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import SEQ_MNIST
from bench.spec.grid import grid
from bench.spec.table import Cell, Fact, Table

_MODELS = {"LSTM": LSTM_128, "LIF": LIF_REC, "ALIF": ALIF_YIN, "CE-LIF(Ours)": CELIF_154K}
_EXTRA = (
    ("Synaptic operations", SYNOPS),
    ("ACs of updates", UPDATES),
    ("MACs", MACS),
    ("Spikes", SPIKES),
    ("Energy, input counted", ENERGY_HONEST),
    ("MACs, input counted", MACS_HONEST),
    ("Energy of an inference", ENERGY_INFERENCE),
    ("Energy of an inference, input counted", ENERGY_INFERENCE_HONEST),
)
_UNPUBLISHED = "beside the published columns: the raw counts of a time step, the other convention, the whole sequence"
TABLE = Table(
    "celif-4",
    PAPER,
    "Energy cost of an LSTM and three spiking networks of about 155k parameters"
    " (m inputs, n neurons a layer, Fr firing rates)",
    (
        *grid(
            """
                 | Architecture | Theoretical Energy Cost                      | Empirical Energy Costs
    LSTM         | RNN          | 4(mn+nn)E_MAC + 17nE_MAC                     | 774.9
    LIF          | SRNN         | mnFr_in E_AC + (nn+n)Fr_out E_AC + nE_MAC    | 24.1
    ALIF         | SRNN         | mnFr_in E_AC + (nn+2n)Fr_out E_AC + 4nE_MAC  | 22.9
    CE-LIF(Ours) | FFSNN        | (mnFr_in + nFr_out)E_AC + 3nE_MAC            | 13.5
    """,
            unit={"Empirical Energy Costs": "nJ"},
            models=_MODELS,
            tasks={
                "Architecture": SEQ_MNIST,
                "Theoretical Energy Cost": SEQ_MNIST,
                "Empirical Energy Costs": SEQ_MNIST,
            },
            measure={"Empirical Energy Costs": ENERGY},
            facts={"Architecture": Fact("kind"), "Theoretical Energy Cost": Fact("formula")},
        ),
        *(
            Cell(row, column, None, measure.unit, SEQ_MNIST, model, measure, "not reported", _UNPUBLISHED, extra=True)
            for column, measure in _EXTRA
            for row, model in _MODELS.items()
        ),
    ),
    notes=("energy",),
)
