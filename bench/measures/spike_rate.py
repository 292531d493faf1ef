"""How often each neuron spikes (Yin et al. 2024, Figure 3).

Measure ``spike-rate``: spikes per neuron and step, mean over all neurons, steps and test samples. Series: one row for
each neuron, ``layer`` (from 1; the last is the output if that spikes), ``neuron`` (from 0), ``rate`` (mean over steps
and test samples).
"""

from __future__ import annotations

import torch

from bench.measures.evaluation import rates
from bench.training.trained import Reading, Trained


def spike_rate(trained: Trained, protocol: str) -> Reading:
    """Mean spike rate over the whole test set. Raises ``NotApplicable`` as ``evaluation.rates`` does."""
    sums: list[torch.Tensor] = []
    samples = 0
    for layers, target in rates(trained, protocol):
        batch = [layer.double().sum(0).cpu() for layer in layers]
        sums = [a + b for a, b in zip(sums, batch, strict=True)] if sums else batch
        samples += len(target)
    means = [total / samples for total in sums]
    series = {
        "layer": [number for number, layer in enumerate(means, start=1) for _ in layer],
        "neuron": [neuron for layer in means for neuron in range(len(layer))],
        "rate": torch.cat(means).tolist(),
    }
    return Reading(float(torch.cat(means).mean()), samples, series=series)
