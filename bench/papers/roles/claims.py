"""The claims of the roles paper (sections 4.1 to 4.3 and 5) as predicates over cells."""

from __future__ import annotations

from typing import NamedTuple

from bench.measures import ATTACK, LANDSCAPE, SPIKE_RATE
from bench.papers.roles import table_6, table_7, table_8, table_9, table_10
from bench.papers.roles.models import (
    LIF,
    LIF_FULL_LEAK,
    LIF_NO_LEAK,
    LIF_NO_LEAK_RECURRENT,
    LIF_NO_RESET,
    LIF_RECURRENT,
    LSTM_512,
)
from bench.papers.roles.tasks import NMNIST
from bench.spec.claim import Claim, Condition, column_cells, row_cells, value
from bench.spec.measure import Measure
from bench.spec.model import Model
from bench.spec.predicates import Alike, Descending, Highest, LosesLess, Near, NotBelow, Predicate, Ratio
from bench.spec.table import Cell

BASE = "Baseline"
NO_LEAK = "Without leakage"
FULL_LEAK = "Complete leakage"
NO_RESET = "Without reset"
RECURRENT = "With recurrence"
TEMPORAL = ("XOR", "SHD", "SSC")
SPATIAL = ("N-MNIST", "DVS128 Gesture", "MNIST", "CIFAR10")
BEST_LEAK = {"SHD": "0.5", "SSC": "0.9", "N-MNIST": "0.9", "DVS128 Gesture": "0.4", "MNIST": "0.9", "CIFAR10": "0.4"}
LEAKS = tuple(f"k_tau = {k}" for k in ("0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0"))
_TABLE = "read off Table {}"
_STEPS = {"XOR": "; over 100 steps, chosen after seeing which rows learn (roles-6)"}
_GUESS = "guess [U]: what the figure is drawn for; it prints no numbers"


def _claim(
    name: str, section: str, sentence: str, source: str, *conditions: tuple[Predicate, tuple[Cell, ...]]
) -> Claim:
    return Claim(f"roles-{name}", section, sentence, tuple(Condition(*c) for c in conditions), source)


def _table_6(column: str, *rows: str) -> tuple[Cell, ...]:
    return column_cells(table_6.TABLE, column, *rows)


def _temporal() -> list[Claim]:
    claims = [
        _claim(
            "xor-memory",
            "4.1",
            "XOR needs a memory that forgets: without leakage and with complete leakage the network is near chance",
            f"{_TABLE.format(6)}; near: 5 points{_STEPS['XOR']}",
            (Near(50.0, 5.0), _table_6("XOR", NO_LEAK, FULL_LEAK)),
        ),
        _claim(
            "xor-order",
            "4.1",
            "On XOR, without reset and with recurrence are best, the baseline lies between them and the two other"
            " leaks",
            _TABLE.format(6) + _STEPS["XOR"],
            (Highest(), _table_6("XOR", NO_RESET, BASE)),
            (Highest(), _table_6("XOR", RECURRENT, BASE)),
            (Highest(), _table_6("XOR", BASE, NO_LEAK, FULL_LEAK)),
        ),
    ]
    for column in TEMPORAL:
        claims += [
            _claim(
                f"recurrence-{column.lower()}",
                "4.1",
                f"Recurrence gives the best accuracy in temporal tasks: {column}",
                _TABLE.format(6) + _STEPS.get(column, ""),
                (Highest(), _table_6(column, RECURRENT, BASE, NO_LEAK, FULL_LEAK, NO_RESET)),
            ),
            _claim(
                f"leakage-{column.lower()}",
                "4.1",
                f"Temporal tasks need leakage, neither none nor complete: {column}",
                _TABLE.format(6) + _STEPS.get(column, ""),
                (Highest(), _table_6(column, BASE, NO_LEAK, FULL_LEAK)),
            ),
        ]
    for column in ("SHD", "SSC"):
        claims += [
            _claim(
                f"learnable-leak-{column.lower()}",
                "4.1",
                f"A learnable leak lies above every fixed one: {column}",
                "read off Tables 6 and 7",
                (Highest(), (*_table_6(column, BASE), *column_cells(table_7.TABLE, column, *LEAKS))),
            ),
            _claim(
                f"collapse-{column.lower()}",
                "4.1",
                f"Without any leak, at k = 1, accuracy collapses: {column}",
                "read off Table 7; collapses: to less than half of that at k = 0.9",
                (Ratio(2.0), column_cells(table_7.TABLE, column, "k_tau = 0.9", "k_tau = 1.0")),
            ),
        ]
    return claims


