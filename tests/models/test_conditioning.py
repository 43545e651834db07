"""Encoders of speed, face region and audio."""

import math

import pytest
import torch

from emo_modules.config import AudioConfig, EMOConfig, SpeedConfig, UNetConfig
from emo_modules.models.conditioning import AudioProjection, FaceLocator, SpeedEncoder, speed_buckets


def test_speed_buckets_follow_the_papers_formula():
    values = speed_buckets(torch.tensor([[0.0, 7.0]]), torch.tensor([0.0, 10.0]), torch.tensor([5.0, 6.0]))
    expected = [[math.tanh(0), math.tanh(-10 / 6 * 3)], [math.tanh(7 / 5 * 3), math.tanh(-3 / 6 * 3)]]
    assert torch.allclose(values, torch.tensor([expected]), atol=1e-6)


def test_speed_windows_are_clamped_at_the_clips_ends():
    encoder = SpeedEncoder(SpeedConfig(context=2, hidden_dim=8), 6)
    tokens = encoder(torch.tensor([[3.0, 20.0, 50.0]]))
    assert tokens.shape == (1, 3, 6)
    longer = encoder(torch.tensor([[3.0, 3.0, 3.0, 20.0, 50.0, 50.0, 50.0]]))
    assert torch.allclose(tokens, longer[:, 2:5], atol=1e-6)


def test_constant_speed_gives_constant_tokens_and_another_speed_others():
    encoder = SpeedEncoder(SpeedConfig(hidden_dim=8), 6)
    slow, fast = encoder(torch.full((1, 4), 5.0)), encoder(torch.full((1, 4), 40.0))
    assert torch.allclose(slow, slow[:, :1].expand_as(slow), atol=1e-6)
    assert (slow - fast).abs().max() > 0.05


def test_an_unknown_speed_is_in_no_bucket_and_leaves_the_others_as_they_are():
    centres, radii = torch.tensor([0.0, 10.0]), torch.tensor([5.0, 6.0])
    known = speed_buckets(torch.tensor([[3.0, 7.0]]), centres, radii)
    partly = speed_buckets(torch.tensor([[float("nan"), 7.0]]), centres, radii)
    assert partly[0, 0].tolist() == [0.0, 0.0]
    assert torch.equal(partly[0, 1], known[0, 1])


def test_speed_buckets_need_a_radius_each():
    with pytest.raises(ValueError, match="got 2 centres and 1 radii"):
        SpeedEncoder(SpeedConfig(centres=(0.0, 1.0), radii=(1.0,)), 6)


@pytest.mark.parametrize("size", [(64, 88), (7, 11)])
def test_face_locator_is_zero_at_first_and_an_eighth_of_the_mask(size, small_config):
    locator = FaceLocator(small_config)
    mask = torch.rand(1, 1, 8 * size[0], 8 * size[1])
    features = locator(mask)
    assert features.shape == (1, 16, *size)
    assert not features.any()
    torch.nn.init.normal_(locator.conv_out.weight)
    assert locator(mask).std() > 0.01


def test_audio_tokens_of_a_frame_depend_on_its_window_only():
    audio = AudioConfig(layers=2, feature_dim=6, context=1, hidden_dim=16, tokens=3)
    projection = AudioProjection(EMOConfig(audio=audio, backbone=UNetConfig(audio_dim=12)))
    windows = torch.randn(2, 4, 3, 2, 6)
    tokens = projection(windows)
    assert tokens.shape == (8, 3, 12)
    windows[0, 1] += 1
    changed = (projection(windows) - tokens).abs().amax((1, 2)) > 1e-4
    assert changed.tolist() == [False, True] + [False] * 6
