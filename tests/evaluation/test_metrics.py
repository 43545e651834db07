import numpy as np
import pytest
import torch

from emo_training.evaluation.metrics import (
    best_lag,
    nearest,
    pearson,
    running_mean,
    spearman,
)

WAVE = np.sin(np.arange(60) * 0.37) + 0.3 * np.sin(np.arange(60) * 1.1)


def test_pearson_on_known_curves():
    assert pearson(WAVE, 3 * WAVE + 7) == pytest.approx(1)
    assert pearson(WAVE, -WAVE) == pytest.approx(-1)
    assert pearson(WAVE[:50], WAVE) == pytest.approx(1), "the longer curve is cut"
    assert pearson(np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])) == pytest.approx(0.8)


def test_a_flat_curve_correlates_with_nothing():
    assert pearson(np.full(9, 0.3), WAVE) == 0
    assert spearman(np.arange(9), np.zeros(9)) == 0


@pytest.mark.parametrize("late", [-8, -5, 0, 3, 8])
def test_best_lag_finds_the_delay(late):
    a = np.roll(WAVE, late)
    assert best_lag(a[10:50], WAVE[10:50]) == late


def test_best_lag_of_flat_curves_is_none():
    assert best_lag(np.zeros(40), np.zeros(40)) == 0


def test_spearman_sees_order_only():
    assert spearman([1, 2, 3, 4], [1, 10, 100, 1000]) == pytest.approx(1)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 1, 2, 2], [5, 6, 7, 8]) == pytest.approx(0.8944, abs=1e-4)


def test_nearest_goes_by_direction():
    gallery = torch.tensor([[1.0, 0], [0, 9.0], [-1, 0]])
    assert nearest(torch.tensor([[0.1, 0.5], [-3, 1], [2, 1]]), gallery).tolist() == [1, 2, 0]


def test_smoothed_is_a_running_mean():
    assert running_mean(np.array([0.0, 3, 6, 0])).tolist() == [3, 3]
