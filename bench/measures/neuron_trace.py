"""The variables of single neurons over time (celif Figure 2).

Measure ``neuron-trace``: spikes per step of the most active neuron of the last layer of neurons, on the first test
sample. Series: one row for each step of each of the two most active neurons, with ``neuron``, ``t`` (from 0), ``spike``
and every variable of the neuron's state.
"""

from __future__ import annotations

import torch

from bench.measures.evaluation import batches
from bench.training.trained import NotApplicable, Reading, Trained
from lightning_modules.networks.dense import Dense
from lightning_modules.scan import Input


@torch.no_grad()
def neuron_trace(trained: Trained, protocol: str, neurons: int = 2) -> Reading:
    """Spikes per step of the most active neuron, with the traces of ``neurons`` of them as series. Raises
    ``NotApplicable`` if the last layer of neurons does not spike.
    """
    module = trained.module(protocol)
    network = module.network
    if not isinstance(network, Dense) or not network.stack[-1].neuron.spiking:
        raise NotApplicable("the last layer of neurons does not spike")
    x: Input = next(iter(batches(module, trained.data("test"))))[0]
    names = network.stack[-1].neuron.State._fields  # type: ignore[attr-defined]
    run = network.run(x, output=True, record=names)
    assert run.output is not None
    spikes = run.output[:, 0]
    rate = spikes.mean(0)
    series: dict[str, list] = {name: [] for name in ("neuron", "t", "spike", *names)}
    for neuron in rate.argsort(descending=True, stable=True)[:neurons].tolist():
        series["neuron"] += [neuron] * len(spikes)
        series["t"] += range(len(spikes))
        series["spike"] += spikes[:, neuron].int().tolist()
        for name in names:
            series[name] += run.recorded[name][:, 0, neuron].tolist()
    return Reading(float(rate.max()), series=series)
