"""Energy of one time step or one inference, from layer sizes and spike rates over the whole test set (Chen et al. 2023,
Table 4).

An accumulation (AC) costs 0.9 pJ, a multiplication with accumulation (MAC) 4.6 pJ. The measures ``energy…`` are in nJ;
``synops``, ``update-acs``, ``macs`` and ``spikes`` are the counts behind them. Series: a row for one time step and a
row for one inference.

There are two conventions. In "celif", the paper's, an analog input is free; in "honest" it costs one MAC for each
weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from bench.measures.evaluation import batches
from bench.measures.operations import CELLS, NEURONS
from bench.spec.measure import Measure
from bench.training.trained import NotApplicable, Reading, Trained
from lightning_modules.networks import Network
from lightning_modules.networks.rnn import RNN
from lightning_modules.neurons import Neuron
from lightning_modules.scan.operations import count as count_operations
from lightning_modules.scan.trace import NotFusable, trace

PJ_AC = 0.9  # energy of an accumulation in pJ
PJ_MAC = 4.6  # energy of a multiplication with accumulation in pJ
CONVENTIONS = ("celif", "honest")


class Counts(NamedTuple):
    """Numbers of operations: ``synops`` are ACs of arriving spikes, ``updates`` ACs of spikes in the neurons' own
    updates, ``macs`` multiplications. ``spikes`` is the number of spikes fired.
    """

    synops: float
    updates: float
    macs: float
    spikes: float = 0.0

    @property
    def picojoules(self) -> float:
        """Energy of all operations in pJ."""
        return PJ_AC * (self.synops + self.updates) + PJ_MAC * self.macs

    def times(self, factor: float) -> Counts:
        """All counts multiplied by ``factor``."""
        return Counts(*(factor * value for value in self))


def layer(form: str, m: int, n: int, rate_in: float = 0.0, rate_out: float = 0.0, recurrent: bool = True) -> Counts:
    """Operations of one hidden layer in a time step, by the formulas of Table 4 for ``form`` lstm, lif, alif or celif.

    ``m`` is the number of inputs, ``n`` that of neurons; rates are spikes per neuron and step. A ``recurrent`` layer
    also counts its n x n recurrent weights. An LSTM takes no rates.
    """
    if form == "lstm":
        return Counts(0.0, 0.0, 4 * (m * n + n * n) + CELLS["lstm"] * n)
    acs, macs = NEURONS[form]
    synops = m * n * rate_in + (n * n * rate_out if recurrent else 0.0)
    return Counts(synops, acs * n * rate_out, macs * n, n * rate_out)


def by_formula(form: str, widths: Sequence[int], rates: Sequence[float], recurrent: bool) -> Counts:
    """Operations of a network in a time step, by the formulas of Table 4 from given ``rates`` of its hidden layers.

    ``widths`` go from the inputs, which are analog and free, to the classes. A ``recurrent`` network recurs in every
    hidden layer, as the formulas have it.
    """
    sources = [0.0, *rates]
    hidden = zip(widths[:-2], widths[1:-1], sources, rates, strict=False)
    layers = [layer(form, m, n, rate_in, rate_out, recurrent) for m, n, rate_in, rate_out in hidden]
    classifier = Counts(widths[-2] * widths[-1] * rates[-1], 0.0, 0.0)
    return Counts(*map(sum, zip(*layers, classifier, strict=True)))


def value_of(measure: Measure, step: Counts, steps: int) -> float:
    """What ``measure``, one of this module, reads of the operations of a time ``step`` of an input of ``steps``."""
    quantity = measure.settings.get("quantity")
    if quantity:
        return float(getattr(step, quantity))
    factor = 1 if measure.settings["per"] == "step" else steps
    return step.times(factor).picojoules / 1000


def total(network: Network, rates: list[float], synops: float, steps: int, analog: bool, convention: str) -> Counts:
    """Operations of one inference of ``steps`` time steps.

    ``rates`` are the mean rates of the spiking layers, ``synops`` the synaptic operations of a sample; ``analog`` says
    whether the input is analog. Raises ``ValueError`` for an unknown ``convention`` and ``NotApplicable`` for a neuron
    whose operations are not known.
    """
    if convention not in CONVENTIONS:
        raise ValueError(f"convention {convention!r} is not one of {', '.join(CONVENTIONS)}")
    spiking = [neuron for neuron in network.neurons if neuron.spiking]
    if not spiking:
        units = CELLS[network.cell] * sum(network.widths) if isinstance(network, RNN) else 0
        return Counts(0.0, 0.0, network.dense_macs(steps) + units * steps)
    operations = [_operations(neuron) for neuron in network.neurons]
    acs = [own_acs for neuron, (own_acs, _) in zip(network.neurons, operations, strict=True) if neuron.spiking]
    fired = [rate * neuron.size * steps for rate, neuron in zip(rates, spiking, strict=True)]
    updates = sum(own_acs * spikes for own_acs, spikes in zip(acs, fired, strict=True))
    macs = (
        sum(own_macs * neuron.size for neuron, (_, own_macs) in zip(network.neurons, operations, strict=True)) * steps
    )
    if analog and convention == "honest":
        macs += network.dense_macs(steps)
    return Counts(synops, updates, macs, sum(fired))


def _operations(neuron: Neuron) -> tuple[int, int]:
    """ACs of each spike and MACs of each step of the update of ``neuron``: as the paper counts them or, where it is
    a plug-in's, as its traced step has them. Raises ``NotApplicable`` for a step that cannot be traced.
    """
    if neuron.name in NEURONS:
        return NEURONS[neuron.name]
    try:
        return count_operations(trace(neuron, neuron.drive(1), torch.float32))
    except NotFusable as error:
        raise NotApplicable(f"operations of {neuron.name} cannot be counted in its step ({error})") from None


class Activity(NamedTuple):
    """Of a test set: mean ``rates`` of the spiking layers, ``synops`` and ``steps`` of a sample, whether the input is
    ``analog``, and the number of ``samples``.
    """

    rates: list[float]
    synops: float
    steps: int
    analog: bool
    samples: int


_last_activity: dict[tuple[str, str], Activity] = {}  # several measures are read from one pass over the test set


@torch.no_grad()
def activity(trained: Trained, protocol: str) -> Activity:
    """Activity over the whole test set."""
    key = (trained.sha256, protocol)
    if key not in _last_activity:
        module = trained.module(protocol)
        sums = torch.zeros(0)
        samples = 0
        steps = 0
        analog = False
        for x, target in batches(module, trained.data("test")):
            _, observed = module.network.observe(x)  # type: ignore[arg-type]
            values = torch.stack([*observed.rates, observed.synops]).double().cpu() * len(target)
            sums = values + sums if len(sums) else values
            samples += len(target)
            steps = x.shape[0]
            entries = x if isinstance(x, Tensor) else x.values
            analog = analog or bool(((entries != 0) & (entries != 1)).any())
        *rates, synops = (sums / samples).tolist()
        _last_activity.clear()
        _last_activity[key] = Activity(rates, synops, steps, analog, samples)
    return _last_activity[key]


def _inference(trained: Trained, protocol: str, convention: str) -> tuple[Counts, Activity]:
    """Operations of one inference, and the activity that they are counted from."""
    test_set = activity(trained, protocol)
    network = trained.module(protocol, "cpu").network
    counts = total(network, test_set.rates, test_set.synops, test_set.steps, test_set.analog, convention)
    return counts, test_set


def energy(trained: Trained, protocol: str, convention: str = "celif", per: str = "step") -> Reading:
    """Energy in nJ of one time step or one inference (``per`` "step" or "inference"). Raises ``NotApplicable`` as
    ``total`` does.
    """
    inference, test_set = _inference(trained, protocol, convention)
    step = inference.times(1 / test_set.steps)
    series: dict[str, list] = {"steps": [1, test_set.steps]}
    for name in (*Counts._fields, "picojoules"):
        series[name] = [float(getattr(counts, name)) for counts in (step, inference)]
    value = (step if per == "step" else inference).picojoules / 1000
    return Reading(
        value, test_set.samples, energy_nj=value, energy_convention=f"{convention}, per {per}", series=series
    )


def count(trained: Trained, protocol: str, quantity: str, convention: str = "celif") -> Reading:
    """The mean of ``quantity``, a field of ``Counts``, in a time step. Raises ``NotApplicable`` as ``total`` does."""
    inference, test_set = _inference(trained, protocol, convention)
    return Reading(float(getattr(inference, quantity)) / test_set.steps, test_set.samples)
