"""Ten steps of every neuron against its published equation, written out here in plain numbers, and against spikes found
by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import torch

from lightning_modules.neurons import NEURONS, Neuron
from lightning_modules.neurons.ahp import AHP
from lightning_modules.neurons.alif import ALIF
from lightning_modules.neurons.alif_celif import ALIFCelif
from lightning_modules.neurons.celif import CELIF
from lightning_modules.neurons.dexat import DEXAT
from lightning_modules.neurons.glif import GLIF
from lightning_modules.neurons.indrnn import IndRNN
from lightning_modules.neurons.leaky_readout import LeakyReadout
from lightning_modules.neurons.lif import LIF
from lightning_modules.neurons.lsnn import LSNN
from lightning_modules.neurons.ltmd import LTMD
from lightning_modules.neurons.plif import PLIF
from lightning_modules.scan import scan

CURRENT = [0.2, 0.3, 0.4, 0.5, -0.1, 0.1, 0.4, 0.0, 0.31, 0.05]
TE = [0.1, -0.2, 0.25, 0.0, 0.4, 0.1, -0.1, 0.2, 0.05, 0.3]
States = Iterator[dict[str, float]]


def lif() -> States:
    u = o = 0.0
    for i in CURRENT:
        u = 0.5 * u * (1 - o) + i
        o = float(u > 0.3)
        yield {"u": u, "o": o}


def lif_subtract() -> States:
    u = o = 0.0
    for i in CURRENT:
        u = 0.5 * (u - 0.3 * o) + i
        o = float(u > 0.3)
        yield {"u": u, "o": o}


def plif() -> States:  # decay 0.75, from w = ln 3
    v = s = 0.0
    for i in CURRENT:
        v = 0.75 * v * (1 - s) + i
        s = float(v > 0.3)
        yield {"v": v, "s": s}


def plif_original() -> States:  # tau = 2, threshold 1, reset to 0; the current times 4 so that it fires
    v = s = 0.0
    for i in CURRENT:
        after_reset = 0.0 if s else v
        v = after_reset + (4 * i - after_reset) / 2
        s = float(v > 1)
        yield {"v": v, "s": s}


def ltmd() -> States:  # tanh(0.5) = 0.46212
    v = s = 0.0
    for i in CURRENT:
        v = 0.25 * v * (1 - s) + i
        s = float(v > 0.46211715726000973)
        yield {"v": v, "s": s}


def celif(context: Callable[[float, float, float], float], gain: float = 1.0) -> Callable[[], States]:
    def trace() -> States:
        v = 0.0
        s = 0.0
        theta = 0.3
        for i, te in zip(CURRENT, TE, strict=True):
            theta = 0.3 + 0.5 * (theta - 0.3) + context(te, v, s)
            v = 0.5 * v * (1 - s) + gain * i
            s = float(v > theta)
            yield {"v": v, "s": s, "theta": theta}

    return trace


def alif_celif() -> States:  # beta 0.5, gamma 0.2
    v = 0.0
    s = 0.0
    theta = 0.3
    for i in CURRENT:
        theta = 0.3 + 0.5 * (theta - 0.3) + 0.2 * s
        v = 0.5 * v * (1 - s) + i
        s = float(v > theta)
        yield {"v": v, "s": s, "theta": theta}


# tau_v (tau_m) 2, tau_a 5, tau_fast 3
A = math.exp(-1 / 2)
R = math.exp(-1 / 5)
FAST = math.exp(-1 / 3)


def alif() -> States:
    v = 0.0
    s = 0.0
    b = 0.01
    for i in CURRENT:
        b = R * b + (1 - R) * s
        threshold = 0.01 + 1.8 * b
        v = A * v + (1 - A) * i - threshold * s
        s = float(v > threshold)
        yield {"v": v, "s": s, "b": b}


def alif_whole_input() -> States:  # threshold 0.3; the current counts whole, b starts at 0.01
    v = 0.0
    s = 0.0
    b = 0.01
    for i in CURRENT:
        b = R * b + (1 - R) * s
        threshold = 0.3 + 1.8 * b
        v = A * v + i - threshold * s
        s = float(v > threshold)
        yield {"v": v, "s": s, "b": b}


def lsnn(beta: float) -> Callable[[], States]:  # two refractory steps, b_0 = 0.05
    def trace() -> States:
        v = 0.0
        s = 0.0
        b = 0.0
        fired = -9
        for t, i in enumerate(CURRENT):
            b = R * b + (1 - R) * s
            threshold = 0.05 + beta * b
            v = A * v + (1 - A) * i - threshold * s
            s = float(v > threshold and t - fired > 2)
            fired = t if s else fired
            yield {"v": v, "s": s, "b": b, "wait": max(0, 2 - (t - fired))}

    return trace


def dexat(slow: float, quick: float) -> Callable[[], States]:
    def trace() -> States:
        v = 0.0
        s = 0.0
        b = 0.0
        c = 0.0
        fired = -9
        for t, i in enumerate(CURRENT):
            b = R * b + (1 - R) * s
            c = FAST * c + (1 - FAST) * s
            threshold = 0.05 + slow * b + quick * c
            v = A * v + (1 - A) * i - threshold * s
            s = float(v > threshold and t - fired > 2)
            fired = t if s else fired
            yield {"v": v, "s": s, "b": b, "b_fast": c, "wait": max(0, 2 - (t - fired))}

    return trace


def ahp(beta: float) -> Callable[[], States]:  # one refractory step
    def trace() -> States:
        v = 0.0
        s = 0.0
        a = 0.0
        fired = -9
        for t, i in enumerate(CURRENT):
            a = R * a + (1 - R) * s
            v = A * v + (1 - A) * (i - beta * a) - 0.05 * s
            s = float(v > 0.05 and t - fired > 1)
            fired = t if s else fired
            yield {"v": v, "s": s, "a": a, "wait": max(0, 1 - (t - fired))}

    return trace


def glif() -> States:
    # the default's initial values
    alpha = 0.55
    beta = 0.65
    gamma = 0.55
    tau = 0.25
    vth = 0.5
    leak = 0.0625
    revth = 0.5
    g = 0.5
    v = s = 0.0
    for i in (2 * i for i in CURRENT):
        conducted = i * (1 - beta * (1 - g))
        v = (1 - alpha * (1 - tau)) * v * (1 - gamma * s) - (1 - alpha) * leak + conducted - (1 - gamma) * revth * s
        s = float(v > vth)
        yield {"v": v, "s": s}


def leaky_readout() -> States:
    m = 0.0
    for i in CURRENT:
        m = 0.75 * m + 0.25 * i
        yield {"m": m}


def indrnn() -> States:  # u = -0.5: the recurrence inhibits
    h = 0.0
    for i in CURRENT:
        h = max(0.0, i - 0.5 * h)
        yield {"h": h}


class Case(NamedTuple):
    """``traces``: the equation of each neuron of the layer, all given the same current; ``spikes``: what they fire,
    found by hand."""

    neuron: Callable[[], Neuron]
    traces: tuple[Callable[[], States], ...]
    spikes: tuple[list[int], ...] = ()
    gain: float = 1.0  # of the current


def filled(neuron: Neuron, **values: float) -> Neuron:
    for name, value in values.items():
        torch.nn.init.constant_(getattr(neuron, name), value)
    return neuron


def contextual(embedding: str) -> Neuron:
    te = torch.nn.Parameter(torch.tensor([TE], dtype=torch.float64))
    return CELIF(1, CELIF.Config(steps=10, beta=0.5, embedding=embedding), te)


SHORT = {"adaptive": 0.5, "tau_v": 2.0, "tau_a": 5.0, "threshold": 0.05}
ALIF_SHORT = {"tau_m_std": 0.0, "tau_adp_std": 0.0, "tau_m": 2.0, "tau_adp": 5.0}
CASES = {
    "lif": Case(lambda: LIF(1, LIF.Config(leak=0.5)), (lif,), ([0, 1, 1, 1, 0, 0, 1, 0, 1, 0],)),
    "lif subtract": Case(
        lambda: LIF(1, LIF.Config(leak=0.5, reset="subtract")), (lif_subtract,), ([0, 1, 1, 1, 0, 0, 1, 0, 1, 0],)
    ),
    "plif": Case(lambda: PLIF(1, PLIF.Config(decay=0.75)), (plif,), ([0, 1, 1, 1, 0, 0, 1, 0, 1, 0],)),
    "plif original": Case(
        lambda: PLIF(1, PLIF.Config(threshold=1.0, scale_input=True, detach_reset=True, surrogate="arctan", width=2.0)),
        (plif_original,),
        ([0, 0, 1, 0, 0, 0, 0, 0, 0, 0],),
        4.0,
    ),
    "ltmd": Case(lambda: LTMD(1), (ltmd,), ([0, 0, 1, 1, 0, 0, 0, 0, 0, 0],)),
    "celif": Case(lambda: contextual("te*v"), (celif(lambda te, v, s: te * v),), ([0, 1, 1, 1, 0, 0, 1, 0, 0, 0],)),
    "celif te*s": Case(
        lambda: contextual("te*s"), (celif(lambda te, v, s: te * s),), ([0, 1, 0, 1, 0, 0, 1, 0, 0, 0],)
    ),
    "celif te+v": Case(
        lambda: contextual("te+v"), (celif(lambda te, v, s: te + v),), ([0, 1, 0, 0, 0, 0, 0, 0, 0, 0],)
    ),
    "celif te": Case(lambda: contextual("te"), (celif(lambda te, v, s: te),), ([0, 1, 0, 1, 0, 0, 1, 0, 0, 0],)),
    "celif v": Case(lambda: contextual("v"), (celif(lambda te, v, s: v, 2.5),), ([1, 0, 1, 0, 0, 0, 0, 0, 0, 0],), 2.5),
    "celif s": Case(lambda: contextual("s"), (celif(lambda te, v, s: s),), ([0, 1, 0, 0, 0, 0, 1, 0, 0, 0],)),
    "alif-celif": Case(
        lambda: ALIFCelif(1, ALIFCelif.Config(beta=0.5, gamma=0.2)), (alif_celif,), ([0, 1, 0, 1, 0, 0, 1, 0, 0, 0],)
    ),
    "alif": Case(
        lambda: ALIF(1, ALIF.Config(**ALIF_SHORT)),
        (alif,),
        ([1, 0, 0, 0, 0, 0, 1, 0, 0, 0],),
    ),
    "alif with the input whole": Case(
        lambda: ALIF(1, ALIF.Config(threshold=0.3, scale_input=False, b_start=0.01, **ALIF_SHORT)),
        (alif_whole_input,),
        ([0, 1, 0, 0, 0, 0, 1, 0, 0, 0],),
    ),
    "lsnn": Case(
        lambda: LSNN(2, LSNN.Config(refractory=2, **SHORT)),
        (lsnn(0.0), lsnn(1.8)),
        ([1, 0, 0, 1, 0, 0, 1, 0, 0, 1], [1, 0, 0, 0, 0, 0, 1, 0, 0, 0]),
    ),
    "dexat": Case(
        lambda: DEXAT(2, DEXAT.Config(refractory=2, tau_fast=3.0, **SHORT)),
        (dexat(0, 0), dexat(0.9, 0.9)),
        ([1, 0, 0, 1, 0, 0, 1, 0, 0, 1], [1, 0, 0, 0, 0, 0, 1, 0, 0, 0]),
    ),
    "ahp": Case(
        lambda: AHP(2, AHP.Config(**SHORT)),
        (ahp(0.0), ahp(1.8)),
        ([1, 0, 1, 0, 1, 0, 1, 0, 1, 0], [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    ),
    "glif": Case(lambda: GLIF(1, GLIF.Config(steps=10)), (glif,), ([0, 1, 0, 1, 0, 0, 1, 0, 0, 0],), 2.0),
    "glif layer-wise": Case(
        lambda: GLIF(1, GLIF.Config(steps=10, per_neuron=False)), (glif,), ([0, 1, 0, 1, 0, 0, 1, 0, 0, 0],), 2.0
    ),
    "leaky-readout": Case(lambda: filled(LeakyReadout(1), tau=math.log(3)), (leaky_readout,)),
    "indrnn": Case(lambda: filled(IndRNN(1), u=-0.5), (indrnn,)),
}


@pytest.mark.parametrize("name", list(dict.fromkeys([*NEURONS, *CASES])))
def test_ten_steps_from_the_equation(name: str) -> None:
    case = CASES[name]
    neuron = case.neuron().double()
    current = torch.tensor(CURRENT, dtype=torch.float64).reshape(-1, 1, 1).expand(-1, 1, neuron.size) * case.gain
    scanned = scan(neuron, current, record=neuron.State._fields, backend="loop")  # type: ignore[attr-defined]
    for k, trace in enumerate(case.traces):
        for t, expected in enumerate(trace()):
            assert {n: float(scanned.recorded[n][t, 0, k].detach()) for n in expected} == pytest.approx(
                expected, abs=1e-6
            ), (t, k)
    for k, spikes in enumerate(case.spikes):
        assert scanned.output[:, 0, k].tolist() == spikes
