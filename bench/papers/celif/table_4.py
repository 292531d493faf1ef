"""CE-LIF Table 4 (supplement): theoretical and empirical energy cost."""

from __future__ import annotations

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
from bench.papers.celif.models_baselines import ALIF_YIN, LSTM_128, LSTM_154K
from bench.papers.celif.paper import PAPER
from bench.papers.celif.tasks import SEQ_MNIST
from bench.spec.grid import grid
from bench.spec.measure import Measure
from bench.spec.model import Model
from bench.spec.table import Cell, Fact, Table

MEASURED = "Empirical Energy Costs"
FROM_PUBLISHED_RATES = "Energy from the published rates"
SMALL_LSTM = "LSTM of 66.5k"
_STEPS = "784"
_MODELS = {"LSTM": LSTM_154K, "LIF": LIF_REC, "ALIF": ALIF_YIN, "CE-LIF(Ours)": CELIF_154K}
_RATES = {"LIF": ("0.22", "0.145", "0.004"), "CE-LIF(Ours)": ("0.22", "0.23", "0.44")}  # of the paper's hidden layers
_NO_RATES = {
    "LSTM": "an LSTM has no firing rates",
    "ALIF": "the paper prints no firing rates of ALIF",
    SMALL_LSTM: "an LSTM has no firing rates",
}
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
_COMPUTED = "computed by the formula for a network of the compared size; an LSTM's energy needs no training"
_SMALL = "not in the paper's table: the LSTM of celif-1, trained"
_WHY_LSTM = (
    "the paper gives no sizes; 774.9 takes 168,457 multiplications a step, more than an LSTM of 155k parameters has"
)


def _fact(measure: Measure, why: str = "") -> Fact:
    """The value of ``measure`` without training."""
    return Fact("energy", (measure.name, _STEPS), why)


def _extra(row: str, column: str, model: Model, unit: str = "", note: str = _UNPUBLISHED, **what: object) -> Cell:
    return Cell(row, column, None, unit, SEQ_MNIST, model, note=note, extra=True, **what)  # type: ignore[arg-type]


def _from_published_rates(row: str, model: Model) -> Cell:
    """The energy by the formula with the firing rates that the paper prints."""
    if row in _NO_RATES:
        return _extra(row, FROM_PUBLISHED_RATES, model, ENERGY.unit, _NO_RATES[row], absent="not applicable")
    note = "the formula with the firing rates that the paper prints"
    fact = Fact("energy", (ENERGY.name, _STEPS, *_RATES[row]))
    return _extra(row, FROM_PUBLISHED_RATES, model, ENERGY.unit, note, fact=fact)


def _parameters(row: str, model: Model) -> Cell:
    return _extra(row, "Parameters", model, note="all that is trained", fact=Fact("all parameters"))


def _beside(row: str, model: Model) -> tuple[Cell, ...]:
    """The columns beside the published ones; those of the compared LSTM are computed."""
    cells = [_from_published_rates(row, model), _parameters(row, model)]
    for column, measure in _EXTRA:
        if model is LSTM_154K:
            cells.append(_extra(row, column, model, measure.unit, _COMPUTED, fact=_fact(measure)))
        else:
            cells.append(_extra(row, column, model, measure.unit, measure=measure))
    return tuple(cells)


_PUBLISHED = grid(
    """
                 | Architecture | Theoretical Energy Cost                      | Empirical Energy Costs
    LSTM         | RNN          | 4(mn+nn)E_MAC + 17nE_MAC                     | 774.9
    LIF          | SRNN         | mnFr_in E_AC + (nn+n)Fr_out E_AC + nE_MAC    | 24.1
    ALIF         | SRNN         | mnFr_in E_AC + (nn+2n)Fr_out E_AC + 4nE_MAC  | 22.9
    CE-LIF(Ours) | FFSNN        | (mnFr_in + nFr_out)E_AC + 3nE_MAC            | 13.5
    """,
    unit={MEASURED: "nJ"},
    models=_MODELS,
    tasks={"Architecture": SEQ_MNIST, "Theoretical Energy Cost": SEQ_MNIST, MEASURED: SEQ_MNIST},
    measure={MEASURED: ENERGY},
    facts={
        "Architecture": Fact("kind"),
        "Theoretical Energy Cost": Fact("formula"),
        ("LSTM", MEASURED): _fact(ENERGY, _WHY_LSTM),
    },
    notes={("LSTM", MEASURED): _COMPUTED},
)

TABLE = Table(
    "celif-4",
    PAPER,
    "Energy cost of an LSTM and three spiking networks of about 155k parameters"
    " (m inputs, n neurons a layer, Fr firing rates)",
    (
        *_PUBLISHED,
        *(cell for row, model in _MODELS.items() for cell in _beside(row, model)),
        _extra(SMALL_LSTM, "Architecture", LSTM_128, note=_SMALL, fact=Fact("kind")),
        _extra(SMALL_LSTM, "Theoretical Energy Cost", LSTM_128, note=_SMALL, fact=Fact("formula")),
        _extra(SMALL_LSTM, MEASURED, LSTM_128, ENERGY.unit, _SMALL, measure=ENERGY),
        *_beside(SMALL_LSTM, LSTM_128),
    ),
    notes=("energy",),
)
