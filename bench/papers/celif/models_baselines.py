"""Baselines of the celif paper with a recipe of their own, most of them from public code of the cited papers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.papers.celif.models import TWO_RECURRENT
from bench.papers.celif.tasks import ADDING, COPY, SEQ_MNIST
from bench.spec.model import Model

_NO_CHANGES: Mapping[str, Any] = {}

_YIN_CODE = "code: public S-MNIST and PS-MNIST scripts of Yin et al."
_YIN_RECIPE: dict[str, Any] = {
    "readout": "spiking",
    "loss": "sum-ce",
    "loss_settings": {"first": 1},
    "optimiser": "adamax",
    "lr": 8e-3,
    "lr_neuron": {"tau_adp": 3.0, "tau_m": 2.0},
    "schedule": {"linear": 200},
    "init": "xavier-orthogonal",
}
_YIN_SOURCES = {
    **dict.fromkeys(
        ("readout", "loss", "loss_settings", "optimiser", "lr", "lr_neuron", "schedule", "init"), _YIN_CODE
    ),
    "network_settings": _YIN_CODE + " (recurrence with bias in two layers; PS-MNIST: gradient cut every 100 steps)",
    "neuron": _YIN_CODE + "; tau_adp starts at 700, for PS-MNIST at 200",
}
_YIN_PS: dict[str, Any] = {
    "init": "xavier-zero",
    "network_settings": {"detach_every": 100},
    "neuron": {"tau_adp": 200.0},
}


def _yin(name: str, title: str, window: int, permuted: int) -> Model:
    """ALIF of Yin et al. on a sliding window of ``window`` pixels for Seq-MNIST and ``permuted`` for PS-MNIST."""
    by_task: dict[str, dict[str, Any]] = {"seq-mnist": {}, "ps-mnist": dict(_YIN_PS)}
    sources = dict(_YIN_SOURCES)
    if window > 1:
        sources |= {
            "layers": _YIN_CODE,
            "data_settings": _YIN_CODE + "; windows at stride 1, PS-MNIST made binary at 0.1",
        }
        by_task["seq-mnist"] |= {"layers": (window, 64, 256, 256, 10), "data_settings": {"window": window}}
        by_task["ps-mnist"] |= {
            "layers": (permuted, 64, 256, 256, 10),
            "data_settings": {"window": permuted, "scale": "binary"},
        }
    return Model(
        name,
        title,
        "alif",
        recurrent=True,
        changes={**_YIN_RECIPE, "network_settings": TWO_RECURRENT},
        by_task=by_task,
        sources=sources,
    )


ALIF_YIN = _yin("alif-yin", "ALIF (Yin et al.)", 1, 1)
ALIF_YIN_WINDOWS = _yin("alif-yin-windows", "ALIF (Yin et al.), windows of 8 and 4 pixels", 8, 4)

_LSTM_NETWORK_SOURCE = "guess [U]: torch's own, one layer"


def _lstm(
    name: str,
    title: str,
    hidden: tuple[int, ...],
    changes: Mapping[str, Any],
    sources: Mapping[str, str],
    budgets: Mapping[str, Any] = _NO_CHANGES,
    departs: str = "",
) -> Model:
    """An LSTM with layers of ``hidden`` units and as many inputs and outputs as the task has."""
    inputs = {SEQ_MNIST.name: (1, 10), "ps-mnist": (1, 10)}
    inputs |= {t.name: (t.layers[0], t.layers[-1]) for t in (*ADDING.values(), *COPY.values())}
    return Model(
        name,
        title,
        "",
        changes={"network": "rnn", **changes},
        by_task={task: {"layers": (first, *hidden, last)} for task, (first, last) in inputs.items()},
        budgets=budgets,
        sources=sources,
        departs=departs,
    )


_LSTM_HELPED = (
    "a helped LSTM: its forget gates start open (+1) and its gradients are clipped at 1; the paper has neither"
)
_LSTM_CELL = {"cell": "lstm", "one_bias": True, "forget_bias": 1.0}
_LSTM_CELL_SOURCE = "one bias a gate, as the count of Table 1 has it; forget gates start open: guess [U]"
LSTM_256 = _lstm(
    "lstm-256",
    "LSTM",
    (256,),
    {"network_settings": _LSTM_CELL, "clip": 1.0},
    {
        "layers": "guess [U]: its size is not given",
        "network": _LSTM_NETWORK_SOURCE,
        "network_settings": _LSTM_CELL_SOURCE,
        "clip": "guess [U]",
    },
    departs=_LSTM_HELPED,
)
PLAIN_NOTE = "torch's own LSTM; the row LSTM is helped: open forget gates (+1), clipped gradients, not in the paper"
LSTM_256_PLAIN = _lstm(
    "lstm-256-plain",
    "LSTM, plain",
    (256,),
    {"network_settings": {"cell": "lstm"}},
    {
        "layers": "guess [U]: its size is not given",
        "network": _LSTM_NETWORK_SOURCE,
        "network_settings": "torch's own cell, without help",
    },
)
LSTM_128 = _lstm(
    "lstm-128",
    "LSTM, 66.5k",
    (128,),
    {"network_settings": _LSTM_CELL, "readout": "linear-last", "lr": 1e-3, "clip": 1.0},
    {
        "layers": "derived: one layer of 128 counts 66,560 without its readout",
        "network": _LSTM_NETWORK_SOURCE,
        "network_settings": _LSTM_CELL_SOURCE,
        "readout": "quoted paper: the last state",
        "lr": "guess [U]",
        "clip": "guess [U]",
    },
    # An epoch of 235 steps leaves it untrained. Without chrono it is at chance (11.35 %) even after one of 938 steps.
    budgets={"laptop": {"batch_size": 64, "lr": 2e-3, "network_settings": {"chrono": 784}}},
    departs=_LSTM_HELPED,
)
_LSTM_ONE_BIAS = {"cell": "lstm", "one_bias": True}
LSTM_128_PLAIN = _lstm(
    "lstm-128-plain",
    "Plain LSTM, 66.5k",
    (128,),
    {"network_settings": _LSTM_ONE_BIAS, "readout": "linear-last", "lr": 1e-3},
    {
        "layers": "derived: one layer of 128 counts 66,560 without its readout",
        "network": _LSTM_NETWORK_SOURCE,
        "network_settings": "torch's own LSTM; one bias a gate, as the count of Table 1 has it",
        "readout": "quoted paper: the last state",
        "lr": "guess [U]",
    },
)
LSTM_154K = _lstm(
    "lstm-154k",
    "LSTM, 153.8k",
    (64, 96, 96),
    {"network_settings": _LSTM_ONE_BIAS, "readout": "linear-last", "lr": 1e-3},
    {
        "layers": (
            "derived: three hidden layers and a classifier of about 155k parameters, as the supplement says; 64-96-96"
            " counts 153,802"
        ),
        "network": "torch's own, three layers",
        "network_settings": "torch's own LSTM; one bias a gate, as the count of Table 1 has it",
        "readout": "guess [U]: the last state, as in Table 1",
        "lr": "guess [U]",
    },
)

_INDRNN_CODE = "code: public IndRNN_pytorch, as its logs name it"
INDRNN = Model(
    "indrnn",
    "IndRNN",
    "indrnn",
    {"steps": 784},
    changes={
        "network": "indrnn",
        "network_settings": {"dropout": 0.1},
        "layers": (1, *[128] * 6, 10),
        "readout": "linear-last",
        "data_settings": {"scale": "bipolar"},
        "optimiser": "adam",
        "lr": 2e-4,
        "weight_decay": 1e-4,
        "clip": 10.0,
        "schedule": {},
        "batch_size": 32,
    },
    budgets={"laptop": {"lr": 1e-3, "batch_size": 128, "epochs": 2}},  # 89.55 % after the first
    departs="86.4k parameters, where the paper prints 99.2k",
    sources={
        **dict.fromkeys(
            ("network", "network_settings", "layers", "readout", "data_settings", "optimiser", "lr"), _INDRNN_CODE
        ),
        **dict.fromkeys(("weight_decay", "clip", "batch_size"), _INDRNN_CODE),
        "schedule": "guess [U]: none; the code divides the rate by 10 on a plateau",
        "neuron": _INDRNN_CODE + ": |u| below 5^(1/784)",
    },
)
_TCN_CODE = "code: public locuslab/TCN"
TCN = Model(
    "tcn",
    "TCN",
    "",
    changes={
        "network": "tcn",
        "network_settings": {"kernel": 7, "dropout": 0.05},
        "layers": (1, *[25] * 8, 10),
        "readout": "linear-last",
        "data_settings": {"scale": "standard"},
        "optimiser": "adam",
        "lr": 2e-3,
        "schedule": {"every": 10, "factor": 0.1},
        "batch_size": 64,
        "epochs": 20,
    },
    budgets={"laptop": {"epochs": 2}},  # 88 % after the first
    sources={
        **dict.fromkeys(
            ("network", "network_settings", "layers", "readout", "data_settings", "optimiser", "lr"), _TCN_CODE
        ),
        **dict.fromkeys(("batch_size", "epochs"), _TCN_CODE),
        "schedule": _TCN_CODE + ": a tenth of the rate every 10 epochs",
    },
)

_LSNN_CODE = "code: public LSNN scripts of Bellec et al."


def _lsnn(
    name: str,
    title: str,
    neuron: str,
    size: int,
    sources: Mapping[str, str],
    connectivity: float | None = None,
    departs: str = "",
) -> Model:
    """One recurrent layer of ``size`` neurons on LSNN's input encoding of 80 spike trains, with LSNN's recipe."""
    return Model(
        name,
        title,
        neuron,
        recurrent=True,
        changes={
            "network": "lsnn",
            "network_settings": {} if connectivity is None else {"connectivity": connectivity},
            "layers": (80, size, 10),
            "readout": "filtered-mean",
            "data_settings": {"coding": "lsnn"},
            "optimiser": "adam",
            "lr": 1e-2,
            "schedule": {"every": 11, "factor": 0.8},
            "epochs": 153,
        },
        sources={
            **dict.fromkeys(
                ("network", "network_settings", "layers", "readout", "data_settings", "optimiser", "lr", "neuron"),
                _LSNN_CODE,
            ),
            "schedule": _LSNN_CODE + ": x 0.8 every 2,500 iterations",
            "epochs": _LSNN_CODE + ": 36,000 iterations",
            **sources,
        },
        # a batch of 128: a training of 700 neurons then takes less than 2 GB of memory
        budgets={"laptop": {"epochs": 3, "batch_size": 128}},
        departs=departs,
    )


_UNPUBLISHED = "guess [U]: no training code is public: as LSNN"
LSNN = _lsnn("lsnn", "LSNN", "lsnn", 220, {})
DEEP_R_LSNN = _lsnn(
    "deep-r-lsnn",
    "DEEP-R LSNN",
    "lsnn",
    700,
    {
        "layers": "derived: 700 neurons at 12 % connectivity count 66,360; not in the paper",
        "neuron": _LSNN_CODE + "; the share of adaptive neurons is that of its 220 neurons: guess [U]",
    },
    0.12,
)
DEXAT = _lsnn(
    "dexat",
    "DEXAT",
    "dexat",
    220,
    {
        "layers": "guess [U]: LSNN's",
        "network": _UNPUBLISHED,
        "neuron": "the equation is that of public code by others; its constants are guesses [U]: see the neuron",
    },
    departs="the constants of both its adaptations are guesses: no source has those for Seq-MNIST",
)
AHP = _lsnn(
    "ahp",
    "AHP",
    "ahp",
    220,
    {
        "layers": (
            "derived: 220 neurons count 68,200, with a bias each the printed 68.4k; the released chip network is"
            " 80-240-10, a fifth of it connected"
        ),
        "network": _UNPUBLISHED,
        "neuron": "partly verified; see the neuron",
    },
    departs="68.2k parameters, where the paper prints 68.4k",
)
