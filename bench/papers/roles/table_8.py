"""Roles Table 8: accuracy on N-MNIST at temporal resolutions not trained on."""

from dataclasses import replace

from bench.measures import (
    ACCURACY,
    AT_RESOLUTION,
    AT_RESOLUTION_FULL,
    AT_RESOLUTION_SAME,
    ENERGY_INFERENCE,
    SPIKE_RATE,
    SYNOPS,
)
from bench.papers.roles.models import (
    GRU_512,
    LIF,
    LIF_FULL_LEAK,
    LIF_NO_LEAK,
    LIF_NO_LEAK_NO_RESET_RECURRENT,
    LIF_NO_LEAK_RECURRENT,
    LIF_NO_RESET,
    LIF_RECURRENT,
    LSTM_512,
    RNN_512,
)
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import NMNIST, NMNIST_STANDIN, NMNIST_SUBSET
from bench.spec.grid import grid, on_other_data, read_by
from bench.spec.table import Cell, Fact, Table

_COLUMNS = {f"{ms}ms": measure for ms, measure in AT_RESOLUTION.items()}
PUBLISHED = grid(
    """
               | Leakage  | Reset   | Recurrence | 1ms   | 2ms   | 3ms   | 5ms   | 10ms
SNN (Baseline) | Normal   | Normal  | Without    | 90.82 | 94.14 | 94.76 | 94.80 | 94.63
SNN            | Without  | Normal  | Without    | 88.70 | 94.49 | 95.18 | 95.26 | 95.07
SNN            | Complete | Normal  | Without    | 90.98 | 94.57 | 95.03 | 95.12 | 95.14
SNN            | Normal   | Without | Without    | 93.90 | 95.83 | 96.18 | 96.30 | 96.12
SNN            | Normal   | Normal  | With       | 75.51 | 93.72 | 96.21 | 94.00 | 80.41
SNN            | Without  | Normal  | With       | 59.14 | 93.48 | 96.48 | 92.57 | 70.11
SNN            | Without  | Without | With       | 36.92 | 89.16 | 93.40 | 90.91 | 74.01
LSTM           | n/a      | n/a     | n/a        | 31.62 | 90.52 | 97.84 | 63.10 | 9.84
GRU            | n/a      | n/a     | n/a        | 23.25 | 77.69 | 96.88 | 81.83 | 45.20
Vanilla RNN    | n/a      | n/a     | n/a        | 17.68 | 18.28 | 93.84 | 37.58 | 19.92
""",
    key={"Leakage": "leakage {}", "Reset": "reset {}", "Recurrence": "recurrence {}"},
    models={
        "SNN (Baseline) | leakage Normal | reset Normal | recurrence Without": LIF,
        "SNN | leakage Without | reset Normal | recurrence Without": LIF_NO_LEAK,
        "SNN | leakage Complete | reset Normal | recurrence Without": LIF_FULL_LEAK,
        "SNN | leakage Normal | reset Without | recurrence Without": LIF_NO_RESET,
        "SNN | leakage Normal | reset Normal | recurrence With": LIF_RECURRENT,
        "SNN | leakage Without | reset Normal | recurrence With": LIF_NO_LEAK_RECURRENT,
        "SNN | leakage Without | reset Without | recurrence With": LIF_NO_LEAK_NO_RESET_RECURRENT,
        **{m.title: m for m in (LSTM_512, GRU_512, RNN_512)},
    },
    tasks=dict.fromkeys(("Leakage", "Reset", "Recurrence", *_COLUMNS), NMNIST),
    facts={name: Fact(name.lower()) for name in ("Leakage", "Reset", "Recurrence")},
    measure={**_COLUMNS, "3ms": ACCURACY},
    unit=dict.fromkeys(_COLUMNS, "%"),
    legend={"n/a": "printed -: an LSTM, a GRU and a vanilla RNN have no such component"},
)
SAME = tuple(
    cell
    for ms, measure in AT_RESOLUTION_SAME.items()
    if ms != 3  # 15 windows: the 3ms column
    for cell in read_by(
        PUBLISHED, f"{ms}ms", f"{ms}ms, same 45 ms", measure, f"the first 45 ms: {-(-45 // ms)} windows"
    )
)
WHOLE = tuple(
    cell
    for ms, measure in AT_RESOLUTION_FULL.items()
    for cell in read_by(PUBLISHED, f"{ms}ms", f"{ms}ms, whole", measure, f"the whole recording: {300 // ms} windows")
)

