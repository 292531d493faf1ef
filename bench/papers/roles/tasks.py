"""The recipes of the roles paper. Every value says where it comes from; what the paper leaves open is a guess and says
so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.spec.task import Task

_DHSNN = "code: public DH-SNN scripts of the roles lab, equal to roles Table 5"
_HEWH = "code: public N-MNIST scripts of the roles lab (hewh16/SNNs-RNNs)"

# XOR, SHD and SSC
_SCRIPT = "the script's factor (1-k) on the input, not in the paper's equations: see the notes of roles-6"
_LEARNED_LEAK = {
    "learn_leak": True,
    "reset": "hard",
    "threshold": 0.5,
    "scale_input": True,
    "surrogate": "multi_gaussian",
    "width": 0.5,
}
_UNIFORM = {"start": "uniform"}
_UNIFORM_SAYS = "code: every state starts from U(0, 1) at every pass"

XOR = Task(
    name="xor",
    title="XOR",
    data="delayed-xor",
    data_settings={
        "steps": 100,
        "channels": 20,
        "pattern": 10,  # steps of each pattern
        "low": 0.2,  # spike probability that means 0
        "high": 0.6,  # … and 1
        "noise": 0.01,  # background probability, everywhere
        "batches": 100,  # fresh batches an epoch
        "test": 10_000,
    },
    layers=(20, 16, 2),
    network_settings=_UNIFORM,
    neuron=_LEARNED_LEAK,
    readout="leaky-readout",
    init="default",
    loss="softmax-sum-ce",
    loss_settings={"first": 91},
    optimiser="adam",
    lr=1e-2,
    schedule={"every": 50, "factor": 0.1},
    batch_size=500,
    epochs=150,
    budgets={
        "laptop": {"epochs": 10},
        "smoke": {"epochs": 1, "data_settings": {"batches": 3, "test": 200}},
    },
    sources={
        "data": "code: DH-SNN delayed_xor generator",
        "data_settings": (
            "code: DH-SNN delayed_xor generator; steps: guess [U], the paper names no number; 100 as in its lab's"
            " script of XOR over several time scales, the script of this task has 200, over which no row leaves chance"
            " so (see the notes of roles-6); test: guess [U], the script reports accuracy on the training stream only;"
            " here 10,000 fresh samples of a seed of their own"
        ),
        "layers": "guess [U]: XOR is missing from roles Table 4; the public script's 20-16-2",
        "network": "paper Table 4 (fully connected)",
        "neuron": (
            "threshold: paper Table 5 (the script has 1); surrogate: code, width = paper's 0.5 read as the"
            " multi-Gaussian's s; learn_leak: code, per neuron, k starts between .50 and .98; hard reset: paper eq. 1-3"
            " (a class of the code that its script does not use: soft there); " + _SCRIPT
        ),
        "network_settings": _UNIFORM_SAYS,
        "readout": "code: DH-SNN non-spiking leaky readout",
        "init": "guess [U]: the framework's default",
        "loss": "code: cross-entropy on the softmax (a double softmax), summed over the last 9 steps",
        "loss_settings": "code: the last 9 steps; decision by the mean readout over them: guess [U]",
        "optimiser": "paper Table 5",
        "lr": "paper Table 5",
        "lr_neuron": "code: same rate for the leak",
        "schedule": "paper Table 5",
        "batch_size": "paper Table 5",
        "epochs": "paper Table 5; 100 batches an epoch: code",
    },
)

XOR_SCRIPT = replace(
    XOR,
    name="xor-script",
    title="XOR (200 steps)",
    data_settings={**XOR.data_settings, "steps": 200},
    loss_settings={"first": 191},
    instead_of="xor",
    sources={
        **XOR.sources,
        "data_settings": "code: DH-SNN delayed_xor generator, its 200 steps; test: guess [U], as for XOR",
    },
)

SHD = Task(
    name="shd",
    title="SHD",
    data="shd",
    data_settings={"bin_ms": 1},
    layers=(700, 64, 20),
    network_settings=_UNIFORM,
    neuron=_LEARNED_LEAK,
    readout="leaky-readout",
    loss="sum-softmax-ce",
    loss_settings={"first": 11},
    optimiser="adam",
    lr=1e-2,
    lr_neuron=2.0,
    schedule={"every": 20, "factor": 0.5},
    batch_size=100,
    epochs=100,
    budgets={
        "laptop": {"epochs": 10},
        "smoke": {"epochs": 1, "data_settings": {"train": 200, "test": 100}},
    },
    sources={
        "data": "paper Table 1 (which prints 10 classes for SHD; the set has 20)",
        "network": "paper Table 4 (fully connected)",
        "neuron": (
            "threshold: paper Table 5; surrogate: code, width = paper's 0.5 read as the multi-Gaussian's s; learn_leak:"
            " code, per neuron (guess [U]: the baseline of Table 6 lies above every fixed leak of Table 7); hard reset:"
            " paper eq. 1-3 (the script's is soft); " + _SCRIPT
        ),
        "network_settings": _UNIFORM_SAYS,
        "readout": (
            "code: DH-SNN non-spiking leaky readout; paper Table 4 prints LIF for the last layer too, with which no"
            " public code of the lab reaches the printed accuracy [U]"
        ),
        "init": "guess [U]: the framework's default (the code has Xavier-normal for the readout alone)",
        "optimiser": "paper Table 5",
        "lr": "paper Table 5",
        "schedule": "paper Table 5",
        "batch_size": "paper Table 5",
        "epochs": "paper Table 5",
        "data_settings": _DHSNN + ": 1,000 bins of 1 ms, the first second, binary, unit 0 dropped, channels mirrored",
        "layers": "paper Table 4",
        "loss": "code: cross-entropy on the sum over time of the readout's softmax",
        "loss_settings": "code: steps after the first 11 (index > 10)",
        "lr_neuron": "code: twice the rate for the leaks",
    },
)

SSC = replace(
    SHD,
    name="ssc",
    title="SSC",
    data="ssc",
    layers=(700, 200, 35),
    loss="mean-ce",
    loss_settings={},
    lr_neuron=1.0,
    schedule={"every": 25, "factor": 0.1},
    budgets={
        "laptop": {"epochs": 5, "data_settings": {"bin_ms": 4}},
        "smoke": {"epochs": 1, "data_settings": {"bin_ms": 4, "train": 200, "test": 100}},
    },
    sources={
        **SHD.sources,
        "data_settings": _DHSNN + ": 1,000 bins of 1 ms, as SHD; reduced budgets take 250 bins of 4 ms to save time",
        "loss": "code: cross-entropy on the mean over time of the readout",
        "loss_settings": "none",
        "lr_neuron": "code: same rate for the leaks",
    },
)

_FIXED_LEAK = {"leak": 0.3, "learn_leak": False, "reset": "hard", "threshold": 0.3, "surrogate": "rect", "width": 0.25}
_RATE = {
    "network": "paper Table 4 (fully connected)",
    "layers": "paper Table 4",
    "neuron": "threshold and width: paper Table 5; rect: code: hewh16/SNNs-RNNs; k = 0.3: paper",
    "readout": "paper Table 4: LIF in the last layer too, rate decoded: " + _HEWH,
    "init": "guess [U]: the framework's default",
    "loss": _HEWH + ": mean output spikes against the one-hot label, MSE",
    "loss_settings": "none",
    "optimiser": "paper Table 5",
    "lr_neuron": "no learnable neuron parameters in the baseline",
    "schedule": "guess [U]: none printed, none used (the lab's N-MNIST script has x 0.1 every 40 epochs)",
    "batch_size": "paper Table 5",
    "epochs": "paper Table 5",
}

NMNIST = Task(
    name="nmnist",
    title="N-MNIST",
    data="nmnist",
    data_settings={"window_ms": 3, "steps": 15, "values": "binary"},
    layers=(2312, 512, 10),
    neuron=_FIXED_LEAK,
    readout="spiking",
    loss="mse-rate",
    optimiser="adam",
    lr=1e-4,
    batch_size=512,
    epochs=100,
    budgets={
        "laptop": {"epochs": 5},
        "smoke": {"epochs": 1, "data_settings": {"train": 1024, "test": 512}},
    },
    sources={
        **_RATE,
        "data": "paper Table 3",
        "data_settings": (
            "window_ms: paper (trained at 3 ms); steps: guess [U]: not given, 15 windows from the first event on as in"
            " the lab's script for 5 ms; values: guess [U]: an event was there, or not"
        ),
        "lr": "paper Table 5",
    },
)

MNIST = replace(
    NMNIST,
    name="mnist",
    title="MNIST",
    data="mnist",
    data_settings={"encoding": "bernoulli", "steps": 15},
    layers=(784, 512, 10),
    budgets={
        "laptop": {"epochs": 4},
        "smoke": {"epochs": 1, "data_settings": {"train": 1024, "test": 512}},
    },
    sources={
        **NMNIST.sources,
        "data": "paper Table 2",
        "data_settings": (
            "guess [U]: steps and encoding are not given; T=15 Bernoulli sampling of the pixel intensity as in the same"
            " lab's snn_attack code"
        ),
        "readout": "paper Table 4: FC_LIF(10), rate decoded: " + _HEWH,
        "schedule": "guess [U]: none printed, none used",
    },
)

DVS_GESTURE = replace(
    NMNIST,
    name="dvs-gesture",
    title="DVS128 Gesture",
    data="dvs-gesture",
    data_settings={"steps": 16, "clamp": False},
    layers=(2048, 512, 512, 11),
    budgets={
        "laptop": {"epochs": 30},
        "smoke": {"epochs": 1, "data_settings": {"train": 64, "test": 32}},
    },
    sources={
        **NMNIST.sources,
        "data": (
            "paper Table 3: 1,342 clips; here Tonic's 1,077 + 264, while the printed accuracies are multiples of 1/288"
        ),
        "data_settings": (
            "guess [U]: frames of equal event count as in the cited SpikingJelly, T = 16 as in its example; 128 x 128"
            " to 32 x 32 by 4 x 4 sums, counts not clamped"
        ),
        "lr": (
            "guess [U]: paper Table 5 prints 0.1, implausible with Adam; here the 1e-4 of the lab's script. Tried on"
            " ten real clips, 60 steps, seeds 0 to 2: 0.1 learns 1 by heart, 1e-3 2 to 5, 1e-4 8 to 10. Too large a"
            " step silences or saturates all outputs of a clip, where the rectangular surrogate has no gradient, for"
            " good (exploratory, no ledger lines)"
        ),
    },
)

CIFAR10 = Task(
    name="cifar10",
    title="CIFAR10",
    data="cifar10",
    data_settings={"steps": 4, "augment": True},
    network="resnet18",
    layers=(3, 10),
    neuron=_FIXED_LEAK,
    readout="linear",
    loss="mean-ce",
    optimiser="adam",
    lr=1e-4,
    batch_size=512,
    epochs=100,
    budgets={
        "laptop": {"epochs": 2, "batch_size": 64},  # 512 needs about 20 GB
        "smoke": {"epochs": 1, "batch_size": 32, "data_settings": {"train": 64, "test": 32}},
    },
    sources={
        **_RATE,
        "data": "paper Table 2",
        "data_settings": (
            "guess [U]: not given; each image repeated over 4 steps, padded by 4, cropped and flipped, normalised:"
            " public Gated-LIF code for CIFAR"
        ),
        "network": 'paper: "ResNet18_LIF"; its details: public Gated-LIF code [U]',
        "layers": "channels of the image and classes",
        "readout": "code: Gated-LIF: a linear layer, averaged over time [U]",
        "init": "guess [U]: the network's own",
        "loss": "guess [U]: cross-entropy on the mean over time",
        "lr": "paper Table 5",
    },
)


def _elsewhere(task: Task, data: str, title: str, what: str, **budgets: Any) -> Task:
    """``task`` on a stand-in or a subset: the same recipe, results that carry the label."""
    sources = {**task.sources, "data": what}
    return replace(
        task,
        name=data,
        title=title,
        data=data,
        instead_of=task.name,
        sources=sources,
        budgets={**task.budgets, **budgets},
    )


NMNIST_STANDIN = _elsewhere(
    NMNIST,
    "nmnist-standin",
    "N-MNIST (simulated)",
    "stand-in: simulated from MNIST (datamodules/standins), not N-MNIST",
)
NMNIST_SUBSET = _elsewhere(
    NMNIST,
    "nmnist-subset",
    "N-MNIST (1,100 recordings)",
    "subset: first 1,000 training and 100 test recordings",
    laptop={"epochs": 60, "batch_size": 64},  # of so few samples, smaller batches: 512 would be two steps an epoch
)
SPOKEN_DIGITS = _elsewhere(
    SHD,
    "spoken-digits-standin",
    "SHD (spoken digits)",
    "stand-in: the Free Spoken Digit Dataset through a cochlea model (datamodules/standins), 10 of the 20 outputs used,"
    " not SHD",
    laptop={"epochs": 20},
)
DVS_CLIPS = _elsewhere(
    DVS_GESTURE,
    "dvs-gesture-clips",
    "DVS128 Gesture (10 clips)",
    "subset: ten clips, one of each of ten gestures, tested on what it was trained on: learnt by heart or not, no word"
    " on other clips",
    laptop={"epochs": 100},
)
CIFAR10_SUBSET = _elsewhere(
    CIFAR10,
    "cifar10-subset",
    "CIFAR10 (4,000 images)",
    "subset: 3,000 images to train, 1,000 to test, all from the training set",
    laptop={
        "epochs": 1,
        "batch_size": 32,
        "data_settings": {"steps": 2},
    },  # T = 4 takes twice the 8 minutes of processor time
)