def _spatial() -> list[Claim]:
    claims = [
        _claim(
            "leakage-dvs128",
            "4.1",
            "Of the spatial tasks DVS128 Gesture needs leakage",
            _TABLE.format(6),
            (Highest(), _table_6("DVS128 Gesture", BASE, NO_LEAK)),
        ),
        _claim(
            "leak-fall-dvs128",
            "4.1",
            "From k = 0.4 on accuracy falls with every weaker leak: DVS128 Gesture",
            _TABLE.format(7),
            (Descending(), column_cells(table_7.TABLE, "DVS128 Gesture", *LEAKS[4:])),
        ),
    ]
    for column in ("N-MNIST", "MNIST", "DVS128 Gesture"):
        claims.append(
            _claim(
                f"recurrence-{column.split()[0].lower()}",
                "4.1",
                f"Recurrence gives the best accuracy in spatial tasks, too: {column}",
                _TABLE.format(6),
                (Highest(), _table_6(column, RECURRENT, BASE, NO_LEAK, FULL_LEAK, NO_RESET)),
            )
        )
    for column in ("N-MNIST", "MNIST", "CIFAR10"):
        claims += [
            _claim(
                f"leakage-{column.lower()}",
                "4.1",
                f"Spatial tasks hardly react to leakage, be it none or complete: {column}",
                "read off Table 6; hardly: within 1 %",
                (Alike(0.01), _table_6(column, BASE, NO_LEAK, FULL_LEAK)),
            ),
            _claim(
                f"leaks-{column.lower()}",
                "4.1",
                f"Spatial tasks hardly react to how strong a fixed leak is: {column}",
                "read off Table 7; hardly: within 2 %",
                (
                    Alike(0.02),
                    column_cells(table_7.TABLE, column, "k_tau = 0.3", *(k for k in LEAKS if k != "k_tau = 0.3")),
                ),
            ),
        ]
    return claims


def _every_task() -> list[Claim]:
    claims = []
    for column in (*TEMPORAL, *SPATIAL):
        short = column.split()[0].lower()
        claims.append(
            _claim(
                f"reset-{short}",
                "4.1",
                f"The reset can be left out: that is neutral or helps: {column}",
                f"{_TABLE.format(6)}; neutral: 1 point{_STEPS.get(column, '')}",
                (NotBelow(1.0), _table_6(column, NO_RESET, BASE)),
            )
        )
        if column in BEST_LEAK:
            best = f"k_tau = {BEST_LEAK[column]}"
            claims.append(
                _claim(
                    f"best-leak-{short}",
                    "4.1",
                    f"The best fixed leak is k = {BEST_LEAK[column]}: {column}",
                    _TABLE.format(7),
                    (Highest(), column_cells(table_7.TABLE, column, best, *(k for k in LEAKS if k != best))),
                )
            )
    return claims


def _row(leakage: str, reset: str, recurrence: str, name: str = "SNN") -> str:
    return f"{name} | leakage {leakage} | reset {reset} | recurrence {recurrence}"


_SNN = _row("Normal", "Normal", "Without", "SNN (Baseline)")
_SNN_NO_LEAK = _row("Without", "Normal", "Without")
_SNN_FULL_LEAK = _row("Complete", "Normal", "Without")
_SNN_NO_RESET = _row("Normal", "Without", "Without")
_SNN_RECURRENT = _row("Normal", "Normal", "With")
_SNN_NO_LEAK_RECURRENT = _row("Without", "Normal", "With")
_SNN_NO_LEAK_NO_RESET_RECURRENT = _row("Without", "Without", "With")
_RNNS = ("LSTM", "GRU", "Vanilla RNN")


class Generalisation(NamedTuple):
    """A claim about Table 8 (4.2): at each of ``resolutions`` the row ``robust`` loses less accuracy than each of
    ``others``.
    """

    name: str
    sentence: str
    resolutions: tuple[str, ...]
    robust: str
    others: tuple[str, ...]


_GENERALISATION = (
    Generalisation(
        "recurrence",
        "Recurrence hurts generalisation over temporal resolution",
        ("1ms", "10ms"),
        _SNN,
        (_SNN_RECURRENT,),
    ),
    Generalisation(
        "leakage-recurrent",
        "Leakage helps a recurrent network to generalise over resolution",
        ("1ms", "10ms"),
        _SNN_RECURRENT,
        (_SNN_NO_LEAK_RECURRENT,),
    ),
    Generalisation(
        "rnn",
        "Recurrent networks without spikes generalise worse than a recurrent SNN",
        ("1ms", "10ms"),
        _SNN_RECURRENT,
        _RNNS,
    ),
    Generalisation("leakage", "Leakage helps generalisation over temporal resolution", ("1ms",), _SNN, (_SNN_NO_LEAK,)),
    Generalisation(
        "reset",
        "Without recurrence a network generalises better without reset",
        ("1ms",),
        _SNN_NO_RESET,
        (_SNN,),
    ),
    Generalisation(
        "reset-recurrent",
        "With recurrence and without leakage the reset helps generalisation",
        ("1ms",),
        _SNN_NO_LEAK_RECURRENT,
        (_SNN_NO_LEAK_NO_RESET_RECURRENT,),
    ),
)
# Three readings of the number of windows, which the paper does not print: end of the claim's name, description, column
# at a resolution. The loss is counted from the printed 3 ms column, the resolution of the training, because over whole
# recordings most networks lose most of their accuracy at 3 ms already.
_READINGS = (
    ("", "15 windows", "{}"),
    ("-same", "the same 45 ms", "{}, same 45 ms"),
    ("-whole", "whole recordings", "{}, whole"),
)


