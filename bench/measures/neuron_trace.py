"""The variables of CE-LIF output neurons over time (celif Figure 2).

The target neuron is that of the sample's class. The contextual embedding of step t is TE[t] V[t-1]. Measures:

- ``neuron-trace``: spikes per step of the target neuron, on the first test sample that the network decides right.
  Series: one row for each step of each output neuron, with ``sample`` (row of the test set), ``neuron``, ``target``
  (1 for the target neuron), ``t`` (from 0), ``pixel`` (the input at this step), ``spike``, ``v``, ``threshold`` and
  ``embedding``, rounded.
- ``trace-share``: share of steps with a negative embedding in the target neuron minus its mean in the other output
  neurons, over the first 1,000 test samples that the network decides right. Series: ``sample``, ``target`` and
  ``others`` (the two shares), ``difference``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from bench.measures.evaluation import batches
from bench.training.trained import NotApplicable, Reading, Trained
from lightning_modules.networks.dense import Dense
from lightning_modules.neurons.celif import CELIF, EMBEDDINGS


class Traces(NamedTuple):
    """The output neurons on the samples of a batch that the network decides right."""

    sample: Tensor  # row of the test set [B]
    label: Tensor  # class [B]
    pixel: Tensor  # first input [T, B]
    spike: Tensor  # [T, B, N], as all that follow
    v: Tensor
    threshold: Tensor
    embedding: Tensor


def contextual_embedding(neuron: CELIF, recorded: dict[str, Tensor]) -> Tensor:
    """TE[t] V[t-1], or what ``neuron`` has in its place, from the states ``recorded`` over time, each [T, B, N]."""
    drive = neuron.drive(len(recorded["v"]))
    te = drive["te"][:, None] if drive else None
    v, s = (torch.cat([torch.zeros_like(recorded[name][:1]), recorded[name][:-1]]) for name in ("v", "s"))
    state = CELIF.State(v, s, recorded["theta"])  # no embedding reads the threshold
    return EMBEDDINGS[neuron.config.embedding](te, state).expand_as(recorded["v"])


@torch.no_grad()
def _traces(trained: Trained, protocol: str) -> Iterator[Traces]:
    """The traces of every test batch with a sample decided right. Raises ``NotApplicable`` unless the output layer is
    CE-LIF and starts with V = 0.
    """
    module = trained.module(protocol)
    network = module.network
    if not isinstance(network, Dense) or network.head is not None or not isinstance(network.stack[-1].neuron, CELIF):
        raise NotApplicable("the output layer is not CE-LIF")
    if network.start != "own":
        raise NotApplicable(f"the neurons start with random states (start {network.start!r})")
    neuron = network.stack[-1].neuron
    first = 0
    for x, target in batches(module, trained.data("test"), dense=True):
        assert isinstance(x, Tensor)
        run = network.run(x, output=True, record=CELIF.State._fields)
        assert run.output is not None
        scores = module.objective(network.read_out(run), target, **module.loss_settings)[1]
        right = (scores.argmax(-1) == target).nonzero().flatten()
        if len(right):
            states = run.recorded
            series = (run.output, states["v"], states["theta"], contextual_embedding(neuron, states))
            yield Traces(
                first + right.cpu(), target[right].cpu(), x[:, right, 0].cpu(), *(s[:, right].cpu() for s in series)
            )
        first += len(target)


def _none_right() -> NotApplicable:
    return NotApplicable("no test sample is decided right: there is no target neuron that decides")


def neuron_trace(trained: Trained, protocol: str) -> Reading:
    """Spikes per step of the target neuron, with the traces of all output neurons as series.

    Raises ``NotApplicable`` unless the output layer is CE-LIF, and if no test sample is decided right.
    """
    traces = next(_traces(trained, protocol), None)
    if traces is None:
        raise _none_right()
    sample = int(traces.sample[0])
    label = int(traces.label[0])
    spikes = traces.spike[:, 0]
    steps, neurons = spikes.shape
    pixel = _rounded(traces.pixel[:, 0], 3)
    series: dict[str, list] = {
        "sample": [sample] * (steps * neurons),
        "neuron": [neuron for neuron in range(neurons) for _ in range(steps)],
        "target": [int(neuron == label) for neuron in range(neurons) for _ in range(steps)],
        "t": list(range(steps)) * neurons,
        "pixel": pixel * neurons,
        "spike": spikes.t().flatten().int().tolist(),
        "v": _rounded(traces.v[:, 0].t(), 4),
        "threshold": _rounded(traces.threshold[:, 0].t(), 4),
        "embedding": _rounded(traces.embedding[:, 0].t(), 4),
    }
    return Reading(float(spikes[:, label].mean()), series=series)


def _rounded(values: Tensor, digits: int) -> list[float]:
    """``values`` in a row; 0 for whatever rounds to it, without a sign."""
    return [round(value, digits) + 0.0 for value in values.flatten().tolist()]


def negative_share(trained: Trained, protocol: str, samples: int = 1000) -> Reading:
    """Share of steps with a negative contextual embedding in the target neuron minus that in the others, over the
    first ``samples`` test samples that are decided right. Raises ``NotApplicable`` as ``neuron_trace`` does.
    """
    columns: dict[str, list] = {"sample": [], "target": [], "others": []}
    for traces in _traces(trained, protocol):
        negative = (traces.embedding < 0).double().mean(0)  # [B, N]
        target = negative.gather(1, traces.label[:, None])[:, 0]
        others = (negative.sum(1) - target) / (negative.shape[1] - 1)
        for name, values in zip(columns, (traces.sample, target, others), strict=True):
            columns[name] += values.tolist()
        if len(columns["sample"]) >= samples:
            break
    if not columns["sample"]:
        raise _none_right()
    columns = {name: values[:samples] for name, values in columns.items()}
    columns["difference"] = [a - b for a, b in zip(columns["target"], columns["others"], strict=True)]
    count = len(columns["sample"])
    return Reading(sum(columns["difference"]) / count, count, series=columns)
