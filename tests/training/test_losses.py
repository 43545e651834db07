"""The training objective: what is noised, disturbed and weighed, and by how much."""

from dataclasses import replace

import pytest
import torch
from diffusers.training_utils import compute_snr

from emo_modules.config import ScheduleConfig
from emo_modules.schedule import TRAIN_STEPS, alphas_cumprod, build_scheduler
from emo_training.training.losses import (
    LossConfig,
    Noised,
    add_training_noise,
    denoising_loss,
    disturb_motion,
    drop_motion_patches,
)
from emo_training.training.sample_set import Draw, SampleSet, draw_batch

CLIP = Draw(batch=2, frames=3, motion_frames=2)
PICTURES = Draw(batch=2, frames=3, motion_frames=0)
ALWAYS = {"first_clip": 0.0, "drop_reference": 0.0, "drop_audio": 0.0, "drop_both": 0.0, "whole_region": 0.0}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noised(config: LossConfig, draw: Draw, tiny_config, samples: SampleSet) -> Noised:
    batch = draw_batch(samples, tiny_config, draw, generator())
    schedule = tiny_config.schedule
    return add_training_noise(batch, schedule, alphas_cumprod(schedule), config, generator(1))


def test_a_clip_has_one_noise_level_and_pictures_have_their_own(tiny_config, samples):
    many = replace(CLIP, batch=16)
    clip = noised(LossConfig(), many, tiny_config, samples)
    assert (clip.timesteps == clip.timesteps[:, :1]).all()
    assert len(clip.timesteps[:, 0].unique()) > 10
    pictures = noised(LossConfig(), replace(PICTURES, batch=16), tiny_config, samples)
    assert len(pictures.timesteps.unique()) > 40
    visited = noised(LossConfig(inference_share=1.0), many, tiny_config, samples)
    assert set(visited.timesteps.unique().tolist()) == {999, 749, 499, 249}
    start = noised(LossConfig(inference_share=1.0, inference_steps=1), many, tiny_config, samples)
    assert (start.timesteps == TRAIN_STEPS - 1).all()
    assert not start.alpha_bar.any()
    assert torch.equal(start.target, -start.batch.latents)


def test_motion_frames_are_disturbed_in_the_batch_only(tiny_config, samples):
    kept = samples.latents.clone()
    batch = draw_batch(samples, tiny_config, replace(CLIP, batch=64), generator())
    before, latents = batch.motion.clone(), batch.latents.clone()
    disturb_motion(batch, 0.2, generator())
    levels = (batch.motion - before).flatten(1).std(1)
    assert 0.15 < levels.max() < 0.25
    assert levels.min() < 0.02
    assert torch.equal(batch.latents, latents)
    assert torch.equal(samples.latents, kept)


def test_the_same_places_of_all_motion_frames_are_blanked(tiny_config, samples):
    batch = draw_batch(samples, tiny_config, replace(CLIP, batch=32), generator())
    before = batch.motion.clone()
    drop_motion_patches(batch, 0.25, generator(1))
    blank = batch.motion == 0
    assert (blank == blank[:, :1, :1]).all()
    assert blank.float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(batch.motion[~blank], before[~blank])
    used = noised(LossConfig(motion_patch_drop=0.25), CLIP, tiny_config, samples).batch.motion
    assert 0.1 < (used == 0).float().mean() < 0.4


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_min_snr_weighs_each_sample_by_its_own_noise(tiny_config, samples, prediction):
    """The weights are diffusers' compute_snr ones, and a mean loss taken first would give another number."""
    schedule = ScheduleConfig(prediction)
    config = replace(tiny_config, schedule=schedule)
    found = noised(LossConfig(), replace(CLIP, **ALWAYS, batch=16), config, samples)
    loss = LossConfig(min_snr=5.0)
    wrong = torch.rand(16, 1, 1, 1, 1, generator=generator(4))
    guess = found.target + wrong * torch.randn(found.target.shape, generator=generator(3))
    scheduler = build_scheduler("ddim-diffusers", schedule)
    snr = compute_snr(scheduler, found.timesteps)
    weights = snr.clamp(max=5) / {"epsilon": snr, "v_prediction": snr + 1}[prediction]
    errors = (guess - found.target).square().mean((2, 3, 4))
    expected = (weights * errors).mean()
    got = denoising_loss(guess, found, schedule, loss)
    assert got.item() == pytest.approx(expected.item(), rel=1e-3)
    assert abs(got - weights.mean() * errors.mean()) > 0.02 * got
