"""Recipes of the roles paper's temporal tasks: XOR, SHD and SSC. What the paper leaves open is marked as a guess."""

from __future__ import annotations

from dataclasses import replace

from bench.spec.task import Task

_DHSNN_CODE = "code: public DH-SNN scripts of the roles lab, equal to roles Table 5"
_INPUT_FACTOR = "the script's factor (1-k) on the input, not in the paper's equations: see the notes of roles-6"
_INPUT_WHOLE = "the input whole: paper eq. 1 (the script multiplies it by 1-k)"
_DEPARTS_BY_FACTOR = "input times 1 - k, which the paper's equations do not have"
_DEPARTS_BY_STEPS = "100 steps, chosen after seeing which rows learn"
_DEPARTS_BY_READOUT = "a readout that does not spike, where the paper prints LIF"
_LEARNED_LEAK = {
    "learn_leak": True,
    "reset": "hard",
    "threshold": 0.5,
    "scale_input": True,
    "surrogate": "multi_gaussian",
    "width": 0.5,
}
_UNIFORM_START = {"start": "uniform"}
_UNIFORM_SOURCE = "code: every state starts from U(0, 1) at every pass"


def _whole_input(task: Task, departs: str) -> Task:
    """``task`` with the paper's own equation, in which the input reaches the neurons whole."""
    neuron_source = task.sources["neuron"].replace(_INPUT_FACTOR, _INPUT_WHOLE)
    return replace(
        task,
        name=f"{task.name}-whole-input",
        title=f"{task.title}, input whole",
        neuron={**task.neuron, "scale_input": False},
        instead_of=task.name,
        departs=departs,
        sources={**task.sources, "neuron": neuron_source},
    )


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
    network_settings=_UNIFORM_START,
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
    departs=f"{_DEPARTS_BY_STEPS}; {_DEPARTS_BY_FACTOR}",
    sources={
        "data": "code: DH-SNN delayed_xor generator",
        "data_settings": (
            "code: DH-SNN delayed_xor generator; steps: guess [U], the paper names no number; 100 were chosen after"
            " seeing which rows learn: the script of this task has 200, over which no row leaves chance (see the notes"
            " of roles-6). The lab's script of XOR over several time scales has 100, but is another task (40 channels"
            " in two groups, six second patterns 5 steps apart, a linear readout); test: guess [U], the script reports"
            " accuracy on the training stream only; here 10,000 fresh samples of a seed of their own"
        ),
        "layers": "guess [U]: XOR is missing from roles Table 4; the public script's 20-16-2",
        "network": "paper Table 4 (fully connected)",
        "neuron": (
            "threshold: paper Table 5 (the script has 1); surrogate: code, width = paper's 0.5 read as the"
            " multi-Gaussian's s; learn_leak: code, per neuron, k starts between .50 and .98; hard reset: paper eq. 1-3"
            " (a class of the code that its script does not use: soft there); " + _INPUT_FACTOR
        ),
        "network_settings": _UNIFORM_SOURCE,
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
    departs=_DEPARTS_BY_FACTOR,
    sources={
        **XOR.sources,
        "data_settings": "code: DH-SNN delayed_xor generator, its 200 steps; test: guess [U], as for XOR",
    },
)

XOR_WHOLE_INPUT = _whole_input(XOR, _DEPARTS_BY_STEPS)

SHD = Task(
    name="shd",
    title="SHD",
    data="shd",
    data_settings={"bin_ms": 1},
    layers=(700, 64, 20),
    network_settings=_UNIFORM_START,
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
    departs=f"{_DEPARTS_BY_FACTOR}; {_DEPARTS_BY_READOUT}",
    sources={
        "data": "paper Table 1 (which prints 10 classes for SHD; the set has 20)",
        "network": "paper Table 4 (fully connected)",
        "neuron": (
            "threshold: paper Table 5; surrogate: code, width = paper's 0.5 read as the multi-Gaussian's s; learn_leak:"
            " code, per neuron (guess [U]: the baseline of Table 6 lies above every fixed leak of Table 7); hard reset:"
            " paper eq. 1-3 (the script's is soft); " + _INPUT_FACTOR
        ),
        "network_settings": _UNIFORM_SOURCE,
        "readout": (
            "code: DH-SNN non-spiking leaky readout; paper Table 4 prints LIF for the last layer too, which"
            " no public code of the lab uses"
        ),
        "init": "guess [U]: the framework's default (the code has Xavier-normal for the readout alone)",
        "optimiser": "paper Table 5",
        "lr": "paper Table 5",
        "schedule": "paper Table 5",
        "batch_size": "paper Table 5",
        "epochs": "paper Table 5",
        "data_settings": _DHSNN_CODE
        + ": 1,000 bins of 1 ms, the first second, binary, unit 0 dropped, channels mirrored",
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
        "data_settings": _DHSNN_CODE
        + ": 1,000 bins of 1 ms, as SHD; reduced budgets take 250 bins of 4 ms to save time",
        "loss": "code: cross-entropy on the mean over time of the readout",
        "loss_settings": "none",
        "lr_neuron": "code: same rate for the leaks",
    },
)

SHD_WHOLE_INPUT = _whole_input(SHD, _DEPARTS_BY_READOUT)
SSC_WHOLE_INPUT = _whole_input(SSC, _DEPARTS_BY_READOUT)
