"""Frechet distances with closed forms, and the feature networks' files."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from emo_training.evaluation.feature_nets import (
    WINDOW,
    load_i3d,
    load_inception,
    picture_features,
    window_features,
)
from emo_training.evaluation.frechet import FrechetDistance, frechet_distance


class MeanColour(nn.Module):
    """Called like Inception: features are the mean of each channel."""

    def forward(self, pictures: Tensor, return_features: bool = False) -> Tensor:
        return pictures.float().mean(dim=(2, 3))


class Motion(nn.Module):
    """Called like I3D: mean brightness and mean change from frame to frame, in -1..1."""

    def forward(
        self, video: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> Tensor:
        if rescale:
            video = 2 * video / 255 - 1
        change = video[:, :, 1:] - video[:, :, :-1]
        return torch.stack([video.mean(dim=(1, 2, 3, 4)), change.mean(dim=(1, 2, 3, 4))], dim=1)


class NoFeatures(nn.Module):
    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.float().mean(dim=(2, 3))


@pytest.fixture
def saved(tmp_path):
    def save(net: nn.Module):
        path = tmp_path / f"{type(net).__name__}.pt"
        torch.jit.script(net).save(str(path))
        return path

    return save


def standard(count: int, dimensions: int, seed: int = 0) -> Tensor:
    """Features (count, dimensions) whose mean is exactly 0 and whose covariance is exactly 1."""
    x = np.random.default_rng(seed).standard_normal((count, dimensions))
    x -= x.mean(0)
    root = np.linalg.cholesky(np.linalg.inv(np.cov(x, rowvar=False)))
    return torch.from_numpy(x @ root)


def test_equal_sets_have_no_distance():
    x = standard(200, 6)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, standard(300, 6, seed=1)) == pytest.approx(0, abs=1e-9)


def test_a_shift_counts_squared():
    x, shift = standard(200, 6), torch.tensor([3.0, 0, -4, 0, 0, 12])
    assert frechet_distance(x, x + shift) == pytest.approx(169, rel=1e-9)


def test_scaled_and_correlated_covariances_follow_the_closed_form():
    x = standard(200, 5)
    assert frechet_distance(x, 3 * x) == pytest.approx(5 * (3 - 1) ** 2, rel=1e-9)
    a, b = (np.random.default_rng(k).standard_normal((5, 5)) for k in (1, 2))
    first, second = a.T @ a, b.T @ b
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values) @ vectors.T
    expected = np.trace(first) + np.trace(second)
    expected -= 2 * np.sqrt(np.linalg.eigvalsh(root @ second @ root)).sum()
    assert frechet_distance(x @ torch.from_numpy(a), x @ torch.from_numpy(b)) == pytest.approx(expected)


def test_batches_add_up_and_large_means_lose_nothing():
    x, y = standard(120, 4) + 1000, standard(90, 4) * 2 + 1000
    whole, parts = frechet_distance(x, y), FrechetDistance()
    for real, features in ((True, x), (False, y)):
        for part in features.split(7):
            parts.update(part, real)
    assert parts.compute() == pytest.approx(whole, abs=1e-6) == pytest.approx(4, abs=1e-6)
    assert parts.counts == {True: 120, False: 90} and not parts.rank_deficient


def test_too_few_or_broken_features_are_refused():
    distance = FrechetDistance()
    distance.update(torch.zeros(5, 3), real=True)
    distance.update(torch.zeros(1, 3), real=False)
    with pytest.raises(ValueError, match="5 true and 1 generated"):
        distance.compute()
    with pytest.raises(ValueError, match="4 numbers"):
        distance.update(torch.zeros(1, 4), real=False)
    with pytest.raises(ValueError, match="NaN"):
        distance.update(torch.full((1, 3), torch.nan), real=False)


def plain(levels: np.ndarray, side: int = 8) -> np.ndarray:
    """Frames (N, side, side, 3) of one grey level each."""
    return np.broadcast_to(levels[:, None, None, None], (len(levels), side, side, 3)).astype(np.uint8)


def test_fid_of_pictures_made_lighter(saved):
    net = load_inception(saved(MeanColour()), features=3)
    levels = np.random.default_rng(0).integers(20, 200, 100)
    distance = FrechetDistance()
    for real, shown in ((True, levels), (False, levels + 10)):
        for features in picture_features(net, plain(shown)):
            distance.update(features, real)
    assert distance.counts[True] == 100
    assert distance.compute() == pytest.approx(3 * 10**2, rel=1e-3)


def test_fvd_takes_windows_of_16_frames_scaled_to_one(saved):
    net = load_i3d(saved(Motion()), features=2)
    ramp = np.arange(2 * WINDOW + 5) * 4
    found = torch.cat(list(window_features(net, plain(ramp))))
    assert found.shape == (2, 2), "the last 5 frames fill no window"
    mean = 2 * ramp[:WINDOW].mean() / 255 - 1
    np.testing.assert_allclose(found[0], [mean, 8 / 255], atol=1e-5)


def test_fvd_sees_motion_that_pictures_do_not_show(saved):
    net, levels = load_i3d(saved(Motion()), features=2), np.random.default_rng(0).integers(100, 150, 40)

    def windows(speed: int) -> Tensor:
        steps = speed * np.arange(WINDOW) - speed * (WINDOW - 1) // 2
        return torch.cat([net(plain(level + steps)[None]) for level in levels])

    distances = [frechet_distance(windows(2), windows(speed)) for speed in (2, 4, 8)]
    assert distances == pytest.approx([0, (2 * 2 / 255) ** 2, (2 * 6 / 255) ** 2], abs=1e-7)


@pytest.mark.parametrize("load", [load_inception, load_i3d])
def test_wrong_files_are_refused(tmp_path, saved, load):
    text = tmp_path / "text.pt"
    text.write_text("not a network")
    with pytest.raises(ValueError, match=r"text.pt \(13 bytes\) is no TorchScript file"):
        load(text)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing.pt")
    with pytest.raises(ValueError, match="does not work as a feature network"):
        load(saved(NoFeatures()))
    with pytest.raises(ValueError, match="where features"):
        load(saved(MeanColour() if load is load_inception else Motion()))
