"""Head-speed buckets (EMO sec. 3.2) from the speeds of the footage: the paper does not say where they lie."""

from dataclasses import replace

import numpy as np

from emo_modules.config import SpeedConfig

from ..footage.shards import SPEED_BIN

REACH = 0.995  # the fastest bucket's centre: beyond it lie mostly wrong measurements
NARROWEST = 1.0  # degrees per second between centres; poses are not known better


def check_speeds(histogram: np.ndarray) -> None:
    """Raises ValueError when no frame's speed is known."""
    if not histogram.any():
        raise ValueError(
            "the shards know no head speed: prepare them with an analyser that reads poses, such as mediapipe"
        )


def fit_speed_buckets(histogram: np.ndarray, config: SpeedConfig) -> SpeedConfig:
    """`config` with as many buckets as before, whose centres have equally many frames between them.

    histogram (N,) counts frames in bins of `SPEED_BIN` degrees per second. The first centre is a still head;
    a bucket's radius is the mean distance to its neighbours, so that they overlap by half. Raises ValueError
    when no frame's speed is known.
    """
    check_speeds(histogram)
    count = len(config.centres)
    shares = np.linspace(0, REACH, count)
    total = np.cumsum(histogram) / histogram.sum()
    centres = (np.searchsorted(total, shares) + 0.5) * SPEED_BIN
    centres[0] = 0.0
    for k in range(1, count):
        centres[k] = max(centres[k], centres[k - 1] + NARROWEST)
    gaps = np.diff(centres)
    radii = np.concatenate([gaps[:1], (gaps[:-1] + gaps[1:]) / 2, gaps[-1:]])
    return replace(config, centres=tuple(centres.tolist()), radii=tuple(radii.tolist()))
