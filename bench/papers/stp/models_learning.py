"""LIF with other surrogates and with other learning rules: the rows of Table 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.papers.stp.models import LIF_REC, NOTHING, network
from bench.papers.stp.sources import LIF_NEURON, NOT_PUBLIC, OLDER, RULES, SURROGATE, SURROGATES, config, script
from bench.papers.stp.tasks import LIF_CONFIG
from bench.spec.model import Model

_DECAYS = {"feedforward": 1.0, "recurrent": 0.5}


def _surrogate(
    name: str,
    title: str,
    form: str,
    file: str,
    settings: Mapping[str, Any],
    lr: float,
    changes: Mapping[str, Any] = NOTHING,
) -> Model:
    """LIF with the surrogate and threshold in ``settings``, and with the values of the configuration ``file``."""
    return network(
        f"lif-{name}",
        f"LIF, {title}",
        "lif",
        form,
        file,
        {"leak": _DECAYS[form], **settings},
        {"lr": lr, **changes},
        {"neuron": f"{file}: decay, threshold and surrogate alpha; {LIF_NEURON}; form of the surrogate: {SURROGATE}"},
    )


TRIANGLE_FF = _surrogate(
    "triangle",
    "triangle",
    "feedforward",
    f"{NOT_PUBLIC} LIF, {LIF_CONFIG}",
    {"surrogate": "triangular", "width": 1.0},
    5e-3,
)
TRIANGLE_REC = _surrogate(
    "triangle",
    "triangle",
    "recurrent",
    config("cdcbb18", f"{SURROGATES}/PSMNIST_Triangle_recurrent"),
    {"surrogate": "triangular", "width": 0.6},
    1e-3,
)
SIGMOID_FF = _surrogate(
    "sigmoid",
    "sigmoid",
    "feedforward",
    config("2e546dd", f"{SURROGATES}/PSMNIST_Sigmoid_feedforward"),
    {"threshold": 1.0, "surrogate": "sigmoid", "width": 1.0},
    5e-3,
)
SIGMOID_REC = _surrogate(
    "sigmoid",
    "sigmoid",
    "recurrent",
    config("b1bdf7d", f"{SURROGATES}/PSMNIST_Sigmoid_recurrent", OLDER),
    {"surrogate": "sigmoid", "width": 0.6},
    3e-3,
    {"clip": 1.0},
)
# The public form is this one times alpha: equal at alpha 1, whose standard deviation is 0.5
MULTI_GAUSSIAN_FF = _surrogate(
    "multi-gaussian",
    "multi-Gaussian",
    "feedforward",
    config("2e546dd", f"{SURROGATES}/PSMNIST_MultiGaussian_feedforward"),
    {"surrogate": "multi_gaussian", "width": 0.5},
    3e-3,
)

_RULE_SCRIPT = script("2e546dd", f"{RULES}/PSMNIST_TSTBP_feedforward")


def _truncated(form: str, settings: Mapping[str, Any], lr: float) -> Model:
    file = config("d6ac731", f"{RULES}/PSMNIST_TSTBP_{form}", OLDER)
    return network(
        "lif-truncated",
        "LIF, T-STBP",
        "lif",
        form,
        file,
        settings,
        {"lr": lr},
        {
            "neuron": f"{file}: decay, threshold and surrogate alpha; {LIF_NEURON}",
            "network_settings": f"the gradient is cut every 196 steps: {file}; {LIF_NEURON}; {_RULE_SCRIPT}",
        },
        more={"detach_every": 196},
    )


TRUNCATED_FF = _truncated("feedforward", {}, 5e-3)
TRUNCATED_REC = _truncated("recurrent", LIF_REC.settings, 3e-3)

_OTTT = f"{NOT_PUBLIC} OTTT, {config('2e546dd', f'{RULES}/PSMNIST_OTTT_feedforward')}"
# Only the present step has a gradient: v and y of the step before are detached
SPATIAL_FF = network(
    "lif-spatial",
    "LIF, SLTT",
    "lif",
    "feedforward",
    _OTTT,
    {"leak": 0.8, "width": 0.3},
    {"lr": 3e-3},
    {
        "neuron": _OTTT,
        "network_settings": f"SLTT detaches the state at every step: {LIF_NEURON}",
    },
    more={"detach_every": 1},
)
