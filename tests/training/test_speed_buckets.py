"""Speed buckets follow the footage."""

import numpy as np
import pytest

from emo_modules.config import SpeedConfig
from emo_training.footage.shards import SPEED_BIN, SPEED_BINS
from emo_training.training.speed_buckets import NARROWEST, REACH, fit_speed_buckets


def histogram(speeds: np.ndarray) -> np.ndarray:
    return np.bincount((speeds / SPEED_BIN).astype(int), minlength=SPEED_BINS)


def test_equally_many_frames_lie_between_centres():
    speeds = np.random.default_rng(0).gamma(2.0, 8.0, 50_000)
    fitted = fit_speed_buckets(histogram(speeds), SpeedConfig())
    quantiles = np.quantile(speeds, np.linspace(0, REACH, 9))
    assert fitted.centres[0] == 0
    assert np.abs(np.array(fitted.centres[1:]) - quantiles[1:]).max() < 2 * SPEED_BIN
    gaps = np.diff(fitted.centres)
    assert fitted.radii[0] == gaps[0]
    assert fitted.radii[4] == pytest.approx((gaps[3] + gaps[4]) / 2)
    assert (fitted.context, fitted.hidden_dim) == (2, 256)


def test_still_heads_keep_the_buckets_apart():
    fitted = fit_speed_buckets(histogram(np.full(1000, 0.1)), SpeedConfig())
    assert np.diff(fitted.centres).min() >= NARROWEST
    assert min(fitted.radii) >= NARROWEST


def test_unknown_speeds_are_refused():
    with pytest.raises(ValueError, match="know no head speed"):
        fit_speed_buckets(np.zeros(SPEED_BINS, int), SpeedConfig())
