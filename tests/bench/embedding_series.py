"""Made-up series of the measures of output neurons and of the embedding's periods."""

from __future__ import annotations

import math


def periods(seed: int) -> dict[str, list]:
    numbers = list(range(20, 41))
    return {"period": numbers, "before": [0.0] * 21, "after": [math.exp(-((p - 28) ** 2) / 8) for p in numbers]}


def trace(seed: int) -> dict[str, list]:
    rows = [(neuron, t) for neuron in range(10) for t in range(784)]
    v = [math.sin(t / 9 + neuron + seed) * 0.5 for neuron, t in rows]
    threshold = [0.3 + 0.2 * math.sin(t / 60 + neuron) for neuron, t in rows]
    return {
        "sample": [4] * 7840,
        "neuron": [neuron for neuron, _ in rows],
        "target": [int(neuron == 3) for neuron, _ in rows],
        "t": [t for _, t in rows],
        "pixel": [(t % 28) / 28 for _, t in rows],
        "spike": [int(a > b) for a, b in zip(v, threshold, strict=True)],
        "v": v,
        "threshold": threshold,
        "embedding": [0.01 * math.cos(t / 60 + neuron) for neuron, t in rows],
    }


def shares(seed: int) -> dict[str, list]:
    difference = [0.1 + 0.01 * math.sin(i + seed) for i in range(50)]
    return {"sample": [*range(50)], "target": [0.4] * 50, "others": [0.3] * 50, "difference": difference}
