"""Energy of one time step or one inference, from layer sizes and spike rates over the whole test set (Chen et al. 2023,
Table 4).

An accumulation (AC) costs 0.9 pJ, a multiplication with accumulation (MAC) 4.6 pJ. Measures ``energy…`` in nJ,
``synops``, ``macs`` and ``spikes`` the raw counts behind them. Series: one row per time step and one per inference.

Two conventions: "celif", the paper's, in which an analog input is free, and "honest", in which it costs a MAC a weight.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from bench.measures.evaluation import batches
from bench.measures.operations import CELLS, NEURONS
from bench.training.trained import NotApplicable, Reading, Trained
from lightning_modules.networks import Network
from lightning_modules.networks.rnn import RNN

PJ_AC, PJ_MAC = 0.9, 4.6
CONVENTIONS = ("celif", "honest")


class Counts(NamedTuple):
    """Operations: ``synops`` ACs of arriving spikes, ``updates`` ACs of spikes in the neurons' own updates, ``macs``,
    ``spikes``.
    """

    synops: float
    updates: float
    macs: float
    spikes: float = 0.0

    @property
    def picojoules(self) -> float:
        return PJ_AC * (self.synops + self.updates) + PJ_MAC * self.macs

    def times(self, factor: float) -> Counts:
        return Counts(*(factor * value for value in self))


def layer(form: str, m: int, n: int, rate_in: float = 0.0, rate_out: float = 0.0, recurrent: bool = True) -> Counts:
    """One hidden layer's operations in a time step by the formulas of Table 4: ``form`` lstm, lif, alif or celif, ``m``
    inputs, ``n`` neurons, rates in spikes per neuron and step. An LSTM takes no rates; nn Fr_out is counted where the
    layer is ``recurrent``.
    """
    if form == "lstm":
        return Counts(0.0, 0.0, 4 * (m * n + n * n) + CELLS["lstm"] * n)
    acs, macs = NEURONS[form]
    synops = m * n * rate_in + (n * n * rate_out if recurrent else 0.0)
    return Counts(synops, acs * n * rate_out, macs * n, n * rate_out)


def total(network: Network, rates: list[float], synops: float, steps: int, analog: bool, convention: str) -> Counts:
    """Of one inference over ``steps``, from the mean ``rates`` of the spiking layers and the ``synops`` of a sample."""
    if convention not in CONVENTIONS:
        raise ValueError(f"convention {convention!r} is not one of {', '.join(CONVENTIONS)}")
    spiking = [neuron for neuron in network.neurons if neuron.spiking]
    if not spiking:
        units = CELLS[network.cell] * sum(network.widths) if isinstance(network, RNN) else 0
        return Counts(0.0, 0.0, network.dense_macs(steps) + units * steps)
    if unknown := {neuron.name for neuron in network.neurons} - set(NEURONS):
        raise NotApplicable(
            f"operations of {', '.join(sorted(unknown))} are not counted in bench.measures.operations.NEURONS"
        )
    fired = [rate * neuron.size * steps for rate, neuron in zip(rates, spiking, strict=True)]
    updates = sum(NEURONS[neuron.name][0] * spikes for neuron, spikes in zip(spiking, fired, strict=True))
    macs = sum(NEURONS[neuron.name][1] * neuron.size for neuron in network.neurons) * steps
    if analog and convention == "honest":
        macs += network.dense_macs(steps)
    return Counts(synops, updates, macs, sum(fired))


_SEEN: dict[tuple[str, str], tuple[list[float], float, int, bool, int]] = {}  # the same test set serves every measure


@torch.no_grad()
def activity(kept: Trained, protocol: str) -> tuple[list[float], float, int, bool, int]:
    """Over the whole test set: mean rate of each spiking layer, synaptic operations and steps of a sample, whether the
    input is analog, and the number of samples.
    """
    key = (kept.sha256, protocol)
    if key not in _SEEN:
        module = kept.module(protocol)
        sums, seen, analog, steps = torch.zeros(0), 0, False, 0
        for x, target in batches(module, kept.data("test")):
            _, found = module.network.observe(x)  # type: ignore[arg-type]
            values = torch.stack([*found.rates, found.synops]).double().cpu() * len(target)
            sums, seen, steps = values + sums if len(sums) else values, seen + len(target), x.shape[0]
            numbers = x if isinstance(x, Tensor) else x.values
            analog = analog or bool(((numbers != 0) & (numbers != 1)).any())
        *rates, synops = (sums / seen).tolist()
        _SEEN.clear()
        _SEEN[key] = rates, synops, steps, analog, seen
    return _SEEN[key]


def _counts(kept: Trained, protocol: str, convention: str) -> tuple[Counts, int, int]:
    rates, synops, steps, analog, seen = activity(kept, protocol)
    return total(kept.module(protocol, "cpu").network, rates, synops, steps, analog, convention), steps, seen


def energy(kept: Trained, protocol: str, convention: str = "celif", per: str = "step") -> Reading:
    """In nJ, of one time ``per`` "step" or one "inference". Raises ``NotApplicable`` for a neuron whose operations are
    not known.
    """
    whole, steps, seen = _counts(kept, protocol, convention)
    parts = [(1, whole.times(1 / steps)), (steps, whole)]
    series: dict[str, list] = {"steps": [n for n, _ in parts]}
    series |= {name: [float(getattr(c, name)) for _, c in parts] for name in (*Counts._fields, "picojoules")}
    value = (parts[0] if per == "step" else parts[1])[1].picojoules / 1000
    return Reading(value, seen, energy_nj=value, energy_convention=f"{convention}, per {per}", series=series)


def count(kept: Trained, protocol: str, what: str, convention: str = "celif") -> Reading:
    """One of the raw counts (``Counts``) of a time step."""
    whole, steps, seen = _counts(kept, protocol, convention)
    return Reading(float(getattr(whole, what)) / steps, seen)
