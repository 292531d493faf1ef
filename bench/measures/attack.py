"""White-box attack on binary input (Liang et al. 2021; Yin et al. 2024, Figure 8).

Each step turns the gradient of the loss of the true class with respect to the input [T, B, N] into flips of single
spikes (gradient to spike, G2S). An entry with gradient g is chosen with probability |g| / max |g| of its sample; it
becomes 1 where g > 0 and 0 where g < 0. If the gradient of a sample is zero everywhere, or no entry changes, random
entries flip instead (random spike flip, RSF). The attack succeeds, and stops, as soon as another class than the true
one is the only largest output. The perturbation has no bound. A sample that is not fooled after ``steps`` steps is
attacked again from its own input, up to ``restarts`` times.

The attacked samples are test samples that are classified correctly, evenly spread over the test set. Their number is in
the measure's name:

- ``attack-500``: share of input entries flipped, mean over the successful attacks (= mean squared perturbation)
- ``attack-500-rms``: mean over the successful attacks of the square root of that share
- ``attack-500-success``: share of attacked samples for which an attack succeeded, in %

Series of ``attack-500``: one row for each sample, ``sample`` (row of the test set), ``class``, ``flipped`` (share of
entries, nan after a failure), ``taken_for`` (predicted class, -1 after a failure).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.measures.evaluation import batches
from bench.training.trained import NotApplicable, Reading, Trained
from lightning_modules.spiking import SpikingModule

SEED = 20240325
BATCH = 100  # samples attacked at a time
Classifier = Callable[
    [Tensor, Tensor], tuple[Tensor, Tensor]
]  # input [T, B, N], class [B] -> loss, scores [B, classes]


class Result(NamedTuple):
    """Of every attacked sample: its row of the test set, class, share of entries flipped (nan: not fooled) and
    predicted class (-1: not fooled).
    """

    sample: Tensor
    label: Tensor
    flipped: Tensor
    taken_for: Tensor


def attack(
    classify: Classifier, x: Tensor, label: Tensor, steps: int, gamma: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Attack ``x`` [T, B, N] of zeros and ones once.

    Gives the attacked input [T, B, N] and the predicted class [B] (-1: not fooled).
    """
    adversarial = x.clone()
    taken_for = torch.full_like(label, -1)
    active = torch.arange(len(label), device=label.device)
    for step in range(steps + 1):
        current = adversarial[:, active].requires_grad_()
        loss, scores = classify(current, label[active])
        best = scores.detach().max(-1)
        fooled = (best.indices != label[active]) & ((scores.detach() == best.values[:, None]).sum(-1) == 1)
        taken_for[active[fooled]] = best.indices[fooled]
        if step == steps or bool(fooled.all()):
            break
        (gradient,) = torch.autograd.grad(loss, current)
        active = active[~fooled]
        adversarial[:, active] = perturbed(current.detach()[:, ~fooled], gradient[:, ~fooled], gamma, generator)
    return adversarial, taken_for


def perturbed(x: Tensor, gradient: Tensor, gamma: float, generator: torch.Generator) -> Tensor:
    """One step from ``x`` [T, B, N]: G2S; in samples that G2S leaves as they are, RSF of every entry with probability
    ``gamma``.
    """
    size = gradient.abs()
    threshold = torch.rand(x.shape, generator=generator, device=x.device)
    chosen = threshold * size.amax((0, 2), keepdim=True) < size
    new = torch.where(chosen, (gradient > 0).to(x.dtype), x)
    stuck = (new == x).all(2).all(0)
    if bool(stuck.any()):
        flip = torch.rand(x[:, stuck].shape, generator=generator, device=x.device) < gamma
        new[:, stuck] = torch.where(flip, 1 - x[:, stuck], x[:, stuck])
    return new


