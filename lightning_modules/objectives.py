"""Loss and decision from a network's output over time. Each takes the output ``[T, B, classes]`` and targets: class
indices ``[B]``, or ``[B, T]`` where every step has its own; numbers ``[B]`` in regression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

# -> loss [], scores [B, classes] ([B, T, classes]): the decision is the largest; in regression the prediction [B]
Objective = Callable[..., tuple[Tensor, Tensor]]


def mse_rate(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared error of the mean output over time against the one-hot label (public code of the roles lab)."""
    rate = output.mean(0)
    return F.mse_loss(rate, F.one_hot(target, output.shape[2]).to(rate.dtype)), rate


def softmax_sum_ce(output: Tensor, target: Tensor, first: int) -> tuple[Tensor, Tensor]:
    """Cross-entropy on the softmax (a double softmax, as in the public DH-SNN code), summed over the steps from
    ``first`` on.

    The decision is by the mean output over the same steps.
    """
    if first >= output.shape[0]:
        raise ValueError(f"the loss starts at step {first}, the sequence has {output.shape[0]}")
    late = output[first:]
    steps = late.shape[0]
    losses = F.cross_entropy(torch.softmax(late, -1).flatten(0, 1), target.repeat(steps))
    return losses * steps, late.mean(0)


def sum_softmax_ce(output: Tensor, target: Tensor, first: int = 0) -> tuple[Tensor, Tensor]:
    """Cross-entropy on the softmax of the output, summed over the steps from ``first`` on (DH-SNN code for SHD)."""
    if first >= output.shape[0]:
        raise ValueError(f"the loss starts at step {first}, the sequence has {output.shape[0]}")
    total = torch.softmax(output[first:], -1).sum(0)
    return F.cross_entropy(total, target), total


def mean_ce(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the mean output over time (logits)."""
    logits = output.mean(0)
    return F.cross_entropy(logits, target), logits


def sum_ce(output: Tensor, target: Tensor, first: int = 0) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the output (spikes: their count) summed over the steps from ``first`` on (Yin et al.)."""
    if first >= output.shape[0]:
        raise ValueError(f"the loss starts at step {first}, the sequence has {output.shape[0]}")
    logits = output[first:].sum(0)
    return F.cross_entropy(logits, target), logits


def step_ce(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy at every step, averaged over steps (copy memory, Chen et al. 2023, supplement)."""
    scores = output.transpose(0, 1)
    return F.cross_entropy(scores.flatten(0, 1), target.flatten()), scores


def last_mse(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared error of the last step's single output against a number (adding problem, Chen et al. 2023)."""
    prediction = output[-1].squeeze(-1)
    return F.mse_loss(prediction, target), prediction


OBJECTIVES: dict[str, Objective] = {
    "mse-rate": mse_rate,
    "softmax-sum-ce": softmax_sum_ce,
    "sum-softmax-ce": sum_softmax_ce,
    "mean-ce": mean_ce,
    "sum-ce": sum_ce,
    "step-ce": step_ce,
    "last-mse": last_mse,
}


def scores(loss: str, output: Tensor, **settings: Any) -> Tensor:
    """What the objective ``loss`` decides by, from the output ``[T, B, classes]`` alone: scores ``[B, classes]``, or
    ``[B, T, classes]`` with a decision at every step; in regression the prediction ``[B]``.
    """
    steps, batch = output.shape[:2]
    shape = (batch, steps) if loss == "step-ce" else (batch,)
    kind = output.dtype if loss == "last-mse" else torch.long
    unused = torch.zeros(shape, dtype=kind, device=output.device)  # no score depends on the target
    return OBJECTIVES[loss](output, unused, **settings)[1]
