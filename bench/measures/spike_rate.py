"""How often each neuron spikes (Yin et al. 2024, Figure 3).

Measure ``spike-rate``: spikes per neuron and step, mean over all neurons, steps and test samples. Series: one row a
neuron, ``layer`` (1 is the first, the last is the output where that spikes), ``neuron`` (from 0), ``rate`` (of this
neuron, mean over steps and test samples).
"""

from __future__ import annotations

import torch

from bench.measures.evaluation import rates
from bench.training.trained import Reading, Trained


def spike_rate(kept: Trained, protocol: str) -> Reading:
    """Over the whole test set. Raises ``NotApplicable`` for a model without spikes."""
    sums: list[torch.Tensor] = []
    seen = 0
    for layers, target in rates(kept, protocol):
        batch = [layer.double().sum(0).cpu() for layer in layers]
        sums = [a + b for a, b in zip(sums, batch, strict=True)] if sums else batch
        seen += len(target)
    found = [total / seen for total in sums]
    series = {
        "layer": [number for number, layer in enumerate(found, start=1) for _ in layer],
        "neuron": [neuron for layer in found for neuron in range(len(layer))],
        "rate": torch.cat(found).tolist(),
    }
    return Reading(float(torch.cat(found).mean()), seen, series=series)
