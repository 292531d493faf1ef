"""Cosine similarity between the columns of CE-LIF's temporal embedding (celif Figure 7).

It tells whether steps 28 apart, at which pixels of one column of the image are read, get similar embeddings.
"Before" is the embedding as the seed initialised the network, "after" the trained one.

The score of a period p is the similarity at lag kp minus the mean of the similarities at kp - p/2 and kp + p/2,
averaged over k = 1 to 6. A similarity that falls evenly with the lag scores 0. Measures:

- ``te-similarity``: score of 28 minus the largest score of the other periods from 20 to 40, after training. Series:
  ``lag``, ``before``, ``after``, means over all pairs of steps with this lag.
- ``te-similarity-matrix``: the same value. Series: ``i``, ``j`` (i <= j, blocks of 7 steps), ``before``, ``after``,
  means over the pairs of steps of two blocks.
- ``te-period-scores``: the period from 20 to 40 with the largest score, after training. Series: ``period``, ``before``,
  ``after``, the score of each.
- ``te-before``: mean absolute similarity of two different steps, before training.
- ``te-late``: mean similarity with earlier steps, in the last quarter of the steps minus that in the first, after
  training. With ``-equal-lags`` in the name only pairs within the quarter count: the first quarter has no long lags,
  and similarity falls with the lag.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bench.training.trained import NotApplicable, Reading, Trained
from lightning_modules.spiking import SpikingModule

ROWS = 6  # multiples of a period that its score is the mean of
SHORTEST = 20  # periods that are compared, in steps
LONGEST = 40


def similarity(te: Tensor) -> Tensor:
    """Cosine of the angle between the columns of ``te``: ``[N, T] -> [T, T]``."""
    columns = functional.normalize(te.detach().double(), dim=0)
    return columns.t() @ columns


def by_lag(matrix: Tensor) -> list[float]:
    """Mean over each diagonal of a matrix [T, T], for lags 0 to T - 1."""
    return [float(matrix.diagonal(lag).mean()) for lag in range(len(matrix))]


def score(lags: list[float], period: int) -> float:
    """Mean similarity at the first multiples of ``period``, each minus the mean of its neighbours half a period away.

    Up to ``ROWS`` multiples count, as many as have both neighbours. Half an odd period lies between two lags: the
    similarity there is their mean. Raises ``ValueError`` for fewer lags than one period and a half.
    """
    offset = (period + 1) // 2
    multiples = range(period, len(lags) - offset, period)[:ROWS]
    if not multiples:
        raise ValueError(f"a period of {period} needs more than {period + offset} steps, TE has {len(lags)}")
    halves = (period // 2, offset)
    peaks = [
        lags[lag] - sum(lags[lag - half] + lags[lag + half] for half in halves) / (2 * len(halves)) for lag in multiples
    ]
    return sum(peaks) / len(peaks)


def scores(lags: list[float], shortest: int = SHORTEST, longest: int = LONGEST) -> dict[int, float]:
    """The score of every period from ``shortest`` to ``longest``. Raises ``ValueError`` as ``score`` does."""
    return {period: score(lags, period) for period in range(shortest, longest + 1)}


def distinction(scores: dict[int, float], period: int) -> float:
    """The score of ``period`` minus the largest of the other periods."""
    return scores[period] - max(value for other, value in scores.items() if other != period)


def _embedding(module: SpikingModule) -> Tensor:
    """The temporal embedding [N, T] of the first layer that has one."""
    for name, parameter in module.network.named_parameters():
        if name.endswith(".te"):
            return parameter.cpu()
    raise NotApplicable("a model without a temporal embedding")


def _after(trained: Trained, protocol: str) -> Tensor:
    """Similarities [T, T] after training. Raises ``NotApplicable`` for a model without a temporal embedding."""
    return similarity(_embedding(trained.module(protocol, "cpu")))


def _before(trained: Trained) -> Tensor:
    """Similarities [T, T] as training began with them. Raises ``NotApplicable`` as ``_after`` does."""
    seed = trained.experiment.seed
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # as before training
        return similarity(_embedding(SpikingModule({**trained.experiment.config, "seed": seed})))


def te_similarity(
    trained: Trained, protocol: str, period: int = 28, shortest: int = SHORTEST, longest: int = LONGEST, block: int = 0
) -> Reading:
    """How far ``period`` stands out from the other periods from ``shortest`` to ``longest``.

    The series is the matrix in blocks of ``block`` steps, or without ``block`` the means by lag. Raises
    ``NotApplicable`` for a model without a temporal embedding, ``ValueError`` for one of too few steps.
    """
    after = _after(trained, protocol)
    before = _before(trained)
    lags = by_lag(after)
    value = distinction(scores(lags, shortest, longest), period)
    if not block:
        return Reading(value, series={"lag": list(range(len(lags))), "before": by_lag(before), "after": lags})
    blocks_before, blocks_after = (functional.avg_pool2d(m[None, None], block)[0, 0] for m in (before, after))
    i, j = torch.triu_indices(*blocks_after.shape)
    series = {
        "i": i.tolist(),
        "j": j.tolist(),
        "before": blocks_before[i, j].tolist(),
        "after": blocks_after[i, j].tolist(),
    }
    return Reading(value, series=series)


def best_period(trained: Trained, protocol: str, shortest: int = SHORTEST, longest: int = LONGEST) -> Reading:
    """The period with the largest score, and the scores of all from ``shortest`` to ``longest`` as series. Raises as
    ``te_similarity`` does.
    """
    after = scores(by_lag(_after(trained, protocol)), shortest, longest)
    before = scores(by_lag(_before(trained)), shortest, longest)
    series: dict[str, list] = {"period": list(after), "before": list(before.values()), "after": list(after.values())}
    return Reading(float(max(after, key=lambda period: after[period])), series=series)


def _pairs(matrix: Tensor) -> Tensor:
    """Rows and columns of the entries above the diagonal, [2, pairs]."""
    steps = len(matrix)
    return torch.triu_indices(steps, steps, offset=1)


def before_training(trained: Trained, protocol: str) -> Reading:
    """Mean absolute similarity of two different steps before training. Raises ``NotApplicable`` as ``_before``."""
    matrix = _before(trained).abs()
    i, j = _pairs(matrix)
    return Reading(float(matrix[i, j].mean()))


def earlier_similarity(matrix: Tensor, first: int, last: int, equal_lags: bool) -> float:
    """Mean similarity of steps ``first`` to ``last`` (not included) with earlier steps; with ``equal_lags`` only with
    those from ``first`` on.
    """
    i, j = _pairs(matrix)
    chosen = (j >= first) & (j < last)
    if equal_lags:
        chosen &= i >= first
    return float(matrix[i[chosen], j[chosen]].mean())


def late_similarity(trained: Trained, protocol: str, equal_lags: bool = False) -> Reading:
    """Mean similarity with earlier steps, in the last quarter of the steps minus that in the first, after training.

    With ``equal_lags`` earlier steps outside the quarter do not count. Raises ``NotApplicable`` for a model without a
    temporal embedding.
    """
    matrix = _after(trained, protocol)
    steps = len(matrix)
    quarter = steps // 4
    late = earlier_similarity(matrix, steps - quarter, steps, equal_lags)
    return Reading(late - earlier_similarity(matrix, 0, quarter, equal_lags))
