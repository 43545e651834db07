"""A small EMO with every part, for tests of the networks."""

import pytest
import torch

from emo_modules.config import AudioConfig, EMOConfig, SpeedConfig, UNetConfig

SHAPE = {
    "block_out_channels": (16, 32),
    "attention_levels": (True, False),
    "layers_per_block": 1,
    "heads": 2,
    "norm_groups": 8,
}


@pytest.fixture
def small_config() -> EMOConfig:
    return EMOConfig(
        name="small",
        width=64,
        height=64,
        latent_scale=1.0,
        clip_frames=3,
        motion_frames=2,
        backbone=UNetConfig(audio_dim=12, speed_dim=8, **SHAPE),
        reference_net=UNetConfig("writes", **SHAPE),
        audio=AudioConfig(layers=2, feature_dim=6, context=1, hidden_dim=16, tokens=3),
        speed=SpeedConfig(hidden_dim=8),
        face_locator_channels=(4, 8, 8, 8),
    )


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        yield
