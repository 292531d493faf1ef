"""Declares every measure that can be read off a trained experiment. Imports no torch: the code that reads weights is in
the other modules of this package.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bench.spec.measure import Measure


def _from_weights(reader: str, name: str, unit: str, title: str, **settings: Any) -> Measure:
    return Measure(name, unit, title, reader=reader, settings=settings)


ACCURACY = Measure("accuracy", "%", "test accuracy")

# Yin et al. 2024, Table 8. Keys are the window in ms. The number of windows is that of the training, as many as cover
# the length of time of the training, or all.
_RESOLUTIONS = (1, 2, 3, 5, 10)
_READER = "generalisation:at_resolution"
AT_RESOLUTION = {
    ms: _from_weights(_READER, f"accuracy@{ms}ms", "%", f"test accuracy at {ms} ms", window_ms=ms)
    for ms in _RESOLUTIONS
}
AT_RESOLUTION_SAME = {
    ms: _from_weights(
        _READER,
        f"accuracy@{ms}ms-same",
        "%",
        f"test accuracy at {ms} ms, the stretch trained on",
        window_ms=ms,
        steps="same",
    )
    for ms in _RESOLUTIONS
}
AT_RESOLUTION_FULL = {
    ms: _from_weights(
        _READER,
        f"accuracy@{ms}ms-full",
        "%",
        f"test accuracy at {ms} ms, whole recording",
        window_ms=ms,
        steps="full",
    )
    for ms in _RESOLUTIONS
}

# Yin et al. 2024, Table 10. Keys are the share of events that is dropped.
EVENT_DROP = {
    rho: _from_weights(
        "event_drop:event_drop",
        f"event-drop@{rho}",
        "%",
        f"test accuracy with {rho:.0%} of the events dropped",
        ratio=rho,
    )
    for rho in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
}

# Li et al. 2018; Chen et al. 2023, Figures 4 and 8; Yin et al. 2024, Figure 5
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

# Chen et al. 2023, Figures 2, 4, 5, 6 and 7
LEARNING_CURVE = Measure(
    "learning-curve",
    "epochs",
    "epochs to within 1 point of the best",
    version=2,
    reader="learning_curve:plateau",
    protocols=("last",),
    series=False,
    history=True,
)
LOSS_CURVE = Measure(
    "loss-curve",
    "",
    "test loss after the last epoch",
    tolerance=0.005,
    digits=4,
    key="test/loss",
    best="min",
    protocols=("last",),
    series=False,
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
    "similarity score of period 28 minus the largest of periods 20 to 40",
    version=2,
    tolerance=0.005,
    digits=4,
    reader="te_similarity:te_similarity",
    protocols=("last",),
)
TE_MATRIX = replace(TE_SIMILARITY, name="te-similarity-matrix", settings={"block": 7})
TE_PERIOD_SCORES = replace(
    TE_SIMILARITY,
    name="te-period-scores",
    unit="steps",
    title="period from 20 to 40 with the largest similarity score",
    version=1,
    tolerance=0.5,
    digits=0,
    reader="te_similarity:best_period",
)
TE_BEFORE = replace(
    TE_SIMILARITY,
    name="te-before",
    title="mean absolute similarity of two steps before training",
    version=1,
    tolerance=0.02,
    reader="te_similarity:before_training",
    series=False,
)
TE_LATE = replace(
    TE_BEFORE,
    name="te-late",
    title="similarity with earlier steps, last quarter of the steps minus the first",
    reader="te_similarity:late_similarity",
)
TE_LATE_EQUAL_LAGS = replace(
    TE_LATE,
    name="te-late-equal-lags",
    title="similarity with earlier steps of the same quarter, last quarter of the steps minus the first",
    settings={"equal_lags": True},
)
NEURON_TRACE = Measure(
    "neuron-trace",
    "",
    "spikes per step of the target output neuron",
    version=2,
    tolerance=0.05,
    digits=4,
    reader="neuron_trace:neuron_trace",
    protocols=("last",),
)
TRACE_SHARE = Measure(
    "trace-share",
    "",
    "share of steps with a negative embedding, target output neuron minus the others",
    tolerance=0.02,
    digits=4,
    reader="neuron_trace:negative_share",
    protocols=("last",),
    repeats=("difference", "sample"),
)

# Yin et al. 2024, Table 9 and Figures 3 and 6
SPIKE_RATE = replace(
    _from_weights("spike_rate:spike_rate", "spike-rate", "", "mean spikes per neuron and step"),
    digits=3,
    tolerance=0.01,
)
SILHOUETTE = replace(
    _from_weights("feature_space:silhouette", "silhouette", "", "silhouette of the last hidden layer, cosine distance"),
    digits=3,
    tolerance=0.02,
)
T_SNE = replace(
    _from_weights(
        "feature_space:t_sne",
        "t-sne",
        "",
        "KL divergence of a map of 2,000 test samples",
        samples=2000,
        perplexity=30.0,
    ),
    protocols=("best_test",),
)

# Yin et al. 2024, Figure 8: 500 correctly classified test samples, up to 200 steps, random flips of 5 %, up to 5
# restarts of failed attacks
_ATTACK = {"samples": 500, "steps": 200, "gamma": 0.05, "restarts": 5}
ATTACK = replace(
    _from_weights("attack:flipped", "attack-500", "", "share of input entries flipped to fool the network", **_ATTACK),
    protocols=("best_test",),
    digits=4,
    tolerance=0.005,
    repeats=("flipped", "sample"),
)
ATTACK_RMS = replace(
    ATTACK,
    name="attack-500-rms",
    title="root mean square of the perturbation that fools the network",
    settings={**_ATTACK, "root": True},
    tolerance=0.01,
    series=False,
    repeats=None,
)
ATTACK_SUCCESS = replace(
    _from_weights(
        "attack:success", "attack-500-success", "%", "attacked samples for which an attack succeeded", **_ATTACK
    ),
    protocols=("best_test",),
    series=False,
)

# Chen et al. 2023, Table 4, in the paper's convention (an analog input is free) and in one that counts it (a MAC for
# each weight)
ENERGY, ENERGY_HONEST, ENERGY_INFERENCE, ENERGY_INFERENCE_HONEST = (
    Measure(
        f"energy-{per}-{convention}",
        "nJ",
        f"energy of one {period}, an analog input {cost}",
        reader="energy:energy",
        settings={"convention": convention, "per": per},
        protocols=("best_test",),
    )
    for per, period in (("step", "time step"), ("inference", "inference"))
    for convention, cost in (("celif", "free"), ("honest", "counted"))
)


def _count(name: str, operations: str, quantity: str, **settings: Any) -> Measure:
    """The measure of ``quantity``, a field of ``energy.Counts``."""
    title = f"{operations} in a time step"
    measure = _from_weights("energy:count", name, "", title, quantity=quantity, **settings)
    return replace(measure, protocols=("best_test",))


SYNOPS = _count("synops", "synaptic operations", "synops")
UPDATES = _count("update-acs", "accumulations in the neurons' updates", "updates")
MACS = _count("macs", "multiplications, an analog input free,", "macs")
MACS_HONEST = _count("macs-honest", "multiplications, an analog input counted,", "macs", convention="honest")
SPIKES = _count("spikes", "spikes", "spikes")


def _declared() -> Iterator[Measure]:
    """Every measure of this module, by itself or in a dictionary."""
    for value in tuple(globals().values()):
        items = value.values() if isinstance(value, dict) else (value,)
        yield from (item for item in items if isinstance(item, Measure))


MEASURES = {measure.name: measure for measure in _declared()}
