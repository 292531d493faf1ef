"""The roles paper's claims that compare leakages: section 4.1.3, Tables 6 and 7.

On XOR, SHD and SSC they are judged on networks that take the input whole, as in the paper's equation 1. In the public
recipe, which multiplies the input with 1 - k, no input reaches a network at k = 1.
"""

from __future__ import annotations

from bench.papers.roles import table_6, table_7
from bench.spec.claim import Claim, Part, column_cells
from bench.spec.predicates import (
    AtLeast,
    AtMost,
    BestInside,
    Highest,
    MattersLess,
    NotBelowBest,
    WiderSpread,
)
from bench.spec.table import Cell, Table

BASELINE = "Baseline"
NO_LEAK = "Without leakage"
FULL_LEAK = "Complete leakage"
NO_RESET = "Without reset"
VARIANTS = (BASELINE, NO_LEAK, FULL_LEAK, NO_RESET, "With recurrence")
TEMPORAL = {"XOR": "XOR, input whole", "SHD": "SHD, input whole", "SSC": "SSC, input whole"}
SPOKEN = {name: TEMPORAL[name] for name in ("SHD", "SSC")}  # temporal sets of Table 7
SPATIO_TEMPORAL = ("N-MNIST", "DVS128 Gesture")
SPATIAL = ("MNIST", "CIFAR10")
OTHERS = (*SPATIO_TEMPORAL, *SPATIAL)
LEAKS = tuple(table_7.TABLE.rows)  # from k = 0 to k = 1
CHANCE = {"XOR": 50.0, "SHD": 100 / 20, "SSC": 100 / 35}  # 2, 20 and 35 classes
INPUT_WHOLE = "The input is taken whole: with the public recipe's factor 1 - k, no input reaches a network at k = 1."
XOR_STEPS = "XOR has 100 steps here, which were chosen after seeing which rows learn (roles-6)."


def _spread_cells(table: Table, columns: tuple[str, ...], rows: tuple[str, ...]) -> tuple[Cell, ...]:
    """Cells of all ``columns``, set by set. CIFAR10 has no network with recurrence."""
    return tuple(
        table.cell(row, column) for column in columns for row in rows if (row, column) != (VARIANTS[-1], "CIFAR10")
    )


CLAIMS = (
    Claim(
        "roles-impact-order",
        "4.1.3",
        "The three components matter most on temporal sets, less on spatio-temporal, least on spatial ones",
        (
            Part(
                WiderSpread(((5, 5, 5), (5, 5), (5, 4)), ("temporal", "spatio-temporal", "spatial")),
                _spread_cells(table_6.TABLE, (*TEMPORAL.values(), *OTHERS), VARIANTS),
            ),
        ),
        reading="How much they matter: best less worst of the five networks of Table 6, on average over the sets of a"
        f" group. CIFAR10 has four networks. {INPUT_WHOLE} {XOR_STEPS}",
    ),
    Claim(
        "roles-leak-needed",
        "4.1.3",
        "On temporal sets both no leakage and complete leakage are worse than the baseline",
        (
            *(
                Part(Highest(), column_cells(table_6.TABLE, column, BASELINE, NO_LEAK, FULL_LEAK), name)
                for name, column in TEMPORAL.items()
            ),
            Part(AtLeast(55.0), column_cells(table_6.TABLE, TEMPORAL["XOR"], BASELINE), "XOR, baseline above chance"),
        ),
        reading=f"Above chance [U]: at least 55 %, where guessing gives 50 %. {INPUT_WHOLE} {XOR_STEPS}",
    ),
    Claim(
        "roles-no-leak-chance",
        "4.1.3",
        "Without leakage accuracy is barely above guessing on temporal sets",
        tuple(
            Part(AtMost(round(CHANCE[name] + 10, 2)), column_cells(table_6.TABLE, column, NO_LEAK), name)
            for name, column in TEMPORAL.items()
        ),
        reading="Barely above [U]: at most 10 points. Guessing gives 50 % on XOR, 5 % on SHD and 2.86 % on SSC."
        f" {INPUT_WHOLE} {XOR_STEPS}",
    ),
    Claim(
        "roles-intermediate-leak",
        "4.1.3, Table 7",
        "A proper, intermediate leak is best on temporal sets",
        tuple(Part(BestInside(), column_cells(table_7.TABLE, column, *LEAKS), name) for name, column in SPOKEN.items()),
        reading=f"The best fixed k is neither 0 nor 1, and its network is above both. {INPUT_WHOLE}",
    ),
    Claim(
        "roles-leak-spread",
        "4.1.3",
        "The leak matters more on temporal sets than on the others",
        (
            Part(
                WiderSpread(((11, 11), (11, 11, 11, 11)), ("temporal", "others")),
                _spread_cells(table_7.TABLE, (*SPOKEN.values(), *OTHERS), LEAKS),
            ),
        ),
        reading="How much it matters: best less worst of the eleven fixed leaks of Table 7, on average over the sets."
        f" {INPUT_WHOLE}",
    ),
    Claim(
        "roles-learnable-leak",
        "5 (1), Tables 6 and 7",
        "A learnable leak is at least as good as every fixed one on temporal sets",
        tuple(
            Part(
                NotBelowBest(),
                (table_6.TABLE.cell(BASELINE, column), *column_cells(table_7.TABLE, column, *LEAKS)),
                name,
            )
            for name, column in SPOKEN.items()
        ),
        reading=f"The baseline of Table 6 learns its leak on SHD and SSC. {INPUT_WHOLE}",
    ),
    Claim(
        "roles-reset-small",
        "4.1.3",
        "On SHD and SSC, and more so on spatio-temporal and spatial sets, reset matters less than leakage",
        tuple(
            Part(MattersLess(), column_cells(table_6.TABLE, column, BASELINE, NO_RESET, NO_LEAK), name)
            for name, column in (SPOKEN | dict(zip(OTHERS, OTHERS, strict=True))).items()
        ),
        reading="How much reset matters: the difference of the network without it from the baseline; leakage alike."
        f' "More so" is not judged. {INPUT_WHOLE}',
    ),
)
