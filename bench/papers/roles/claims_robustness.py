"""The roles paper's claims on adversarial attacks and dropped events: section 4.3.2, Figure 8 and Table 10."""

from __future__ import annotations

from bench.measures import ATTACK
from bench.papers.roles import table_8, table_10
from bench.papers.roles.models import LIF, LIF_FULL_LEAK, LIF_NO_LEAK, LIF_NO_RESET, LIF_RECURRENT, VARIANTS
from bench.papers.roles.tasks import NMNIST
from bench.spec.claim import Claim, Part, column_cells, value
from bench.spec.model import Model
from bench.spec.predicates import Alike, Descending, Equal, Highest, MattersLess, SameOrder
from bench.spec.table import Cell

ATTACKED = (
    "Attack [U]: the share of input entries that it must change to fool the network, on N-MNIST at 100 % success."
)
DROPPED = "EventDrop: accuracy on N-MNIST with half of the events dropped [U]."
# Rows of Table 8 in the order of VARIANTS, the rows of Table 10
_AT_1_MS = column_cells(
    table_8.TABLE,
    "1ms",
    "SNN (Baseline) | leakage Normal | reset Normal | recurrence Without",
    "SNN | leakage Without | reset Normal | recurrence Without",
    "SNN | leakage Complete | reset Normal | recurrence Without",
    "SNN | leakage Normal | reset Without | recurrence Without",
    "SNN | leakage Normal | reset Normal | recurrence With",
)


def _attack(*models: Model) -> tuple[Cell, ...]:
    return tuple(value(NMNIST, model, ATTACK) for model in models)


def _dropped(*models: Model) -> tuple[Cell, ...]:
    return column_cells(table_10.TABLE, "Accuracy", *(model.title for model in models))


_DISTURBANCES = {"attack": _attack, "EventDrop": _dropped}

CLAIMS = (
    Claim(
        "roles-attack-leak",
        "4.3.2",
        "The smaller k, the more robust under attack; without leakage least",
        (Part(Descending(), _attack(LIF_FULL_LEAK, LIF, LIF_NO_LEAK)),),
        reading=f"Complete leakage (k = 0), then the baseline (k = 0.3), then no leakage (k = 1). {ATTACKED}",
    ),
    Claim(
        "roles-attack-recurrence",
        "4.3.2",
        "Recurrence degrades robustness",
        tuple(Part(Highest(), cells(LIF, LIF_RECURRENT), name) for name, cells in _DISTURBANCES.items()),
        reading=f"The baseline is above the network with recurrence. {ATTACKED} {DROPPED}",
    ),
    Claim(
        "roles-attack-reset",
        "4.3.2",
        "Reset has a slight effect on robustness, which differs between the attacks",
        (
            Part(Alike(0.1), _attack(LIF_NO_RESET, LIF), "attack"),
            Part(Equal(5.0), _dropped(LIF_NO_RESET, LIF), "EventDrop"),
        ),
        reading="Slight [U]: without reset, within 10 % of the baseline under attack, within 5 points under EventDrop."
        f" That it differs between the attacks is not judged. {ATTACKED} {DROPPED}",
    ),
    Claim(
        "roles-attack-strongest",
        "4.3.2",
        "Leakage and recurrence are the strongest factors under attack and under EventDrop",
        tuple(
            Part(MattersLess(), cells(LIF, LIF_NO_RESET, other), f"{name}, {component}")
            for name, cells in _DISTURBANCES.items()
            for component, other in (("leakage", LIF_NO_LEAK), ("recurrence", LIF_RECURRENT))
        ),
        reading="The network without reset differs less from the baseline than the network without leakage, and less"
        f" than the one with recurrence. {ATTACKED} {DROPPED}",
    ),
    Claim(
        "roles-consistent",
        "4.3.2",
        "The robustness findings agree with the generalisation findings",
        tuple(Part(SameOrder(), cells(*VARIANTS) + _AT_1_MS, name) for name, cells in _DISTURBANCES.items()),
        reading="The five networks have one order under the disturbance and in accuracy at 1 ms, in 15 windows (Table"
        f" 8). {ATTACKED} {DROPPED}",
    ),
)
