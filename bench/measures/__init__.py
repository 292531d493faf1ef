"""What is read off a trained experiment. One record each here, without torch; the code that reads weights in a module
of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.spec.measure import Measure

ACCURACY = Measure("accuracy", "%", "test accuracy")


def _read(reader: str, name: str, unit: str, title: str, **settings: Any) -> Measure:
    return Measure(name, unit, title, reader=reader, settings=settings)


# Yin et al. 2024, Table 8: keyed by the window in ms. As many windows as in training, those of the same stretch, or of
# all
_RESOLUTIONS = (1, 2, 3, 5, 10)
_AT = "generalisation:at_resolution"
AT_RESOLUTION = {
    ms: _read(_AT, f"accuracy@{ms}ms", "%", f"test accuracy at {ms} ms", window_ms=ms) for ms in _RESOLUTIONS
}
AT_RESOLUTION_SAME = {
    ms: _read(
        _AT,
        f"accuracy@{ms}ms-same",
        "%",
        f"test accuracy at {ms} ms, the stretch trained on",
        window_ms=ms,
        steps="same",
    )
    for ms in _RESOLUTIONS
}
AT_RESOLUTION_FULL = {
    ms: _read(
        _AT, f"accuracy@{ms}ms-full", "%", f"test accuracy at {ms} ms, whole recording", window_ms=ms, steps="full"
    )
    for ms in _RESOLUTIONS
}

# Table 10: keyed by the share of events that is left out
EVENT_DROP = {
    rho: _read(
        "event_drop:event_drop",
        f"event-drop@{rho}",
        "%",
        f"test accuracy with {rho:.0%} of the events dropped",
        ratio=rho,
    )
    for rho in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
}

# Li et al. 2018; celif Figures 4 and 8, roles Figure 5
LANDSCAPE = Measure(
    "loss-landscape",
    "",
    "mean rise of the training loss at radius 0.5 and 1",
    tolerance=0.005,
    digits=4,
    reader="loss_landscape:loss_landscape",
    protocols=("last",),
    repeats=("loss", "pair"),
)
LANDSCAPE_TE_FIXED = replace(LANDSCAPE, name="loss-landscape-te-fixed", settings={"te_fixed": True})
LANDSCAPE_SMALL = replace(LANDSCAPE, name="loss-landscape@9", settings={"points": 9, "samples": 256})
LANDSCAPE_SMALL_TE_FIXED = replace(
    LANDSCAPE, name="loss-landscape@9-te-fixed", settings={**LANDSCAPE_SMALL.settings, "te_fixed": True}
)


# celif Figures 2, 4, 5, 6 and 7
LEARNING_CURVE = Measure(
    "learning-curve",
    "epochs",
    "epochs to within 1 point of the best",
    reader="learning_curve:plateau",
    protocols=("last",),
    history=True,
)
LOSS_CURVE = Measure(
    "loss-curve",
    "",
    "test loss after the last epoch",
    tolerance=0.005,
    digits=4,
    reader="learning_curve:final_loss",
    protocols=("last",),
    history=True,
)
GRADIENT_REACH = Measure(
    "gradient-reach",
    "",
    "share of the gradient on the first 10 steps",
    tolerance=0.02,
    digits=4,
    reader="gradient_reach:gradient_reach",
    protocols=("last",),
)
TE_SIMILARITY = Measure(
    "te-similarity",
    "",
    "similarity of the embedding at lags 28k minus 28k + 14",
    tolerance=0.02,
    digits=4,
    reader="te_similarity:te_similarity",
    protocols=("last",),
)
TE_MATRIX = replace(TE_SIMILARITY, name="te-similarity-matrix", settings={"block": 7})
NEURON_TRACE = Measure(
    "neuron-trace",
    "",
    "spikes per step of the most active output neuron",
    digits=4,
    reader="neuron_trace:neuron_trace",
    protocols=("last",),
)

# Table 9 and Figures 3 and 6
SPIKE_RATE = replace(
    _read("spike_rate:spike_rate", "spike-rate", "", "mean spikes per neuron and step"), digits=3, tolerance=0.01
)
SILHOUETTE = replace(
    _read("feature_space:silhouette", "silhouette", "", "silhouette of the last hidden layer, cosine distance"),
    digits=3,
    tolerance=0.02,
)
T_SNE = replace(
    _read(
        "feature_space:t_sne",
        "t-sne",
        "",
        "KL divergence of a map of 2,000 test samples",
        samples=2000,
        perplexity=30.0,
    ),
    protocols=("best_test",),
)

# Figure 8: 500 correctly classified test samples, up to 200 steps, random flips of 5 %, up to 5 restarts of what failed
_ATTACK = {"samples": 500, "steps": 200, "gamma": 0.05, "restarts": 5}
ATTACK, ATTACK_RMS, ATTACK_SUCCESS = (
    replace(
        _read(f"attack:{reader}", name, unit, title, **_ATTACK, **more),
        protocols=("best_test",),
        digits=2 if unit == "%" else 4,
        tolerance=tolerance,
        series=name == "attack-500",
        repeats=("flipped", "sample") if name == "attack-500" else None,
    )
    for reader, name, unit, title, tolerance, more in (
        ("flipped", "attack-500", "", "share of input entries flipped to fool the network", 0.005, {}),
        (
            "flipped",
            "attack-500-rms",
            "",
            "root mean square of the perturbation that fools the network",
            0.01,
            {"root": True},
        ),
        ("success", "attack-500-success", "%", "attacked samples for which an attack succeeded", 1.0, {}),
    )
)

# celif Table 4, in its convention (an analog input is free) and in the honest one (it costs a MAC a weight)
ENERGY, ENERGY_HONEST, ENERGY_INFERENCE, ENERGY_INFERENCE_HONEST = (
    Measure(
        f"energy-{per}-{convention}",
        "nJ",
        f"energy of one {words}, {said}",
        reader="energy:energy",
        settings={"convention": convention, "per": per},
        protocols=("best_test",),
    )
    for per, words in (("step", "time step"), ("inference", "inference"))
    for convention, said in (("celif", "an analog input free"), ("honest", "an analog input counted"))
)
SYNOPS, UPDATES, MACS, MACS_HONEST, SPIKES = (
    Measure(
        name,
        "",
        f"{words} in a time step",
        reader="energy:count",
        settings={"what": what, **more},
        protocols=("best_test",),
    )
    for name, words, what, more in (
        ("synops", "synaptic operations", "synops", {}),
        ("update-acs", "accumulations in the neurons' updates", "updates", {}),
        ("macs", "multiplications, an analog input free,", "macs", {}),
        ("macs-honest", "multiplications, an analog input counted,", "macs", {"convention": "honest"}),
        ("spikes", "spikes", "spikes", {}),
    )
)

_FOUND = [v for value in list(vars().values()) for v in (value.values() if isinstance(value, dict) else (value,))]
MEASURES = {m.name: m for m in _FOUND if isinstance(m, Measure)}
