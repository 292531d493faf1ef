"""CE-LIF Table 1: test accuracy on sequential and permuted sequential MNIST."""

from bench.measures import ACCURACY
from bench.table import CELIF, Table, grid

_RECIPES = "computed from the recipes: not built yet"

TABLE = Table(
    "celif-1",
    CELIF,
    "Accuracy on Seq-MNIST and PS-MNIST beside other recurrent, convolutional and spiking networks",
    grid(
        """
                  | SNN | Architecture | Parameters | Seq-MNIST | PS-MNIST
    LSTM          | No  | Recurrent    | 66.5k      | 98.20     | 88.00
    IndRNN        | No  | Recurrent    | 99.2k      | 99.50     | 96.00
    TCN           | No  | Convolution  | 70.0k      | 99.00     | 97.20
    LSNN          | Yes | Recurrent    | 68.2k      | 93.70     | N.A.
    DEEP-R LSNN   | Yes | Recurrent    | 66.4k      | 96.40     | N.A.
    DEXAT         | Yes | Recurrent    | N.A.       | 96.40     | N.A.
    AHP           | Yes | Recurrent    | 68.4k      | 96.00     | N.A.
    LIF*          | Yes | Feedforward  | 85.1k      | 63.45     | -
    LTMD*         | Yes | Feedforward  | 85.1k      | 68.56     | -
    PLIF*         | Yes | Feedforward  | 85.1k      | 87.92     | -
    GLIF*         | Yes | Feedforward  | 85.4k      | 95.27     | -
    CE-LIF (Ours) | Yes | Feedforward  | 83.5k      | 98.19     | 97.90
    LIF*          | Yes | Recurrent    | 155.1k     | 84.14     | 55.13
    LTMD*         | Yes | Recurrent    | 155.1k     | 84.62     | 54.93
    ALIF          | Yes | Recurrent    | 156.3k     | 98.70     | 94.30
    PLIF*         | Yes | Recurrent    | 155.1k     | 91.79     | -
    GLIF*         | Yes | Recurrent    | 157.5k     | 96.64     | 90.47
    CE-LIF (Ours) | Yes | Feedforward  | 153.9k     | 98.84     | 98.14
    """,
        key={"Architecture": "{}", "Parameters": "{}"},
        measure={"Seq-MNIST": ACCURACY, "PS-MNIST": ACCURACY},
        unit={"Parameters": "k", "Seq-MNIST": "%", "PS-MNIST": "%"},
        legend={"N.A.": "result not publicly available", "-": "did not converge in the paper"},
        waiting={
            **dict.fromkeys(("SNN", "Architecture", "Parameters"), _RECIPES),
            "LIF*": "the sequential MNIST tasks are not built yet",
            **{
                row: f"the {row.removesuffix('*').removesuffix(' (Ours)')} {kind} and the sequential MNIST tasks are not built yet"
                for kind, rows in {
                    "network": ("LSTM", "IndRNN", "TCN", "DEEP-R LSNN"),
                    "neuron": ("LSNN", "DEXAT", "AHP", "LTMD*", "ALIF", "PLIF*", "GLIF*", "CE-LIF (Ours)"),
                }.items()
                for row in rows
            },
        },
    ),
    notes=(
        "*: trained by the paper's authors from public code. CE-LIF (Ours): their own. All other rows are quoted from the cited papers.",
        "No number of seeds and no spread; the best test accuracy over the epochs is likely what is printed.",
        "The last row is no slip: a wide feedforward CE-LIF is set against recurrent networks of about 155k parameters.",
        "Parameter counts mix rounding down (66.5, 83.5, 153.9) and rounding (155.1). About four fifths of CE-LIF's are its temporal "
        "embedding, so equal counts give it far narrower layers.",
        "The baselines' widths are not in the paper; 64-256-256 gives 85.1k and 155.1k, with recurrence in the first two layers only.",
        "IndRNN: 99.50 with 99.2k parameters matches no public run. TCN: 70.0k is the cited paper's rounding of 66.9k.",
        "ALIF: its public code reads windows of 4 or 8 pixels; 156.3k parameters belong to an input of one pixel.",
    ),
)
