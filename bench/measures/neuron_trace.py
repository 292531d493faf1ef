"""The variables of single neurons over time (celif Figure 2).

Measure ``neuron-trace``: spikes per step of the most active neuron of the last layer of neurons on the first test
sample. Series: one row a step for each of its two most active neurons: ``neuron``, ``t`` (from 0), ``spike`` and every
variable of the neuron's state.
"""

from __future__ import annotations

import torch

from bench.measures.evaluation import batches
from bench.training.trained import NotApplicable, Reading, Trained
from lightning_modules.networks.dense import Dense
from lightning_modules.scan import Input


@torch.no_grad()
def neuron_trace(kept: Trained, protocol: str, neurons: int = 2) -> Reading:
    """See above. Raises ``NotApplicable`` for a network that is no stack of spiking neurons."""
    module = kept.module(protocol)
    network = module.network
    if not isinstance(network, Dense) or not network.stack[-1].neuron.spiking:
        raise NotApplicable("the last layer of neurons does not spike")
    x: Input = next(iter(batches(module, kept.data("test"))))[0]
    names = network.stack[-1].neuron.State._fields  # type: ignore[attr-defined]
    done = network.run(x, output=True, record=names)
    assert done.output is not None
    spikes, rate = done.output[:, 0], done.output[:, 0].mean(0)
    series: dict[str, list] = {name: [] for name in ("neuron", "t", "spike", *names)}
    for neuron in rate.argsort(descending=True, stable=True)[:neurons].tolist():
        series["neuron"] += [neuron] * len(spikes)
        series["t"] += range(len(spikes))
        series["spike"] += spikes[:, neuron].int().tolist()
        for name in names:
            series[name] += done.recorded[name][:, 0, neuron].tolist()
    return Reading(float(rate.max()), series=series)
