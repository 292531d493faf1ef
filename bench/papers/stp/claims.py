"""What the paper claims of PS-MNIST, as far as this suite has its neurons and learning rules."""

from __future__ import annotations

from bench.papers.stp import table_1, table_2
from bench.papers.stp.table_1 import FEEDFORWARD, RECURRENT
from bench.spec.claim import Claim, Part, column_cells, row_cells
from bench.spec.predicates import Descending, Highest

BOTH = (FEEDFORWARD, RECURRENT)
_MEASURED = "Only neurons that this suite has are compared."

CLAIMS = (
    Claim(
        "stp-recent-neurons",
        "abstract, table of neurons",
        "Recently developed spiking neurons are significant advancements in temporal processing",
        tuple(
            Part(Highest(), column_cells(table_1.TABLE, column, row, "LIF"), f"{row}, {column.lower()}")
            for row in ("ALIF", "GLIF", "CE-LIF")
            for column in BOTH
        ),
        reading="Each of ALIF, GLIF and CE-LIF is above LIF in both forms. PLIF is left out: feedforward, the paper's"
        f" table has it below LIF. {_MEASURED}",
    ),
    Claim(
        "stp-celif-best",
        "table of neurons",
        "CE-LIF has the highest accuracy of all neurons on PS-MNIST, feedforward and recurrent",
        tuple(
            Part(
                Highest(), column_cells(table_1.TABLE, column, "CE-LIF", "LIF", "PLIF", "ALIF", "GLIF"), column.lower()
            )
            for column in BOTH
        ),
        source="table",
        reading=_MEASURED,
    ),
    Claim(
        "stp-neuron-order",
        "table of neurons",
        "Neurons are ordered by accuracy as in the table",
        (
            Part(
                Descending(),
                column_cells(table_1.TABLE, FEEDFORWARD, "CE-LIF", "GLIF", "ALIF", "LIF", "PLIF"),
                "feedforward",
            ),
            Part(
                Descending(),
                column_cells(table_1.TABLE, RECURRENT, "CE-LIF", "GLIF", "ALIF", "PLIF", "LIF"),
                "recurrent",
            ),
        ),
        source="table",
        reading=_MEASURED,
    ),
    Claim(
        "stp-recurrence-helps",
        "table of neurons",
        "LIF, PLIF and ALIF have a higher accuracy with recurrence",
        tuple(
            Part(Highest(), row_cells(table_1.TABLE, row, RECURRENT, FEEDFORWARD), row)
            for row in ("LIF", "PLIF", "ALIF")
        ),
        source="table",
        reading="The recurrent networks are of equal width and have more parameters. GLIF and CE-LIF gain nothing in"
        " the paper's table, where their recurrent networks are wider.",
    ),
    Claim(
        "stp-surrogates",
        "table of surrogate gradients",
        "Triangle and sigmoid give LIF a higher accuracy than the rectangle",
        tuple(
            Part(Highest(), column_cells(table_2.TABLE, column, row, table_2.RECTANGLE), f"{row[6:]}, {column.lower()}")
            for row in ("STBP, triangle", "STBP, sigmoid")
            for column in BOTH
        ),
        source="table",
        reading="The public configurations change more than the surrogate: threshold, learning rate or clipping.",
    ),
    Claim(
        "stp-temporal-gradient",
        "table of learning rules",
        "Learning rules that cut the gradient in time have a lower accuracy than STBP",
        (
            *(
                Part(
                    Highest(),
                    column_cells(table_2.TABLE, column, table_2.RECTANGLE, "T-STBP"),
                    f"T-STBP, {column.lower()}",
                )
                for column in BOTH
            ),
            Part(Highest(), column_cells(table_2.TABLE, FEEDFORWARD, "T-STBP", "SLTT"), "SLTT, feedforward"),
        ),
        source="table",
        reading="STBP above T-STBP, which cuts every 196 steps, above SLTT, which cuts every step. The decay and"
        " the learning rate of SLTT are a guess [U].",
    ),
)
