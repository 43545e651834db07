import numpy as np
import pytest
import torch

from emo_training.evaluation.metrics import (
    best_lag,
    latent_change,
    nearest,
    pearson,
    psnr,
    psnr_outside,
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


def test_psnr_on_known_errors():
    black = np.zeros((4, 4, 3), np.uint8)
    assert psnr(black, black) == 99
    assert psnr(black, black + 255) == pytest.approx(0)
    assert psnr(black, black + 10) == pytest.approx(20 * np.log10(25.5))


def test_psnr_outside_ignores_the_head():
    background = np.full((8, 8, 3), 100, np.uint8)
    frames = np.repeat(background[None], 3, 0)
    frames[:, 2:6, 2:6] = 255
    mask = np.zeros((3, 8, 8), bool)
    mask[:, 2:6, 2:6] = True
    assert psnr_outside(frames, background, mask) == 99
    frames[:, 0] = 110
    assert psnr_outside(frames, background, mask) == pytest.approx(10 * np.log10(255**2 / (100 * 8 / 48)))
    with pytest.raises(ValueError, match="no background"):
        psnr_outside(frames, background, np.ones((3, 8, 8), bool))


def test_latent_change_is_the_mean_step():
    ramp = torch.arange(5.0)[:, None, None, None].expand(5, 2, 3, 3)
    assert latent_change(ramp) == pytest.approx(1)
    assert latent_change(torch.ones(5, 2, 3, 3)) == 0


def test_nearest_goes_by_direction():
    gallery = torch.tensor([[1.0, 0], [0, 9.0], [-1, 0]])
    assert nearest(torch.tensor([[0.1, 0.5], [-3, 1], [2, 1]]), gallery).tolist() == [1, 2, 0]


def test_smoothed_is_a_running_mean():
    assert running_mean(np.array([0.0, 3, 6, 0])).tolist() == [3, 3]