def attack_with_restarts(
    classify: Classifier, x: Tensor, label: Tensor, steps: int, gamma: float, restarts: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Attack ``x`` [T, B, N], and start again from it up to ``restarts`` times for samples that are not fooled.

    Gives the share of entries flipped [B] (nan: not fooled) and the predicted class [B] (-1: not fooled).
    """
    share = torch.full(label.shape, torch.nan, device=x.device)
    taken_for = torch.full_like(label, -1)
    for _ in range(1 + restarts):
        remaining = (taken_for < 0).nonzero().flatten()
        if not len(remaining):
            break
        adversarial, taken_for[remaining] = attack(classify, x[:, remaining], label[remaining], steps, gamma, generator)
        changed = (adversarial != x[:, remaining]).float().mean((0, 2))
        share[remaining] = changed.where(taken_for[remaining] >= 0, torch.nan)
    return share, taken_for


_last_result: dict[tuple, Result] = {}  # three measures are read from one attack


def attacked(trained: Trained, protocol: str, samples: int, steps: int, gamma: float, restarts: int) -> Result:
    """Attack ``samples`` correctly classified test samples. Raises ``NotApplicable`` if there are none, or if the input
    has other values than 0 and 1.
    """
    key = (trained.experiment.id, trained.sha256, protocol, samples, steps, gamma, restarts)
    if key in _last_result:
        return _last_result[key]
    module = trained.module(protocol).requires_grad_(False)
    rows, x, label = _classified_correctly(module, trained, samples)
    generator = torch.Generator(x.device).manual_seed(SEED)

    def classify(x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        return module.objective(module(x), label, **module.loss_settings)

    results = [
        attack_with_restarts(classify, inputs, labels, steps, gamma, restarts, generator)
        for inputs, labels in zip(x.split(BATCH, 1), label.split(BATCH), strict=True)
    ]
    share, taken_for = (torch.cat(parts).cpu() for parts in zip(*results, strict=True))
    _last_result.clear()
    _last_result[key] = Result(rows, label.cpu(), share, taken_for)
    return _last_result[key]


@torch.no_grad()
def _classified_correctly(module: SpikingModule, trained: Trained, samples: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows [B], input [T, B, N] and classes [B] of correctly classified test samples, evenly spread."""
    data = trained.data("test")
    right = []
    for x, target in batches(module, data):
        right.append(module.objective(module(x), target, **module.loss_settings)[1].argmax(-1) == target)
    rows = torch.cat(right).nonzero().flatten().cpu()
    if not len(rows):
        raise NotApplicable("no test sample is classified correctly: there is nothing to attack")
    rows = rows[np.linspace(0, len(rows) - 1, min(samples, len(rows))).round().astype(int)]
    inputs: list[Tensor] = []
    labels: list[Tensor] = []
    first = 0
    for x, target in batches(module, data, dense=True):
        assert isinstance(x, Tensor)
        if not bool(((x == 0) | (x == 1)).all()):
            raise NotApplicable("the attack flips spikes: it needs an input of zeros and ones")
        in_batch = (rows[(rows >= first) & (rows < first + len(target))] - first).to(x.device)
        inputs.append(x[:, in_batch])
        labels.append(target[in_batch])
        first += len(target)
    return rows, torch.cat(inputs, 1), torch.cat(labels)


def flipped(trained: Trained, protocol: str, **settings: float) -> Reading:
    """Share of input entries flipped, mean over the successful attacks; the mean of its square root with the setting
    ``root``. Raises ``NotApplicable`` as ``attacked`` does, and if no attack succeeded.
    """
    root = settings.pop("root", False)
    result = attacked(trained, protocol, **settings)  # type: ignore[arg-type]
    success = result.taken_for >= 0
    if not bool(success.any()):
        raise NotApplicable("no attack succeeded: there is no perturbation to report")
    values = result.flipped[success].double()
    series = {
        "sample": result.sample.tolist(),
        "class": result.label.tolist(),
        "flipped": result.flipped.double().tolist(),
        "taken_for": result.taken_for.tolist(),
    }
    if root:
        return Reading(float(values.sqrt().mean()), len(values))
    return Reading(float(values.mean()), len(values), series=series)


def success(trained: Trained, protocol: str, **settings: float) -> Reading:
    """Share of attacked samples for which an attack succeeded, in %. Raises ``NotApplicable`` as ``attacked`` does."""
    result = attacked(trained, protocol, **settings)  # type: ignore[arg-type]
    return Reading(round(100 * float((result.taken_for >= 0).double().mean()), 4), len(result.label))
