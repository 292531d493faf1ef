"""The recipes of the roles paper, and the same recipes on stand-ins and subsets of the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.papers.roles.tasks_spatial import CIFAR10, DVS_GESTURE, MNIST, NMNIST, NMNIST_WHOLE
from bench.papers.roles.tasks_temporal import (
    SHD,
    SHD_WHOLE_INPUT,
    SSC,
    SSC_WHOLE_INPUT,
    XOR,
    XOR_SCRIPT,
    XOR_WHOLE_INPUT,
)
from bench.spec.task import Task

__all__ = [
    "CIFAR10",
    "CIFAR10_SUBSET",
    "DVS_CLIPS",
    "DVS_GESTURE",
    "MNIST",
    "NMNIST",
    "NMNIST_7",
    "NMNIST_STANDIN",
    "NMNIST_WHOLE",
    "NMNIST_WHOLE_7",
    "NMNIST_WHOLE_STANDIN",
    "SHD",
    "SHD_WHOLE_INPUT",
    "SPOKEN_DIGITS",
    "SPOKEN_DIGITS_WHOLE_INPUT",
    "SSC",
    "SSC_WHOLE_INPUT",
    "XOR",
    "XOR_SCRIPT",
    "XOR_WHOLE_INPUT",
]


def _on_data(task: Task, data: str, title: str, source: str, **budgets: Any) -> Task:
    """``task`` on a stand-in or a subset: the recipe is the same, and ``title`` labels the results."""
    sources = {**task.sources, "data": source}
    return replace(
        task,
        name=data,
        title=title,
        data=data,
        instead_of=task.name,
        sources=sources,
        budgets={**task.budgets, **budgets},
    )


NMNIST_STANDIN = _on_data(
    NMNIST,
    "nmnist-standin",
    "N-MNIST (simulated)",
    "stand-in: simulated from MNIST (datamodules/standins), not N-MNIST",
)
NMNIST_7 = _on_data(
    replace(
        NMNIST,
        layers=(2312, 512, 7),
        sources={**NMNIST.sources, "layers": "paper Table 4, with an output for each of the seven digits"},
    ),
    "nmnist-7",
    "N-MNIST (7 digits)",
    "subset: 18,200 training recordings of the digits 0 to 6, denoised, 15,400 to train, 2,800 to test",
    laptop={"epochs": 10, "batch_size": 128},  # batches of 512 would give 30 steps an epoch
)
NMNIST_WHOLE_STANDIN = replace(
    NMNIST_STANDIN,
    name="nmnist-standin-whole",
    title="N-MNIST (simulated), whole recordings",
    data_settings=NMNIST_WHOLE.data_settings,
    instead_of=NMNIST_WHOLE.name,
    sources={**NMNIST_STANDIN.sources, "data_settings": NMNIST_WHOLE.sources["data_settings"]},
)
NMNIST_WHOLE_7 = replace(
    NMNIST_7,
    name="nmnist-7-whole",
    title="N-MNIST (7 digits), whole recordings",
    data_settings=NMNIST_WHOLE.data_settings,
    instead_of=NMNIST_WHOLE.name,
    sources={**NMNIST_7.sources, "data_settings": NMNIST_WHOLE.sources["data_settings"]},
)
SPOKEN_DIGITS = _on_data(
    SHD,
    "spoken-digits-standin",
    "SHD (spoken digits)",
    "stand-in: the Free Spoken Digit Dataset through a cochlea model (datamodules/standins), 10 of the 20 outputs used,"
    " not SHD",
    laptop={"epochs": 20},
)
SPOKEN_DIGITS_WHOLE_INPUT = replace(
    SPOKEN_DIGITS,
    name="spoken-digits-standin-whole-input",
    title="SHD (spoken digits), input whole",
    neuron=SHD_WHOLE_INPUT.neuron,
    instead_of=SHD_WHOLE_INPUT.name,
    departs=SHD_WHOLE_INPUT.departs,
    sources={**SPOKEN_DIGITS.sources, "neuron": SHD_WHOLE_INPUT.sources["neuron"]},
)
DVS_CLIPS = _on_data(
    DVS_GESTURE,
    "dvs-gesture-clips",
    "DVS128 Gesture (10 clips)",
    "subset: ten clips, one of each of ten gestures, tested on what it was trained on: learnt by heart or not, no word"
    " on other clips",
    laptop={"epochs": 100},
)
CIFAR10_SUBSET = _on_data(
    CIFAR10,
    "cifar10-subset",
    "CIFAR10 (4,000 images)",
    "subset: 3,000 images to train, 1,000 to test, all from the training set",
    laptop={"epochs": 1, "batch_size": 32, "data_settings": {"steps": 2}},  # about 8 minutes; T = 4 takes twice as long
)
