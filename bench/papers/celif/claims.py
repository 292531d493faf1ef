"""The claims of the celif paper as predicates over cells."""

from __future__ import annotations

import math

from bench.measures import ACCURACY, GRADIENT_REACH, LANDSCAPE_SMALL, LEARNING_CURVE, LOSS_CURVE, TE_SIMILARITY
from bench.papers.celif import table_1, table_2, table_3, table_4
from bench.papers.celif.models import ALIF_REC, CELIF, CELIF_154K, LIF_REC
from bench.papers.celif.models_baselines import LSTM_256
from bench.papers.celif.tasks import ADDING, COPY, SEQ_MNIST
from bench.spec.claim import Claim, Condition, column_cells, value
from bench.spec.model import Model
from bench.spec.predicates import AtLeast, AtMost, Descending, Highest, NotAbove, Predicate, Ratio, RatioNear
from bench.spec.table import Cell
from bench.spec.task import Task

BOTH = ("Seq-MNIST", "PS-MNIST")
FEEDFORWARD = tuple(
    f"{name} | Feedforward | {count}"
    for name, count in (("LIF*", "85.1k"), ("LTMD*", "85.1k"), ("PLIF*", "85.1k"), ("GLIF*", "85.4k"))
)
RECURRENT = tuple(
    f"{name} | Recurrent | {count}"
    for name, count in (
        ("LIF*", "155.1k"),
        ("LTMD*", "155.1k"),
        ("ALIF", "156.3k"),
        ("PLIF*", "155.1k"),
        ("GLIF*", "157.5k"),
    )
)
PUBLISHED_PS = tuple(row for row in RECURRENT if not row.startswith("PLIF"))  # PLIF did not converge there
SMALL = "CE-LIF (Ours) | Feedforward | 83.5k"
WIDE = "CE-LIF (Ours) | Feedforward | 153.9k"
TABLE_3_FEEDFORWARD = "CE-LIF | Feedforward | 153.9k"
TABLE_3_RECURRENT = "CE-LIF | Recurrent | 181.4k"
ENERGY = "Empirical Energy Costs"
_FIGURE = "our reading of Figure {}"


def _claim(
    name: str,
    section: str,
    sentence: str,
    source: str,
    *conditions: tuple[Predicate, tuple[Cell, ...]],
    budget: str = "",
) -> Claim:
    return Claim(f"celif-{name}", section, sentence, tuple(Condition(*c) for c in conditions), source, budget)


def baseline(delay: int) -> float:
    """Loss of copy memory for a network that answers 0 and then guesses the digits."""
    return 10 * math.log(8) / (delay + 20)


def _loss(task: Task, model: Model) -> Cell:
    return value(task, model, LOSS_CURVE)


_COPY_TEXT = (
    "text and Figure 5: within 5,000 iterations, the budget here, paper and laptop; solved: under half the baseline"
)

