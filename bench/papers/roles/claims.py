"""The roles paper's claims on reset and recurrence: section 4.1.3. Those on leakage are in ``claims_leakage``."""

from __future__ import annotations

from bench.measures import SPIKE_RATE
from bench.papers.roles import table_6
from bench.papers.roles.models import LIF, LIF_NO_RESET
from bench.papers.roles.tasks import NMNIST
from bench.spec.claim import Claim, Part, column_cells, value
from bench.spec.predicates import GainsMore, Highest

BASELINE = "Baseline"
NO_RESET = "Without reset"
RECURRENCE = "With recurrence"
TEMPORAL = ("XOR", "SHD", "SSC")
XOR_STEPS = "XOR has 100 steps here, which were chosen after seeing which rows learn (roles-6)."

CLAIMS = (
    Claim(
        "roles-reset-xor",
        "4.1.3",
        "On delayed XOR reset degrades accuracy considerably",
        (Part(Highest(), column_cells(table_6.TABLE, "XOR", NO_RESET, BASELINE)),),
        reading=f"The network without reset is above the baseline. How much is considerable is not judged. {XOR_STEPS}",
    ),
    Claim(
        "roles-reset-rate",
        "4.1.3, Figure 3",
        "Reset lowers the firing rate",
        (Part(Highest(), (value(NMNIST, LIF_NO_RESET, SPIKE_RATE), value(NMNIST, LIF, SPIKE_RATE))),),
        reading="The mean rate on N-MNIST, as in the figure, over hidden and output neurons.",
    ),
    Claim(
        "roles-recurrence-temporal",
        "4.1.3",
        "Recurrence gives superior accuracy on temporal sets",
        tuple(
            Part(Highest(), column_cells(table_6.TABLE, column, RECURRENCE, BASELINE), column) for column in TEMPORAL
        ),
        reading=f"Superior: above the baseline. {XOR_STEPS}",
    ),
    Claim(
        "roles-recurrence-shrinks",
        "4.1.3",
        "The gain of recurrence is smaller on sets with fewer temporal dependencies",
        tuple(
            Part(
                GainsMore(),
                (
                    *column_cells(table_6.TABLE, column, RECURRENCE, BASELINE),
                    *column_cells(table_6.TABLE, "MNIST", RECURRENCE, BASELINE),
                ),
                f"{column}, MNIST",
            )
            for column in TEMPORAL
        ),
        reading="The gain over the baseline is larger on each temporal set than on MNIST, the only spatial set with a"
        f" recurrent network. {XOR_STEPS}",
    ),
)
