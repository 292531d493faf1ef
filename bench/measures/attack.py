"""White-box attack on binary input (Liang et al. 2021; Yin et al. 2024, Figure 8).

Step by step the gradient of the loss of the true class with respect to the input [T, B, N] becomes flips of single
spikes (gradient to spike, G2S): an entry with gradient g is taken with probability |g| / max |g| of its sample, and set
to 1 where g > 0, to 0 where g < 0. Where the gradient is zero everywhere, or nothing changes, random entries flip
instead (random spike flip, RSF). It has succeeded when another class than the true one is the only largest output, and
stops there. There is no bound on the perturbation; a sample that is not fooled after ``steps`` steps is attacked again
from its own input, up to ``restarts`` times.

Measures, of test samples that are classified correctly (their number is in the name), evenly spread over the test set:
``attack-500`` is the share of input entries flipped, mean over the samples where the attack succeeds (= mean squared
perturbation); ``attack-500-rms`` the mean of its square root per sample; ``attack-500-success`` the share of samples
where it succeeds, in %. Series of ``attack-500``: one row a sample, ``sample`` (row of the test set), ``class``,
``flipped`` (share of entries, nan where it failed), ``taken_for`` (class, -1).
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
TOGETHER = 100  # samples attacked at a time
Judge = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # input [T, B, N], class [B] -> loss, scores [B, classes]


class Result(NamedTuple):
    """Of every attacked sample: its row of the test set, class, share of entries flipped (nan: no success), class it is
    taken for (-1).
    """

    sample: Tensor
    label: Tensor
    flipped: Tensor
    taken_for: Tensor


def attack(
    judge: Judge, x: Tensor, label: Tensor, steps: int, gamma: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Attack ``x`` [T, B, N] of zeros and ones once. The attacked input and, per sample, the class it is taken for (-1:
    not fooled).
    """
    adversarial, taken_for = x.clone(), torch.full_like(label, -1)
    active = torch.arange(len(label), device=label.device)
    for step in range(steps + 1):
        current = adversarial[:, active].requires_grad_()
        loss, scores = judge(current, label[active])
        best = scores.detach().max(-1)
        fooled = (best.indices != label[active]) & ((scores.detach() == best.values[:, None]).sum(-1) == 1)
        taken_for[active[fooled]] = best.indices[fooled]
        if step == steps or bool(fooled.all()):
            break
        (gradient,) = torch.autograd.grad(loss, current)
        keep = ~fooled
        active, current = active[keep], current.detach()[:, keep]
        adversarial[:, active] = perturbed(current, gradient[:, keep], gamma, generator)
    return adversarial, taken_for


def perturbed(x: Tensor, gradient: Tensor, gamma: float, generator: torch.Generator) -> Tensor:
    """One step from ``x`` [T, B, N]: G2S, or RSF with probability ``gamma`` of an entry in samples that G2S leaves as
    they are.
    """
    size = gradient.abs()
    chance = torch.rand(x.shape, generator=generator, device=x.device)
    taken = chance * size.amax((0, 2), keepdim=True) < size
    new = torch.where(taken, (gradient > 0).to(x.dtype), x)
    stuck = (new == x).all(2).all(0)
    if bool(stuck.any()):
        flip = torch.rand(x[:, stuck].shape, generator=generator, device=x.device) < gamma
        new[:, stuck] = torch.where(flip, 1 - x[:, stuck], x[:, stuck])
    return new


def repeated(
    judge: Judge, x: Tensor, label: Tensor, steps: int, gamma: float, restarts: int, generator: torch.Generator
) -> tuple:
    """Attack, and start again from ``x`` up to ``restarts`` times where it failed.

    Per sample: share of entries flipped (nan: never succeeded), class it is taken for (-1).
    """
    share, taken_for = torch.full(label.shape, torch.nan, device=x.device), torch.full_like(label, -1)
    for _ in range(1 + restarts):
        left = (taken_for < 0).nonzero().flatten()
        if not len(left):
            break
        adversarial, taken_for[left] = attack(judge, x[:, left], label[left], steps, gamma, generator)
        share[left] = (adversarial != x[:, left]).float().mean((0, 2)).where(taken_for[left] >= 0, torch.nan)
    return share, taken_for


_last: dict[tuple, Result] = {}  # three measures are read from one attack


def attacked(kept: Trained, protocol: str, samples: int, steps: int, gamma: float, restarts: int) -> Result:
    """Attack ``samples`` correctly classified test samples. Raises ``NotApplicable`` where there are none, or the input
    is not 0 and 1.
    """
    key = (kept.experiment.id, kept.sha256, protocol, samples, steps, gamma, restarts)
    if key in _last:
        return _last[key]
    module = kept.module(protocol).requires_grad_(False)
    chosen, x, label = _correct(module, kept, samples)
    generator = torch.Generator(x.device).manual_seed(SEED)

    def judge(x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        return module.objective(module(x), label, **module.loss_settings)

    found = [
        repeated(judge, part, label[i : i + TOGETHER], steps, gamma, restarts, generator)
        for i, part in zip(range(0, len(label), TOGETHER), x.split(TOGETHER, 1), strict=True)
    ]
    _last.clear()
    _last[key] = Result(
        chosen, label.cpu(), torch.cat([f for f, _ in found]).cpu(), torch.cat([t for _, t in found]).cpu()
    )
    return _last[key]


@torch.no_grad()
def _correct(module: SpikingModule, kept: Trained, samples: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, input [T, B, N] and classes of correctly classified test samples, evenly spread."""
    data = kept.data("test")
    right = []
    for x, target in batches(module, data):
        right.append(module.objective(module(x), target, **module.loss_settings)[1].argmax(-1) == target)
    rows = torch.cat(right).nonzero().flatten().cpu()
    if not len(rows):
        raise NotApplicable("no test sample is classified correctly: there is nothing to attack")
    rows = rows[np.linspace(0, len(rows) - 1, min(samples, len(rows))).round().astype(int)]
    inputs, labels, first = [], [], 0
    for x, target in batches(module, data, dense=True):
        assert isinstance(x, Tensor)
        if not bool(((x == 0) | (x == 1)).all()):
            raise NotApplicable("the attack flips spikes: it needs an input of zeros and ones")
        here = rows[(rows >= first) & (rows < first + len(target))] - first
        inputs.append(x[:, here.to(x.device)])
        labels.append(target[here.to(x.device)])
        first += len(target)
    return rows, torch.cat(inputs, 1), torch.cat(labels)


def flipped(kept: Trained, protocol: str, **settings: float) -> Reading:
    """Share of entries flipped, mean over successes; its square root instead with the setting ``root``."""
    root = settings.pop("root", False)
    result = attacked(kept, protocol, **settings)  # type: ignore[arg-type]
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
    return Reading(float((values.sqrt() if root else values).mean()), len(values), series={} if root else series)


def success(kept: Trained, protocol: str, **settings: float) -> Reading:
    """Share of attacked samples for which an attack succeeded, in %."""
    result = attacked(kept, protocol, **settings)  # type: ignore[arg-type]
    return Reading(round(100 * float((result.taken_for >= 0).double().mean()), 4), len(result.label))