COSTS = tuple(
    cell
    for column, measure, note in (
        ("Spike rate", SPIKE_RATE, "spikes per neuron and step over hidden and output neurons, at 3 ms"),
        ("Synaptic operations", SYNOPS, "of a time step at 3 ms"),
        (
            "Energy",
            ENERGY_INFERENCE,
            "of an inference of 15 steps at 3 ms: 0.9 pJ an accumulation, 4.6 pJ a multiplication",
        ),
    )
    for cell in read_by(PUBLISHED, "3ms", column, measure, note)
)
_ALL = PUBLISHED + COSTS


def _without_spikes(cell: Cell) -> Cell:
    """Of a network without spikes the 0 that is counted (celif-4 shows it beside the multiplications) says nothing
    here.
    """
    if cell.measure not in (SPIKE_RATE, SYNOPS) or cell.model is None or cell.model.neuron:
        return cell
    return replace(cell, absent="not applicable", note="a network without spikes: it multiplies, see its energy")


TABLE = Table(
    "roles-8",
    PAPER,
    "Accuracy on N-MNIST at temporal resolutions from 1 to 10 ms of networks trained at 3 ms",
    tuple(map(_without_spikes, on_other_data(_ALL + SAME + WHOLE, NMNIST_STANDIN, NMNIST_SUBSET))),
    notes=(
        "The 3 ms column is the N-MNIST column of roles-6 (the same trainings), but the baseline is printed as 94.76 here and 94.75 there.",
        "The number of steps at each resolution is not in the paper: 15 windows at every resolution, as in training, so the first 15 ms of "
        "a recording at 1 ms and the first 150 ms at 10 ms. Beside it two other readings: the same 45 ms that were trained on (45 windows "
        "of 1 ms, 5 of 10 ms), and the whole recording.",
        "The reading decides the pattern. Of the three, the same 45 ms came nearest to the printed values when the baseline was "
        "tried on the stand-in at laptop budget; with 15 windows accuracy falls far more on both sides of 3 ms than printed.",
        "So do the claims. With the printed columns' 15 windows everything is at 10 to 22 % at 1 ms on the stand-in, and which network "
        "loses less says little. Over the same 45 ms at 1 ms (simulated, laptop budget; three seeds, LSTM, GRU and vanilla RNN one): "
        "with leakage and recurrence 87.3 %, without leakage 23.6 (seeds from 14.6 to 38.5), also without reset 15.6, so leakage helps a "
        "recurrent network to generalise, as printed; at 10 ms recurrence hurts (86.4, baseline 90.0), as printed; but at 1 ms it does "
        "not (87.3, baseline 71.3), and without recurrence the network without leakage is best (91.5). Networks without spikes lose more "
        "than the recurrent SNN at 1 ms (LSTM 43.5, GRU 60.1, vanilla RNN 45.0), as printed, but less at 10 ms (95.4, 92.7, 90.7). "
        "Checked: number of windows and length (the three readings); counts instead of 0 and 1 in a window (exploratory, seed 0, the "
        "same 45 ms): baseline 71.7 at 1 ms and 81.0 at 10 ms, without leakage 91.3 and 94.4, with recurrence 86.4 and 78.4, so that at "
        "10 ms more is lost, by recurrence as printed (80.4) but by the baseline too (94.6). Not checked: more than 5 epochs.",
        "Over whole recordings most networks, trained on the first 45 ms, have lost most of what they knew at 3 ms already (simulated, "
        "laptop budget: 16 to 27 % without recurrence or with leakage), so what they lose elsewhere says little. Those without leakage "
        "and with recurrence keep it, 66.4 %, and without reset too 88.6 (at 1 ms 21.3 and 18.6, at 10 ms 40.4 and 78.3).",
        "Other columns with a data set's name are a stand-in simulated from MNIST and a subset of 1,100 recordings: nothing is published.",
    ),
)