CLAIMS = (
    _claim(
        "beats-feedforward",
        "Table 1",
        "CE-LIF with 83.5k parameters beats every feedforward SNN row, with no more parameters",
        "read off Table 1",
        (Highest(), column_cells(table_1.TABLE, "Seq-MNIST", SMALL, *FEEDFORWARD)),
        (NotAbove(), column_cells(table_1.TABLE, "Parameters", SMALL, *FEEDFORWARD)),
    ),
    _claim(
        "beats-recurrent-seq",
        "Table 1",
        "CE-LIF with 153.9k parameters beats every recurrent SNN row of its size on Seq-MNIST, with no more parameters",
        "read off Table 1",
        (Highest(), column_cells(table_1.TABLE, "Seq-MNIST", WIDE, *RECURRENT)),
        (NotAbove(), column_cells(table_1.TABLE, "Parameters", WIDE, *RECURRENT)),
    ),
    _claim(
        "beats-recurrent-ps",
        "Table 1",
        "CE-LIF with 153.9k parameters beats every recurrent SNN row of its size on PS-MNIST",
        "read off Table 1",
        (Highest(), column_cells(table_1.TABLE, "PS-MNIST", WIDE, *PUBLISHED_PS)),
    ),
    *(
        _claim(
            f"embedding-{column[:3].lower().rstrip('-')}",
            "Table 2",
            "V[t-1] TE[t] is the best contextual embedding, S[t-1] TE[t] the second, and TE alone beats the state"
            f" alone: {column}",
            "read off Table 2",
            (Highest(), column_cells(table_2.TABLE, column, "6", "1", "2", "3", "4", "5")),
            (Highest(), column_cells(table_2.TABLE, column, "5", "1", "2", "3", "4")),
            (Highest(), column_cells(table_2.TABLE, column, "3", "1", "2")),
        )
        for column in BOTH
    ),
    *(
        _claim(
            f"recurrence-{column[:1].lower()}",
            "supplement, Table 3",
            f"Recurrence adds nothing to CE-LIF of the same width: {column}",
            "read off Table 3; nothing: at most 0.1 points",
            (NotAbove(0.1), column_cells(table_3.TABLE, column, TABLE_3_RECURRENT, TABLE_3_FEEDFORWARD)),
        )
        for column in ("Seq-MNIST", "P-MNIST")
    ),
    _claim(
        "recurrence-parameters",
        "supplement, Table 3",
        "Recurrence makes CE-LIF of the same width 18 % larger",
        "text of the supplement",
        (RatioNear(1.18, 0.005), column_cells(table_3.TABLE, "Parameters", TABLE_3_RECURRENT, TABLE_3_FEEDFORWARD)),
    ),
    _claim(
        "converges",
        "Figure 4",
        "CE-LIF converges within ten epochs on Seq-MNIST",
        "text; converged: 97 %; the laptop budget has 10 epochs",
        (AtLeast(97.0), (value(SEQ_MNIST, CELIF_154K, ACCURACY),)),
        budget="laptop",
    ),
    _claim(
        "converges-plateau",
        "Figure 4",
        "CE-LIF needs at most ten epochs on Seq-MNIST where recurrent LIF and ALIF need more than a hundred",
        "text; needs: to come within 1 point of its best test accuracy",
        (AtMost(10), (value(SEQ_MNIST, CELIF_154K, LEARNING_CURVE),)),
        (AtLeast(100), (value(SEQ_MNIST, LIF_REC, LEARNING_CURVE), value(SEQ_MNIST, ALIF_REC, LEARNING_CURVE))),
        budget="paper",
    ),
    *(
        _claim(
            f"copy-{delay}",
            "Figure 5",
            f"CE-LIF solves copy memory at T = {delay} within 5,000 iterations",
            _COPY_TEXT,
            (AtMost(round(baseline(delay) / 2, 4)), (_loss(COPY[delay], CELIF),)),
        )
        for delay in (100, 200, 400, 500)
    ),
    _claim(
        "copy-others",
        "Figure 5",
        "LSTM and ALIF stay at or above the baseline of copy memory already at T = 100",
        "text and Figure 5; at the baseline: above 95 % of it",
        (AtLeast(round(0.95 * baseline(100), 4)), (_loss(COPY[100], LSTM_256), _loss(COPY[100], ALIF_REC))),
    ),
    *(
        _claim(
            f"adding-{steps}",
            "Figure 5",
            f"CE-LIF is below the adding problem's baseline of 0.167 at T = {steps}",
            _FIGURE.format(5),
            (AtMost(0.1667), (_loss(ADDING[steps], CELIF),)),
        )
        for steps in (100, 200, 500, 800)
    ),
    _claim(
        "gradient-reach",
        "Figure 6",
        "More of the gradient reaches the first ten steps of copy memory in CE-LIF than in LSTM and ALIF",
        _FIGURE.format(6),
        (Highest(), tuple(value(COPY[400], model, GRADIENT_REACH) for model in (CELIF, LSTM_256, ALIF_REC))),
    ),
    _claim(
        "gradient-reach-100",
        "Figure 6",
        "More of the gradient reaches the first ten steps of copy memory at T = 100, too, which the paper does not"
        " show",
        _FIGURE.format(6),
        (Highest(), tuple(value(COPY[100], model, GRADIENT_REACH) for model in (CELIF, LSTM_256, ALIF_REC))),
    ),
    _claim(
        "te-similarity",
        "Figure 7",
        "After training, TE is similar at lags that are multiples of 28 steps, a row of the image",
        "text: period of 28 steps; mean similarity there less that half a row off",
        (AtLeast(0.0), (value(SEQ_MNIST, CELIF_154K, TE_SIMILARITY),)),
    ),
    _claim(
        "landscape",
        "Figures 4 and 8",
        "CE-LIF's minimum is flatter than that of recurrent LIF and ALIF on Seq-MNIST",
        _FIGURE.format("4 and 8"),
        *(
            (Highest(), (value(SEQ_MNIST, m, LANDSCAPE_SMALL), value(SEQ_MNIST, CELIF_154K, LANDSCAPE_SMALL)))
            for m in (LIF_REC, ALIF_REC)
        ),
    ),
    _claim(
        "energy-order",
        "supplement, Table 4",
        "Energy: LSTM > LIF > ALIF > CE-LIF",
        "read off Table 4",
        (Descending(), column_cells(table_4.TABLE, ENERGY, "LSTM", "LIF", "ALIF", "CE-LIF(Ours)")),
    ),
    _claim(
        "energy-saving",
        "supplement, Table 4",
        "CE-LIF saves more than 50 times over the LSTM",
        "text of the supplement",
        (Ratio(50.0), column_cells(table_4.TABLE, ENERGY, "LSTM", "CE-LIF(Ours)")),
    ),
)
