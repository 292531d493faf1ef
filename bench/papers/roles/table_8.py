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
from bench.papers.roles.tasks import (
    NMNIST,
    NMNIST_7,
    NMNIST_STANDIN,
    NMNIST_WHOLE,
    NMNIST_WHOLE_7,
    NMNIST_WHOLE_STANDIN,
)
from bench.spec.grid import grid, on_other_data, read_by
from bench.spec.table import Cell, Fact, Table
from bench.spec.task import Task

TRAINED_MS = 3
TRAINED_WHOLE = "trained on whole recordings"
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


def _trained_whole(task: Task, data: str = "") -> tuple[Cell, ...]:
    """Cells of networks trained on whole recordings, and tested on whole recordings at every resolution."""
    cells = []
    for ms, measure in {**AT_RESOLUTION_FULL, TRAINED_MS: ACCURACY}.items():
        printed = [cell for cell in PUBLISHED if cell.column == f"{ms}ms"]
        for cell in printed:
            note = f"trained and tested on {300 // TRAINED_MS} and {300 // ms} windows; the paper has {cell.published}"
            column = f"{ms}ms, {TRAINED_WHOLE}{data}"
            cells.append(
                replace(cell, column=column, published=None, task=task, measure=measure, note=note, extra=True)
            )
    return tuple(cells)


ALL_TRAINED_WHOLE = (
    *_trained_whole(NMNIST_WHOLE),
    *_trained_whole(NMNIST_WHOLE_STANDIN, f", {NMNIST_STANDIN.title}"),
    *_trained_whole(NMNIST_WHOLE_7, f", {NMNIST_7.title}"),
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
    tuple(map(_without_spikes, on_other_data(_ALL + SAME + WHOLE, NMNIST_STANDIN, NMNIST_7))) + ALL_TRAINED_WHOLE,
    notes=("resolutions", "other_data"),
)
