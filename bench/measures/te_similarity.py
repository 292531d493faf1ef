"""Cosine similarity between the columns of CE-LIF's temporal embedding (celif Figure 7).

It tells whether steps 28 apart, at which pixels of one column of the image are read, get similar embeddings. Measure
``te-similarity``: mean similarity at lags 28 k minus that at lags 28 k + 14 after training, k >= 1. Series: ``lag``,
``before`` (as the seed initialised the network) and ``after``, means over all pairs of steps with this lag. Measure
``te-similarity-matrix``: the same value. Series: ``i``, ``j`` (i <= j, blocks of 7 steps), ``before``, ``after``, means
over the pairs of steps of two blocks.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bench.training.trained import NotApplicable, Reading, Trained
from lightning_modules.spiking import SpikingModule


def similarity(te: Tensor) -> Tensor:
    """Cosine of the angle between the columns of ``te``: ``[N, T] -> [T, T]``."""
    columns = functional.normalize(te.detach().double(), dim=0)
    return columns.t() @ columns


def by_lag(matrix: Tensor) -> list[float]:
    """Mean over each diagonal of a matrix [T, T], for lags 0 to T - 1."""
    return [float(matrix.diagonal(lag).mean()) for lag in range(len(matrix))]


def score(lags: list[float], period: int) -> float:
    """Mean similarity at lags that are multiples of ``period`` minus the mean half a period later. Raises
    ``ValueError`` for fewer lags than one period and a half.
    """
    offset = period + period // 2
    off_period = lags[offset::period]
    if not off_period:
        raise ValueError(f"a period of {period} needs more than {offset} steps, TE has {len(lags)}")
    on_period = lags[period::period][: len(off_period)]
    return sum(on_period) / len(on_period) - sum(off_period) / len(off_period)


def _embedding(module: SpikingModule) -> Tensor:
    """The temporal embedding [N, T] of the first layer that has one."""
    for name, parameter in module.network.named_parameters():
        if name.endswith(".te"):
            return parameter.cpu()
    raise NotApplicable("a model without a temporal embedding")


def te_similarity(trained: Trained, protocol: str, period: int = 28, block: int = 0) -> Reading:
    """Similarity at multiples of ``period`` minus that in between.

    The series is the matrix in blocks of ``block`` steps, or without ``block`` the means by lag. Raises
    ``NotApplicable`` for a model without a temporal embedding.
    """
    after = similarity(_embedding(trained.module(protocol, "cpu")))
    seed = trained.experiment.seed
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # as before training
        before = similarity(_embedding(SpikingModule({**trained.experiment.config, "seed": seed})))
    lags = by_lag(after)
    if not block:
        return Reading(
            score(lags, period), series={"lag": list(range(len(lags))), "before": by_lag(before), "after": lags}
        )
    blocks_before, blocks_after = (functional.avg_pool2d(m[None, None], block)[0, 0] for m in (before, after))
    i, j = torch.triu_indices(*blocks_after.shape)
    series = {
        "i": i.tolist(),
        "j": j.tolist(),
        "before": blocks_before[i, j].tolist(),
        "after": blocks_after[i, j].tolist(),
    }
    return Reading(score(lags, period), series=series)
