"""The roles paper's claims on generalisation over temporal resolutions, loss landscapes and features: section 4.2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bench.measures import LANDSCAPE
from bench.papers.roles import table_8, table_9
from bench.papers.roles.models import LIF, LIF_NO_LEAK_RECURRENT, LSTM_512
from bench.papers.roles.tasks import NMNIST
from bench.spec.claim import Claim, Part, column_cells, row_cells, value
from bench.spec.model import Model
from bench.spec.predicates import Equal, Highest, LosesLess, MattersLess, OfLosses
from bench.spec.table import Cell

SNN = "SNN (Baseline) | leakage Normal | reset Normal | recurrence Without"
NO_LEAK = "SNN | leakage Without | reset Normal | recurrence Without"
NO_RESET = "SNN | leakage Normal | reset Without | recurrence Without"
RECURRENT = "SNN | leakage Normal | reset Normal | recurrence With"
WORST = "SNN | leakage Without | reset Without | recurrence With"
WITHOUT_SPIKES = ("LSTM", "GRU", "Vanilla RNN")
WITH_SPIKES = tuple(row for row in table_8.TABLE.rows if row not in WITHOUT_SPIKES)


class Windows(NamedTuple):
    """A reading of the number of windows in Table 8, which the paper does not print: the end of the claims' ids, its
    description, and the columns of the training's resolution (3 ms) and of another one.
    """

    end: str
    description: str
    trained: str
    column: str

    def cells(self, ms: int, *rows: str) -> tuple[Cell, ...]:
        """Of each row the accuracy at 3 ms and at ``ms``."""
        columns = self.trained, self.column.format(ms)
        return tuple(cell for row in rows for cell in row_cells(table_8.TABLE, row, *columns))

    def claim(self, name: str, sentence: str, parts: tuple[Part, ...], reading: str) -> Claim:
        """The claim of the paper for its printed columns, else a question of this suite."""
        return Claim(
            f"roles-generalise-{name}{self.end}",
            "4.2.2",
            sentence + (f": {self.description}" if self.end else ""),
            parts,
            source="ours" if self.end else "text",
            reading=f"{reading} Windows [U]: {self.description} at each resolution.",
        )


READINGS = (
    Windows("", "15 windows, as in training", "3ms", "{}ms"),
    Windows("-same", "the same 45 ms, as in training", "3ms", "{}ms, same 45 ms"),
    Windows("-whole", "the whole recording", "3ms, whole", "{}ms, whole"),
    Windows(
        "-trained-whole",
        "the whole recording, in training too",
        f"3ms, {table_8.TRAINED_WHOLE}",
        f"{{}}ms, {table_8.TRAINED_WHOLE}",
    ),
)


def _claims(windows: Windows) -> Iterator[Claim]:
    yield windows.claim(
        "snn",
        "SNNs generalise over temporal resolutions better than all RNN models",
        tuple(
            Part(OfLosses(Highest()), windows.cells(ms, network, *WITH_SPIKES), f"{ms} ms, {network}")
            for ms in (1, 2, 5, 10)
            for network in WITHOUT_SPIKES
        ),
        "From 3 ms to each other resolution, the RNN loses more accuracy than each of the seven SNNs.",
    )
    yield windows.claim(
        "leak",
        "The absence of leakage lowers generalisation, evidently at 1 ms",
        (Part(LosesLess(), windows.cells(1, SNN, NO_LEAK)),),
        "From 3 ms to 1 ms, the baseline loses less accuracy than the network without leakage.",
    )
    yield windows.claim(
        "recurrence",
        "Recurrence impairs generalisation notably",
        tuple(Part(LosesLess(), windows.cells(ms, SNN, RECURRENT), f"{ms} ms") for ms in (1, 10)),
        "From 3 ms, the baseline loses less accuracy than the network with recurrence. How much is notable is not"
        " judged.",
    )
    yield windows.claim(
        "worst",
        "Without leakage and reset and with recurrence, generalisation drops to near the LSTM's level",
        (Part(Equal(10.0), column_cells(table_8.TABLE, windows.column.format(1), WORST, "LSTM")),),
        "Near [U]: the two accuracies at 1 ms are within 10 points.",
    )
    yield windows.claim(
        "reset",
        "Reset has a subtler effect on generalisation than leakage and recurrence",
        tuple(
            Part(OfLosses(MattersLess()), windows.cells(1, SNN, NO_RESET, row), name)
            for name, row in (("leakage", NO_LEAK), ("recurrence", RECURRENT))
        ),
        "The effect of a component: how much the loss from 3 ms to 1 ms differs from the baseline's.",
    )


def _landscape(*models: Model) -> tuple[Cell, ...]:
    return tuple(value(NMNIST, model, LANDSCAPE) for model in models)


_COLUMN = "Silhouette Coefficient"
_LANDSCAPE_AND_FEATURES = (
    Claim(
        "roles-landscape",
        "4.2.3, Figure 5",
        "The loss landscape of the vanilla SNN is flattest, then that of the variant without leakage and with"
        " recurrence, then the LSTM's",
        (
            Part(Highest(), _landscape(LIF_NO_LEAK_RECURRENT, LIF), "variant above vanilla"),
            Part(Highest(), _landscape(LSTM_512, LIF_NO_LEAK_RECURRENT), "LSTM above variant"),
        ),
        reading="Flatter [U]: the training loss rises less on circles of radius 0.5 and 1 around the weights, along"
        " filter-normalised random directions.",
    ),
    Claim(
        "roles-silhouette",
        "4.2.4, Table 9",
        "Recurrence separates classes most distinctly; the others are close to each other",
        (
            Part(
                Highest(),
                column_cells(
                    table_9.TABLE,
                    _COLUMN,
                    "With recurrence",
                    "Baseline",
                    "Without leakage",
                    "Complete leakage",
                    "Without reset",
                ),
                "recurrence highest",
            ),
            Part(
                Equal(0.1),
                column_cells(
                    table_9.TABLE, _COLUMN, "Baseline", "Without leakage", "Complete leakage", "Without reset"
                ),
                "others close",
            ),
        ),
        reading="Close [U]: silhouette coefficients within 0.1 of the baseline's.",
    ),
)

PRINTED, *OWN = READINGS
CLAIMS = (*_claims(PRINTED), *_LANDSCAPE_AND_FEATURES, *(claim for windows in OWN for claim in _claims(windows)))
