"""PS-MNIST as the public code trains LIF, feedforward; rows change what their own files say."""

from __future__ import annotations

from bench.papers.stp.sources import CODE, DATA, LIF_NEURON, LIF_SCRIPT, NEURONS, SURROGATE, config
from bench.spec.task import Task

LIF_CONFIG = config("cdcbb18", f"{NEURONS}/PSMNIST_LIF_feedforward")

_OF_ROWS = "code: every row has the value of its own configuration"

PS_MNIST = Task(
    name="stp-ps-mnist",
    title="PS-MNIST",
    data="sequential-mnist",
    data_settings={"permutation": 1234},
    layers=(1, 64, 256, 256, 10),
    neuron={"leak": 1.0, "learn_leak": False, "reset": "hard", "threshold": 0.5, "surrogate": "boxcar", "width": 0.5},
    readout="linear-mean",
    loss="mean-ce",
    optimiser="adamw",
    lr=5e-3,
    schedule={"every": 10, "factor": 0.8},
    batch_size=256,
    epochs=100,
    budgets={
        "laptop": {"epochs": 1},
        "smoke": {"epochs": 1, "batch_size": 32, "data_settings": {"train": 64, "test": 64}},
    },
    sources={
        "data": f"{CODE}, {DATA}: MNIST in one fixed random order of its pixels",
        "data_settings": f"{CODE}, {DATA}: intensity in 0..1, numpy's legacy generator; its seed 1234: {LIF_SCRIPT}",
        "layers": f"{CODE}, {LIF_SCRIPT}: hidden layers 64, 256, 256",
        "network": f"{CODE}, {LIF_SCRIPT}: fully connected",
        "neuron": (
            f"{CODE}, {LIF_CONFIG}: LIF has decay 1.0, which is no leakage, threshold 0.5, surrogate alpha 1.0; hard"
            f" reset: {LIF_NEURON}; surrogate: height 1 in a full width of alpha, half of it here: {SURROGATE}"
        ),
        "readout": f"{CODE}, {LIF_SCRIPT}: a linear layer, averaged over all steps",
        "init": f"{CODE}, {LIF_SCRIPT}: the framework's default",
        "loss": f"{CODE}, {LIF_SCRIPT}: cross-entropy of the output averaged over time",
        "loss_settings": "none",
        "optimiser": f"{_OF_ROWS}; none clips",
        "lr": _OF_ROWS,
        "lr_neuron": f"{CODE}, {LIF_SCRIPT}: all parameters at one rate",
        "schedule": f"{_OF_ROWS}; not scaled at a reduced budget",
        "batch_size": _OF_ROWS,
        "epochs": _OF_ROWS,
    },
)
