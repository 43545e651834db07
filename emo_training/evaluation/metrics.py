"""Measures on curves and vectors; nothing here knows about faces."""

import numpy as np
import torch
from torch import Tensor


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two curves (F,), over their common length; 0 when one of them is flat."""
    n = min(len(a), len(b))
    a, b = (np.asarray(curve[:n], np.float64) for curve in (a, b))
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 1e-9 * n else 0.0


def best_lag(a: np.ndarray, b: np.ndarray, span: int = 8) -> int:
    """The shift in -span..span frames at which `a` correlates best with `b`; positive when `a` comes late."""
    n = min(len(a), len(b))
    scores = {
        k: pearson(a[max(k, 0) : n + min(k, 0)], b[max(-k, 0) : n - max(k, 0)])
        for k in range(-span, span + 1)
    }
    return max(scores, key=lambda k: (scores[k], -abs(k)))


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation of two sequences of numbers; 0 when one of them is constant."""
    from scipy.stats import rankdata

    return pearson(rankdata(a), rankdata(b))


def nearest(queries: Tensor, gallery: Tensor) -> Tensor:
    """Index (N,) of the most similar row of `gallery` (M, D) for each of `queries` (N, D), by cosine."""
    unit = torch.nn.functional.normalize
    return (unit(queries, dim=1) @ unit(gallery, dim=1).T).argmax(1)


def running_mean(curve: np.ndarray, width: int = 3) -> np.ndarray:
    """Running mean (F - width + 1,) of a curve (F,)."""
    return np.convolve(curve, np.ones(width) / width, mode="valid")
