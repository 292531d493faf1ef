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
    "NMNIST_STANDIN",
    "NMNIST_SUBSET",
    "NMNIST_WHOLE",
    "NMNIST_WHOLE_STANDIN",
    "NMNIST_WHOLE_SUBSET",
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
NMNIST_SUBSET = _on_data(
    NMNIST,
    "nmnist-subset",
    "N-MNIST (1,100 recordings)",
    "subset: first 1,000 training and 100 test recordings",
    laptop={"epochs": 60, "batch_size": 64},  # batches of 512 would give only two steps an epoch
)
NMNIST_WHOLE_STANDIN = replace(
    NMNIST_STANDIN,
    name="nmnist-standin-whole",
    title="N-MNIST (simulated), whole recordings",
    data_settings=NMNIST_WHOLE.data_settings,
    instead_of=NMNIST_WHOLE.name,
    sources={**NMNIST_STANDIN.sources, "data_settings": NMNIST_WHOLE.sources["data_settings"]},
)
NMNIST_WHOLE_SUBSET = replace(
    NMNIST_SUBSET,
    name="nmnist-subset-whole",
    title="N-MNIST (1,100 recordings), whole recordings",
    data_settings=NMNIST_WHOLE.data_settings,
    instead_of=NMNIST_WHOLE.name,
    sources={**NMNIST_SUBSET.sources, "data_settings": NMNIST_WHOLE.sources["data_settings"]},
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
