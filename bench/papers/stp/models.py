"""The neurons of Table 1, feedforward and recurrent, each with the values of its own public configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.papers.stp.sources import (
    ALIF_NEURON,
    CELIF_NEURON,
    CODE,
    GLIF_NEURON,
    LIF_NEURON,
    LIF_SCRIPT,
    NETWORKS,
    NEURONS,
    NOT_PUBLIC,
    OLDER,
    PLIF_NEURON,
    SURROGATE,
    TCN_NETWORK,
    config,
    script,
)
from bench.papers.stp.tasks import LIF_CONFIG
from bench.spec.model import Model

TWO_RECURRENT = {"recurrent_layers": 2, "recurrent_bias": True}
WIDTHS = {"feedforward": 0.5, "recurrent": 0.3}  # half of the surrogate's alpha, 1.0 and 0.6
STEP = {"every": 10, "factor": 0.8}
# Values that every configuration has: a row names its own file for them
_SAME = {"optimiser": "adamw", "batch_size": 256, "epochs": 100}
NOTHING: Mapping[str, Any] = {}


def network(
    name: str,
    title: str,
    neuron: str,
    form: str,
    file: str,
    settings: Mapping[str, Any],
    changes: Mapping[str, Any],
    sources: Mapping[str, str] = NOTHING,
    budgets: Mapping[str, Any] = NOTHING,
    more: Mapping[str, Any] = NOTHING,
) -> Model:
    """``neuron`` in the network of the task, with the values of the configuration ``file``.

    A recurrent ``form`` recurs, with bias, in all hidden layers but the last. ``more`` are settings of the network
    beside its recurrence.
    """
    recurrent = form == "recurrent"
    changes = {"schedule": STEP, **_SAME, **changes}
    given = {
        **dict.fromkeys(changes, file),
        "schedule": f"{file}; times 0.8 every 10 epochs unless it says otherwise: the script beside it",
        "network_settings": f"{LIF_SCRIPT}: recurrence is a linear layer with bias; the last hidden layer has none",
        **sources,
    }
    network_settings = {**(TWO_RECURRENT if recurrent else {}), **more}
    return Model(
        f"stp-{name}-{'rec' if recurrent else 'ff'}",
        f"{title}, {form}",
        neuron,
        settings,
        recurrent=recurrent,
        changes={**changes, **({"network_settings": network_settings} if network_settings else {})},
        budgets=budgets,
        sources={name: text if text.startswith("guess") else f"{CODE}, {text}" for name, text in given.items()},
    )


def _neuron(
    name: str,
    title: str,
    form: str,
    file: str,
    settings: Mapping[str, Any],
    about: str,
    changes: Mapping[str, Any],
    sources: Mapping[str, str] = NOTHING,
    budgets: Mapping[str, Any] = NOTHING,
) -> Model:
    """A neuron with the rectangle of its ``form``. ``about`` says where the settings of the neuron come from."""
    width = WIDTHS[form]
    neuron = f"{about}; surrogate alpha {2 * width:g}: {file}; {SURROGATE}"
    return network(
        name,
        title,
        name,
        form,
        file,
        {**settings, "surrogate": "boxcar", "width": width},
        changes,
        {"neuron": neuron, **sources},
        budgets,
    )


LIF_FF = network("lif", "LIF", "lif", "feedforward", LIF_CONFIG, {}, {"lr": 5e-3})
LIF_REC_CONFIG = config("cdcbb18", f"{NEURONS}/PSMNIST_LIF_recurrent")
LIF_REC = network(
    "lif",
    "LIF",
    "lif",
    "recurrent",
    LIF_REC_CONFIG,
    {"leak": 0.5, "width": 0.3},
    {"lr": 3e-3},
    {"neuron": f"{LIF_REC_CONFIG}: decay 0.5, surrogate alpha 0.6; {LIF_NEURON}"},
)

# sigmoid(10) and sigmoid(-2): the public code sets the parameter behind the decay and does not use ``neuron_decay``
PLIF_FF = _neuron(
    "plif",
    "PLIF",
    "feedforward",
    f"{NOT_PUBLIC} LIF, {LIF_CONFIG}",
    {"decay": 0.9999546021312976, "threshold": 0.5},
    f"w = 10 at first: {script('2e546dd', f'{NEURONS}/PSMNIST_PLIF_feedforward')}; {PLIF_NEURON}",
    {"lr": 5e-3},
)
PLIF_REC = _neuron(
    "plif",
    "PLIF",
    "recurrent",
    config("2e546dd", f"{NEURONS}/PSMNIST_PLIF_recurrent"),
    {"decay": 0.11920292202211755, "threshold": 0.5},
    f"w = -2 at first: {script('2e546dd', f'{NEURONS}/PSMNIST_PLIF_recurrent')}; {PLIF_NEURON}",
    {"lr": 3e-3, "schedule": {"cosine": 100}},
    {"schedule": f"use_cos_lr: {config('2e546dd', f'{NEURONS}/PSMNIST_PLIF_recurrent')}"},
)

_ALIF = {"threshold": 0.3, "adaptation": 1.8, "tau_m": 20.0, "tau_m_std": 5.0, "tau_adp": 700.0, "tau_adp_std": 25.0}
_ALIF |= {"scale_input": False, "b_start": 0.01}
_ALIF_ABOUT = (
    f"beta 1.8, tau_adp ~ N(700, 25), tau_m ~ N(20, 5): {script('cdcbb18', f'{NEURONS}/PSMNIST_ALIF_feedforward')};"
    f" the current counts whole and b starts at 0.01: {ALIF_NEURON}; threshold 0.3: the configuration"
)
ALIF_FF, ALIF_REC = (
    _neuron("alif", "ALIF", form, config(commit, f"{NEURONS}/PSMNIST_ALIF_{form}"), _ALIF, _ALIF_ABOUT, {"lr": lr})
    for form, commit, lr in (("feedforward", "2e546dd", 5e-3), ("recurrent", "cdcbb18", 1e-3))
)

_GLIF_SCRIPT = script("b1bdf7d", f"{NEURONS}/PSMNIST_GLIF_recurrent", OLDER)


def _glif(form: str, threshold: float, layers: tuple[int, ...]) -> Model:
    file = config("b1bdf7d", f"{NEURONS}/PSMNIST_GLIF_{form}", OLDER)
    return _neuron(
        "glif",
        "GLIF",
        form,
        file,
        {"steps": 784, "gates": (0.8, 0.2, 0.8), "threshold": threshold},
        f"gates: {_GLIF_SCRIPT}; all eight parameters of each neuron: {GLIF_NEURON}; threshold {threshold:g} at first:"
        f" {file}",
        {"layers": layers, "lr": 5e-3, "weight_decay": 3e-3, "weight_decay_neuron": 3e-3},
        {"weight_decay_neuron": f"{file}; the optimiser has one group of all parameters: {_GLIF_SCRIPT}"},
    )


GLIF_FF = _glif("feedforward", 0.5, (1, 24, 40, 40, 10))
GLIF_REC = _glif("recurrent", 0.3, (1, 36, 72, 72, 10))


def _celif(form: str, file: str, layers: tuple[int, ...], lr: float, budgets: Mapping[str, Any]) -> Model:
    return _neuron(
        "celif",
        "CE-LIF",
        form,
        file,
        {"steps": 784, "alpha": 0.5, "beta": 0.98, "threshold": 0.5},
        f"decay 0.5, threshold 0.5: {file}; the threshold decays with 1 - 0.02, TE ~ N(0.01, 0.01), one for all layers:"
        f" {script('c12fce3', f'{NEURONS}/PSMNIST_CELIF_feedforward')}; {CELIF_NEURON}",
        {"layers": layers, "lr": lr},
        budgets=budgets,
    )


CELIF_FF = _celif(
    "feedforward",
    config("b1bdf7d", f"{NEURONS}/PSMNIST_CELIF_feedforward", OLDER),
    (1, 64, 90, 90, 10),
    3e-3,
    {"laptop": {"epochs": 5}},
)
CELIF_REC = _celif(
    "recurrent", config("cdcbb18", f"{NEURONS}/PSMNIST_CELIF_recurrent"), (1, 64, 136, 136, 10), 1e-3, {}
)

_TCN_CONFIG = config("2e546dd", f"{NETWORKS}/PSMNIST_TCN")
_TCN_SCRIPT = script("2e546dd", f"{NETWORKS}/PSMNIST_TCN")
TCN = Model(
    "stp-tcn",
    "TCN",
    "",
    changes={
        "network": "tcn",
        "network_settings": {"kernel": 7, "dropout": 0.0},
        "layers": (1, *[25] * 8, 10),
        "readout": "linear",
        "optimiser": "adamw",
        "lr": 2e-3,
        "schedule": STEP,
        "batch_size": 64,
        "epochs": 100,
    },
    budgets={"laptop": {"epochs": 2}},
    sources={
        "network": f"{CODE}, {TCN_NETWORK}",
        "network_settings": f"{CODE}, kernel 7: {_TCN_CONFIG}; no dropout: {_TCN_SCRIPT}",
        "layers": f"{CODE}, {_TCN_CONFIG}: 8 blocks of 25 channels",
        "readout": f"{CODE}, {_TCN_SCRIPT}: at every step; the loss takes the mean",
        **dict.fromkeys(("optimiser", "lr", "batch_size", "epochs"), f"{CODE}, {_TCN_CONFIG}"),
        "schedule": f"{CODE}, {_TCN_CONFIG}; times 0.8 every 10 epochs: {_TCN_SCRIPT}",
    },
    departs="the readout's weights start at the framework's default, in the public code at N(0, 0.01)",
)
