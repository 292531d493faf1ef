"""Recipes in the terms of the papers' tables: architectures, networks, schedules. They are read off an experiment's
config alone, without torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from bench.measures.operations import CELLS, NEURONS
from bench.spec import own

Config = Mapping[str, Any]

OPTIMISERS = {"adam": "Adam", "adamw": "AdamW", "adamax": "Adamax", "sgd": "SGD"}
NOT_SPIKING = ("", "indrnn")  # no neuron, or one that puts out reals
RNNS = ("rnn",)
CAMERA = 2 * 128 * 128  # inputs of DVS128 Gesture before pixels are summed


def setting_value(config: Any, path: str) -> Any:
    """The setting at a path such as "neuron.threshold"; ``None`` where the recipe leaves it to the neuron's default."""
    for name in path.split("."):
        config = config.get(name) if isinstance(config, Mapping) else None
    return config


def setting_text(name: str, value: Any) -> str:
    """One setting as the papers print it."""
    if name == "optimiser":
        return OPTIMISERS.get(value, str(value))
    if name == "schedule":
        return schedule(value)
    if name == "lr":  # 1e-4, as the papers have it
        mantissa, exponent = f"{value:e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def schedule(settings: Config) -> str:
    match settings:
        case {"every": every, "factor": factor}:
            return f"StepLR({every}, {factor:g})"
        case {"milestones": milestones, "factor": factor}:
            return f"MultiStepLR({milestones}, {factor:g})"
        case {"linear": epochs}:
            return f"linear to 0 over {epochs} epochs"
        case {"cosine": epochs}:
            return f"cosine to 0 over {epochs} epochs"
    return "none"


def widths(config: Config) -> str:
    return "[" + ", ".join(map(str, config["layers"][1:-1])) + "]"


def architecture(config: Config) -> str:
    if config["network"] == "tcn":
        return "Convolution"
    recurrent = config["recurrent"] or config["network"] in RNNS or config["neuron"]["name"] == "indrnn"
    return "Recurrent" if recurrent else "Feedforward"


def snn(config: Config) -> str:
    return "No" if config["neuron"]["name"] in NOT_SPIKING else "Yes"


def kind(config: Config) -> str:
    """RNN, SRNN or FFSNN (celif Table 4)."""
    recurrent = architecture(config) == "Recurrent"
    if snn(config) == "Yes":
        return "SRNN" if recurrent else "FFSNN"
    return "RNN" if recurrent else "FFNN"


def formula(config: Config) -> str:
    """Energy of a layer of m inputs and n neurons in a time step, as the energy measure counts it (celif Table 4)."""

    def times(count: int) -> str:
        return "" if count == 1 else str(count)

    if config["network"] in RNNS:
        return f"4(mn+nn)E_MAC + {CELLS[config['network_settings']['cell']]}nE_MAC"
    name = config["neuron"]["name"]
    if name in own.NEURONS:
        counted = own.neuron(name, config["neuron"])
        if counted["macs"] is None:
            return "not known: its step cannot be traced"
        acs, macs = counted["acs"], counted["macs"]
    else:
        acs, macs = NEURONS[name]
    if config["recurrent"]:
        return f"mnFr_in E_AC + (nn+{times(acs)}n)Fr_out E_AC + {times(macs)}nE_MAC"
    return f"(mnFr_in + {times(acs)}nFr_out)E_AC + {times(macs)}nE_MAC"


def leakage(config: Config) -> str:
    neuron = config["neuron"]
    if neuron["learn_leak"]:
        return "Normal"
    return {1.0: "Without", 0.0: "Complete"}.get(neuron["leak"], "Normal")


def reset(config: Config) -> str:
    return "Without" if config["neuron"]["reset"] == "none" else "Normal"


def recurrence(config: Config) -> str:
    return "With" if config["recurrent"] else "Without"


def network(config: Config) -> str:
    """Input(700)-FC_LIF(64)-FC_LI(20)-Output; LI is a leaky integrator that does not spike (roles Table 4)."""
    inputs, *hidden, classes = config["layers"]
    neuron = config["neuron"]["name"].upper()
    if config["network"] == "resnet18":
        return f"Input({inputs * 32 * 32})-ResNet18_{neuron}-Output"
    input_layers = [f"Input({inputs})"]
    if config["data"].startswith("dvs-gesture"):
        input_layers = [f"Input({CAMERA})", f"Downsampling({inputs})"]
    layer = "RNN" if config["network"] in RNNS else f"FC_{neuron}"
    readout = {"spiking": layer, "leaky-readout": "FC_LI"}.get(config["readout"], "FC")
    return "-".join([*input_layers, *(f"{layer}({n})" for n in hidden), f"{readout}({classes})", "Output"])


def embedding(config: Config) -> str:
    """The contextual embedding of CE-LIF's threshold (celif Table 2)."""
    if config["neuron"]["name"] == "alif-celif":
        return "gamma S[t-1]"
    symbols = {"te": "TE[t]", "v": "V[t-1]", "s": "S[t-1]"}
    form = config["neuron"].get("embedding", "te*v")
    for sign, text in (("*", " ⊙ "), ("+", " + ")):
        if sign in form:
            first, second = form.split(sign)
            return symbols[second] + text + symbols[first]
    return symbols[form]


def decay(config: Config) -> str:
    """beta of copy memory: 1 - 1/T where it is that of the delay T (celif Table 5)."""
    beta = config["neuron"].get("beta")
    delay = config["data_settings"].get("delay")
    return "1 - 1/T" if beta and delay and math.isclose(beta, 1 - 1 / delay) else str(beta)


TERMS: dict[str, Callable[[Config], str]] = {
    function.__name__: function
    for function in (widths, architecture, snn, kind, formula, leakage, reset, recurrence, network, embedding, decay)
}
