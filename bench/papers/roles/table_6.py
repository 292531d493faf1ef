"""Roles Table 6: test accuracy of the five LIF variants on seven data sets."""

from bench.measures import ACCURACY
from bench.papers.roles.models import LIF, VARIANTS
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import (
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
from bench.spec.grid import grid, on_other_data, tuned_row
from bench.spec.table import Table

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

CELLS = on_other_data(PUBLISHED, XOR_SCRIPT, NMNIST_STANDIN, NMNIST_SUBSET, SPOKEN_DIGITS, DVS_CLIPS, CIFAR10_SUBSET)

TABLE = Table(
    "roles-6",
    PAPER,
    "Accuracy of LIF variants with and without leakage, reset and recurrence",
    CELLS + tuned_row(CELLS, LIF),
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
        "XOR: the network, the readout, the number of steps and the test set are not in the paper; see `python -m bench show roles-6 "
        "Baseline XOR`. Everything but the threshold, the test set and the number of steps is as in the public code of its lab, which "
        "has functions for all three resets.",
        "XOR: which rows learn hangs on the delay. The script of this task has 200 steps, of which 180 lie between the patterns; its "
        "leaks start with k between .50 and .98, so that at most 4 % of the first pattern are left, less than the background adds. No "
        "row was seen to learn that: all five at chance after 10 epochs (column XOR (200 steps)), without reset also after 15,000 steps of "
        "100 samples (a run without ledger lines). The lab's script of XOR over several time scales has 100 steps; with these, and "
        "nothing else changed, the rows without reset and with recurrence learn. So the column XOR has 100 steps. "
        "This was chosen after seeing which rows learn, not read in the paper. The row without reset jumps under the rate of 0.01: "
        "97.6, 98.2, 89.0, 89.5 and 99.7 % in the best epoch of its five seeds, 84.4, 95.4, 73.0, 76.3 and 99.7 in the last.",
        "XOR, with recurrence: three seeds were planned and came to 99.5 to 100 %; of two more one came to 99.0 and one (seed 3) stays "
        "near chance, 55.2 in its 5th epoch and at most 54.1 in the others. Which seeds learn is the start's luck, and a lower rate does "
        "not help: at 0.001 (exploratory, 50 epochs) seed 1 comes to 99.3, but seeds 0 and 2, which learn at 0.01, stay at chance; seed 3 "
        "has 65.4 in its 42nd epoch and 49.3 in the last; without reset seed 0 stays at chance, and the baseline's too. How many seeds "
        "stand behind the printed values is not known here.",
        "XOR, baseline: here it stays at chance (published 77.50), and did so in short runs of seed 0 that left no ledger lines (30 to "
        "60 epochs, 48.9 to 52.5 %): with the script's soft reset, its threshold of 1 too; with the input whole, from the script's "
        "leaks and from k between .88 and .998; with the factor and these leaks; with the rectangular surrogate, factor or not; with a "
        "delay of 20 steps instead of 80. With a reset the first pattern is remembered only if it stays below the threshold; a neuron "
        "can then fire for two high patterns and for nothing else, which is 75 % of the answers, near the published number. Training "
        "did not find it here.",
        "XOR, tried and rejected, 200 steps, seed 0, short runs without ledger lines: the paper's equations, which take the input "
        "whole, from the script's leaks: chance after 14 epochs (20 without reset, with a single softmax too), as with soft reset (14) "
        "and with 64 hidden neurons (4). The paper's equations from leaks between .88 and .998, this column's recipe for a day: without "
        "reset 75.05 % in the 22nd epoch, at chance from the 24th (paper budget; the ledger has it); with a rectangular surrogate of "
        "half width 0.5, the other reading of the printed width, 70 to 74 % over 86 epochs; with recurrence 99.9 % after 1,500 steps of "
        "200 samples but chance after 3,000 of 500 with the rectangle and in 15,000 of 100. There a bias counts b/(1-k), far beyond the "
        "threshold, so that neurons with a long memory begin silent or always firing. The factor 1-k with these leaks: without reset 78 "
        "to 92 % early, 66 % after 15,000 steps of 100, the others at chance.",
        "MNIST: the number of steps and the encoding are not in the paper; T = 15, Bernoulli.",
        "MNIST, measured over the paper's 100 epochs (three seeds): the best epochs of the five rows lie within 0.3 points of each "
        "other, 1.3 to 4 above the printed values, and recurrence is not ahead (98.32 in each of its seeds, by chance: 98.07, 98.21 and "
        "98.21 in the last epoch). In the histories of seed 0 the printed values are passed in epoch 4 or 5 here (recurrence: epoch "
        "8), and in "
        "epoch 10 recurrence still leads as printed, in epoch 20 no longer: it learns faster, and the others catch up. Checked: number "
        "of epochs; three seeds at 4 epochs (laptop budget): recurrence first and no leakage last, as printed; intensities as currents "
        "over 8 steps for 4 epochs (exploratory, seed 0): 94.3, 93.8, 88.7, 93.2, 96.2 %: without leakage and recurrence as far from "
        "the baseline as printed, but without reset 1.1 points below it (printed 0.1) and complete leakage 5.6 (printed: 0.4 above). Not "
        "checked: other steps and encodings over 100 epochs.",
        "N-MNIST: the number of windows and their values are not in the paper; 15 binary windows of 3 ms, the first 45 of about 300 ms.",
        "N-MNIST, simulated, 5 epochs, three seeds: without reset is best (95.0) and recurrence second (94.7), all within 0.8 points; on "
        "the 1,100 recordings recurrence is behind (87.0, baseline 91.3), and without leakage three seeds have 93, 80 and 79 % at best.",
        "DVS128 Gesture: Tonic's samples, 264 to test; the printed accuracies are multiples of 1/288, but for 93.89. The printed "
        "learning rate of 0.1 is not used.",
        "Columns in brackets are not the paper's: XOR over the public script's 200 steps; N-MNIST simulated from MNIST and spoken digits "
        "through a cochlea model are stand-ins; 1,100 recordings, 10 clips and 4,000 images are subsets. Nothing is published for them.",
        "SHD (spoken digits), with recurrence: below the baseline, against the order printed for SHD, and far apart between seeds (20 of "
        "100 epochs). Checked with seed 0, exploratory, so without ledger lines: a tenth of the learning rate gives 57.3 % after 20 epochs "
        "and 65.7 as the best of 60, where the baseline has 68.0 with the same (74.3 with the recipe's): slower training brings the two "
        "together but not to the printed order. Recurrent weights that start at 0 change nothing (44.3). Not checked: the 100 epochs "
        "with their schedule; there are 2,700 samples to train on, SHD has 8,156.",
        "DVS128 Gesture (10 clips): one clip a gesture, tested on what was trained: whether the network learns them by heart, not how "
        "well it knows others.",
        "The tuned row is ours: threshold, width and leak found by a search on validation data, where one was made (`sweeps/best`).",
        "CIFAR10: steps, normalisation and augmentation are not in the paper; crop and flip, T = 4 (of 4,000 images T = 2).",
    ),
)