def _accuracies(row: str, column: str) -> tuple[Cell, ...]:
    """The accuracy of ``row`` in Table 8 at the resolution of the training, and in ``column``."""
    return row_cells(table_8.TABLE, row, "3ms", column)


def _generalisation() -> list[Claim]:
    claims = []
    for claim in _GENERALISATION:
        for resolution in claim.resolutions:
            for end, windows, column in _READINGS:
                robust = _accuracies(claim.robust, column.format(resolution))
                others = [_accuracies(row, column.format(resolution)) for row in claim.others]
                claims.append(
                    _claim(
                        f"generalise-{claim.name}-{resolution}{end}",
                        "4.2",
                        f"{claim.sentence}: {resolution}, {windows}",
                        _TABLE.format(8) + (f"; over {windows}: ours" if end else ""),
                        *((LosesLess(), robust + other) for other in others),
                    )
                )
    spiking = (
        _SNN,
        _SNN_NO_LEAK,
        _SNN_FULL_LEAK,
        _SNN_NO_RESET,
        _SNN_RECURRENT,
        _SNN_NO_LEAK_RECURRENT,
        _SNN_NO_LEAK_NO_RESET_RECURRENT,
    )
    claims.append(
        _claim(
            "rnn-trained",
            "4.2",
            "At the resolution that all were trained at, LSTM and GRU are ahead of every SNN and of the vanilla"
            " RNN: 3ms",
            _TABLE.format(8),
            *((Highest(), column_cells(table_8.TABLE, "3ms", row, *spiking, "Vanilla RNN")) for row in ("LSTM", "GRU")),
        )
    )
    return claims


def _nmnist(model: Model, measure: Measure) -> Cell:
    return value(NMNIST, model, measure)


def _attack(*models: Model) -> tuple[Cell, ...]:
    return tuple(_nmnist(model, ATTACK) for model in models)


_OTHER_MEASURES = [
    _claim(
        "landscape",
        "4.2",
        "The minimum of the leaky SNN is flatter than that of the SNN without leakage and with recurrence, and the"
        " LSTM's",
        _GUESS + " (Figure 5)",
        *((Highest(), (_nmnist(m, LANDSCAPE), _nmnist(LIF, LANDSCAPE))) for m in (LIF_NO_LEAK_RECURRENT, LSTM_512)),
    ),
    _claim(
        "silhouette",
        "5",
        "Features cluster best with recurrence, then without leakage; reset and complete leakage change little",
        "read off Table 9; little: within 20 %",
        (Descending(), column_cells(table_9.TABLE, "Silhouette Coefficient", RECURRENT, NO_LEAK, BASE)),
        (Alike(0.2), column_cells(table_9.TABLE, "Silhouette Coefficient", BASE, NO_RESET, FULL_LEAK)),
    ),
    _claim(
        "event-drop",
        "4.3",
        "Under EventDrop: without reset > complete leakage > baseline > recurrence > without leakage",
        _TABLE.format(10),
        (Descending(), column_cells(table_10.TABLE, "Accuracy", NO_RESET, FULL_LEAK, BASE, RECURRENT, NO_LEAK)),
    ),
    _claim(
        "attack-leakage",
        "4.3",
        "A smaller k makes a network more robust: the attack must change more of its input",
        "our reading of Figure 8",
        (Descending(), _attack(LIF_FULL_LEAK, LIF, LIF_NO_LEAK)),
    ),
    _claim(
        "attack-recurrence",
        "4.3",
        "Recurrence makes a network less robust against the attack",
        "our reading of Figure 8",
        (Highest(), _attack(LIF, LIF_RECURRENT)),
    ),
    _claim(
        "attack-reset",
        "4.3",
        "The reset does not matter for robustness against the attack",
        "our reading of Figure 8; alike: within 10 %",
        (Alike(0.1), _attack(LIF_NO_RESET, LIF)),
    ),
    _claim(
        "spike-rate-reset",
        "5",
        "Without reset neurons fire more",
        _GUESS + " (Figure 3)",
        (Highest(), (_nmnist(LIF_NO_RESET, SPIKE_RATE), _nmnist(LIF, SPIKE_RATE))),
    ),
]

CLAIMS = (*_temporal(), *_spatial(), *_every_task(), *_generalisation(), *_OTHER_MEASURES)
