"""Intervals by bootstrap over clips: how far a figure depends on which clips happened to be measured.

Clips are drawn with replacement, those of one person together, for they are alike (Efron and Tibshirani, "An
introduction to the bootstrap", 1993, ch. 8 and 13).
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

LEVEL = 0.95
DRAWS, FRECHET_DRAWS = 1000, 50
NORMAL = 1.96  # standard deviations to each side that hold 95 % of a normal distribution

Interval = tuple[float, float]


def draw_counts(groups: Sequence[str], draws: int) -> np.ndarray:
    """How often each of K clips is in each draw, (draws, K): as many groups as there are, with replacement,
    and all clips of a group as often as it."""
    names, group = np.unique(groups, return_inverse=True)
    generator = np.random.default_rng(0)  # the same clips give the same interval
    counts = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    return counts[:, group]


def mean_interval(values: Sequence[float], groups: Sequence[str]) -> Interval | None:
    """Where the mean of values (K,) lies in 95 % of the draws. None for fewer than two groups."""
    if len(set(groups)) < 2:
        return None
    counts = draw_counts(groups, DRAWS)
    return _percentiles(counts @ np.asarray(values) / counts.sum(1))


def interval_of(statistic: Callable[[np.ndarray], float | None], groups: Sequence[str]) -> Interval | None:
    """The same of a statistic of the clips' numbers, each as often as it was drawn; None when it is."""
    if len(set(groups)) < 2:
        return None
    found = [statistic(np.repeat(np.arange(len(groups)), row)) for row in draw_counts(groups, DRAWS)]
    known = [value for value in found if value is not None]
    return _percentiles(np.array(known)) if known else None


def _percentiles(found: np.ndarray) -> Interval:
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def frechet_interval(
    value: float, true: Sequence[Tensor], generated: Sequence[Tensor], groups: Sequence[str]
) -> Interval | None:
    """`value`, a Frechet distance of the features (N, D) of K clips, give or take 1.96 standard deviations of
    the draws, not below 0. None for fewer than two groups.

    Not the draws' own quantiles: a draw has fewer different clips than there are, and with fewer features
    every Frechet distance comes out larger.
    """
    if len(set(groups)) < 2:
        return None
    found = []
    for counts in torch.from_numpy(draw_counts(groups, FRECHET_DRAWS)):
        drawn = _drawn(true, counts), _drawn(generated, counts)
        if all(weights.sum() >= 2 for _, weights in drawn):  # clips without a face bring no features
            found.append(_weighted_distance(*drawn))
    spread = NORMAL * float(np.std(found, ddof=1))
    return max(0.0, value - spread), value + spread


Weighted = tuple[Tensor, Tensor]  # features (N, D) and how often each counts (N,)


def _drawn(clips: Sequence[Tensor], counts: Tensor) -> Weighted:
    weights = torch.cat([count.expand(len(clip)) for clip, count in zip(clips, counts, strict=True)])
    features = torch.cat(list(clips))
    return features[weights > 0].double(), weights[weights > 0].double()


def _weighted_distance(true: Weighted, generated: Weighted) -> float:
    """tr (C C')^(1/2) is the sum of the singular values of A B^T, where C = A^T A and C' = B^T B."""
    (mean, a), (other_mean, b) = _centred(*true), _centred(*generated)
    if len(a) > a.shape[1]:
        values, vectors = torch.linalg.eigh(a.T @ a)
        a = values.clamp(min=0).sqrt()[:, None] * vectors.T
    product = a @ b.T
    roots = torch.linalg.eigvalsh(product @ product.T).clamp(min=0).sqrt()
    apart = (mean - other_mean).square().sum()
    return float(apart + a.square().sum() + b.square().sum() - 2 * roots.sum())


def _centred(features: Tensor, weights: Tensor) -> Weighted:
    """Mean (D,), and features whose products add up to the covariance over N - 1."""
    total = weights.sum()
    mean = weights @ features / total
    return mean, (features - mean) * (weights / (total - 1)).sqrt()[:, None]
