"""Roles Table 6: test accuracy of the five LIF variants on seven data sets."""

from bench import tuned
from bench.measures import ACCURACY
from bench.models.roles import LIF, VARIANTS
from bench.table import ROLES, Table, elsewhere, grid
from bench.tasks.roles import (
    CIFAR10,
    CIFAR10_SUBSET,
    DVS_CLIPS,
    DVS_GESTURE,
    MNIST,
    NMNIST,
    NMNIST_STANDIN,
    NMNIST_SUBSET,
    SHD,
    SPOKEN_DIGITS,
    SSC,
    XOR,
    XOR_SCRIPT,
)

PUBLISHED = grid(
    """
                 | XOR   | SHD   | SSC   | N-MNIST | DVS128 Gesture | MNIST | CIFAR10
Baseline         | 77.50 | 78.58 | 60.70 | 94.75   | 94.09          | 94.85 | 93.09
Without leakage  | 50.50 | 13.69 | 3.22  | 95.18   | 89.23          | 94.38 | 92.97
Complete leakage | 50.30 | 67.67 | 44.45 | 95.03   | 93.75          | 95.22 | 92.25
Without reset    | 96.10 | 78.89 | 60.70 | 96.18   | 93.75          | 94.75 | 93.29
With recurrence  | 98.90 | 80.43 | 66.53 | 96.21   | 93.89          | 96.98 | n/a
""",
    models={m.title: m for m in VARIANTS},
    tasks={t.title: t for t in (XOR, SHD, SSC, NMNIST, DVS_GESTURE, MNIST, CIFAR10)},
    measure=ACCURACY,
    unit="%",
    notes={("With recurrence", "CIFAR10"): "the paper leaves recurrence out of the convolutional network"},
)

CELLS = elsewhere(PUBLISHED, XOR_SCRIPT, NMNIST_STANDIN, NMNIST_SUBSET, SPOKEN_DIGITS, DVS_CLIPS, CIFAR10_SUBSET)

TABLE = Table(
    "roles-6",
    ROLES,
    "Accuracy of LIF variants with and without leakage, reset and recurrence",
    CELLS + tuned.row(CELLS, LIF),
    notes=(
        "The baseline's leak is learnable for XOR (and SHD, SSC) and fixed at k = 0.3 elsewhere, so 'without' and 'complete leakage' "
        "change two things there: value and learnability.",
        "SSC: the baseline and the row without reset are printed with the same 60.70.",
        "The fully connected MNIST and N-MNIST accuracies are low for the network: compare gaps and orders more than absolute values.",
        "XOR, SHD, SSC: the paper's equations take the input whole, the public code of its lab multiplies it with 1 - k and starts "
        "every state from U(0, 1). The factor was tried on the spoken digits (6 epochs, seed 0, states from 0, exploratory): with it "
        "the network without leakage stays at chance (10.0 %; baseline 59.7, complete leakage 59.3, without reset 65.3), as the "
        "published 13.69 and 3.22 % are near it; without it that network learns as the baseline does (53.0 and 53.0 %). So the code's "
        "form is used for SHD and SSC.",
        "XOR: the network, the readout and the test set are not in the paper; see `python -m bench show roles-6 Baseline XOR`.",
        "XOR: which rows learn hangs on how long the leak can remember when training starts, and on the input's factor. The script's "
        "start (k between .50 and .98: at most 4 % are left after 180 steps) and its factor 1 - k have a column of their own; all five "
        "rows were at chance after 10 epochs of it (seed 0, when it was the recipe of XOR). Tried from that start in short runs that "
        "left no ledger line, still at chance: the paper's equations (14 epochs; without reset and with a single softmax 20), soft "
        "reset (14), 64 hidden neurons (4; with gradients clipped at 1, 2). With a delay of 20 or 60 steps instead of 180 (20 epochs, "
        "seed 0, exploratory) the rows without reset and with recurrence learn from it, too: 99.6 and 100.0 %, 84.4 and 50.5 %. From k "
        "between .88 and .998, first 1,500 steps of 200 samples, seed 0, no ledger line either: with the paper's equations without "
        "reset 72, with recurrence 99.9, baseline 50.4 %; with the factor 78 to 92, 50.4 and 50.3 %. The column XOR has the paper's "
        "equations and the longer memory; without reset (paper budget, seed 0) it comes to 75 % in six epochs and falls back to chance "
        "in the 24th, where the rate of 0.01 is still whole: not the published 96.10.",
        "MNIST: the number of steps and the encoding are not in the paper; T = 15, Bernoulli.",
        "N-MNIST: the number of windows and their values are not in the paper; 15 binary windows of 3 ms, the first 45 of about 300 ms.",
        "DVS128 Gesture: Tonic's samples, 264 to test; the printed accuracies are multiples of 1/288, but for 93.89. The printed "
        "learning rate of 0.1 is not used.",
        "Columns in brackets are not the paper's: XOR as the public script has it; N-MNIST simulated from MNIST and spoken digits "
        "through a cochlea model are stand-ins; 1,100 recordings, 10 clips and 4,000 images are subsets. Nothing is published for them.",
        "DVS128 Gesture (10 clips): one clip a gesture, tested on what was trained: whether the network learns them by heart, not how "
        "well it knows others.",
        "The tuned row is ours: threshold, width and leak found by a search on validation data, where one was made (`sweeps/best`).",
        "CIFAR10: steps, normalisation and augmentation are not in the paper; T = 4, crop and flip.",
    ),
)
