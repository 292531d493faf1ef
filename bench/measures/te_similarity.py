"""Cosine similarity between the columns of CE-LIF's temporal embedding (celif Figure 7): do steps below each other in
the image meet?

Measure ``te-similarity``: mean similarity at lags 28 k minus that at lags 28 k + 14 after training, k >= 1. Series:
``lag``, ``before`` (as the seed made the network) and ``after``, means over all pairs of steps that far apart. Measure
``te-similarity-matrix``: the same value; series ``i``, ``j`` (i <= j, blocks of 7 steps), ``before``, ``after``, means
over the blocks' pairs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bench.training.trained import NotApplicable, Reading, Trained
from lightning_modules.spiking import SpikingModule


def similarity(te: Tensor) -> Tensor:
    """``[N, T] -> [T, T]``, cosine of the angle between columns."""
    columns = functional.normalize(te.detach().double(), dim=0)
    return columns.t() @ columns


def by_lag(matrix: Tensor) -> list[float]:
    """Mean over each diagonal, lags 0 to T - 1."""
    return [float(matrix.diagonal(lag).mean()) for lag in range(len(matrix))]


def score(lags: list[float], period: int) -> float:
    """Mean at multiples of ``period`` minus mean half a period later. Raises ``ValueError`` for fewer lags than
    that.
    """
    whole, half = lags[period::period], lags[period + period // 2 :: period]
    if not half:
        raise ValueError(f"a period of {period} needs more than {period + period // 2} steps, TE has {len(lags)}")
    whole = whole[: len(half)]
    return sum(whole) / len(whole) - sum(half) / len(half)


def _te(module: SpikingModule) -> Tensor:
    found = [p for name, p in module.network.named_parameters() if name.endswith(".te")]
    if not found:
        raise NotApplicable("a model without a temporal embedding")
    return found[0].cpu()


def te_similarity(kept: Trained, protocol: str, period: int = 28, block: int = 0) -> Reading:
    """See above; with ``block`` the matrix, without it the lags."""
    after = similarity(_te(kept.module(protocol, "cpu")))
    seed = kept.experiment.seed
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # as before training
        before = similarity(_te(SpikingModule({**kept.experiment.config, "seed": seed})))
    lags = by_lag(after)
    if not block:
        return Reading(
            score(lags, period), series={"lag": list(range(len(lags))), "before": by_lag(before), "after": lags}
        )
    small = [functional.avg_pool2d(m[None, None], block)[0, 0] for m in (before, after)]
    i, j = torch.triu_indices(*small[0].shape)
    series = {"i": i.tolist(), "j": j.tolist(), "before": small[0][i, j].tolist(), "after": small[1][i, j].tolist()}
    return Reading(score(lags, period), series=series)
