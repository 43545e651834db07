"""The training objective: what is noised, disturbed and weighed, and by how much."""

from dataclasses import replace

import pytest
import torch
from diffusers.training_utils import compute_snr
from torch import Tensor, nn

from emo_modules.config import ScheduleConfig
from emo_modules.schedule import TRAIN_STEPS, alphas_cumprod, build_scheduler, clean_estimate
from emo_training.training.losses import (
    LossConfig,
    Noised,
    add_training_noise,
    denoising_loss,
    disturb_motion,
    drop_motion_patches,
    prediction_error,
    reader_loss,
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


@pytest.mark.parametrize(
    ("prediction", "clean_error"), [("epsilon", False), ("v_prediction", False), ("v_prediction", True)]
)
def test_min_snr_weighs_each_sample_by_its_own_noise(tiny_config, samples, prediction, clean_error):
    """The weights are diffusers' compute_snr ones, and a mean loss taken first would give another number."""
    schedule = ScheduleConfig(prediction)
    config = replace(tiny_config, schedule=schedule)
    found = noised(LossConfig(), replace(CLIP, **ALWAYS, batch=16), config, samples)
    loss = LossConfig(min_snr=5.0, clean_error=clean_error)
    wrong = torch.rand(16, 1, 1, 1, 1, generator=generator(4))
    guess = found.target + wrong * torch.randn(found.target.shape, generator=generator(3))
    scheduler = build_scheduler("ddim-diffusers", schedule)
    snr = compute_snr(scheduler, found.timesteps)
    divisor = {"epsilon": snr, "v_prediction": snr + 1}[prediction] if not clean_error else 1
    weights = snr.clamp(max=5) / divisor
    errors = prediction_error(guess, found, schedule, loss).square().mean((2, 3, 4))
    expected = (weights * errors).mean()
    got = denoising_loss(guess, found, schedule, loss)
    assert got.item() == pytest.approx(expected.item(), rel=1e-3)
    assert abs(got - weights.mean() * errors.mean()) > 0.02 * got


def test_mouth_weight_counts_errors_at_the_mouth_more(tiny_config, samples):
    found = noised(LossConfig(), replace(CLIP, **ALWAYS), tiny_config, samples)
    boxes = torch.tensor([[0.25, 0.5, 0.75, 1.0]]).expand(2, 4)
    found = replace(found, batch=replace(found.batch, mouth_boxes=boxes))
    at_mouth, elsewhere = found.target.clone(), found.target.clone()
    at_mouth[..., 4:, 2:6] += 1
    elsewhere[..., :4, 2:6] += 1
    schedule, plain, weighted = tiny_config.schedule, LossConfig(), LossConfig(mouth_weight=3.0)
    assert denoising_loss(at_mouth, found, schedule, plain) == pytest.approx(0.25, rel=1e-5)
    assert denoising_loss(elsewhere, found, schedule, plain) == pytest.approx(0.25, rel=1e-5)
    # weights of 4 at a quarter of the pixels and 1 elsewhere, 1.75 on average
    assert denoising_loss(at_mouth, found, schedule, weighted) == pytest.approx(4 / 7, rel=1e-5)
    assert denoising_loss(elsewhere, found, schedule, weighted) == pytest.approx(1 / 7, rel=1e-5)


def test_errors_can_be_counted_in_the_clean_latents(tiny_config, samples):
    found = noised(LossConfig(), replace(CLIP, **ALWAYS), tiny_config, samples)
    prediction = torch.randn(found.target.shape, generator=generator(2))
    estimate = clean_estimate(found.noisy, prediction, found.alpha_bar, tiny_config.schedule)
    loss = denoising_loss(prediction, found, tiny_config.schedule, LossConfig(clean_error=True))
    assert loss.item() == pytest.approx((estimate - found.batch.latents).square().mean().item(), rel=1e-4)


class Means(nn.Module):
    """Reads the means of the first two channels as opening and width."""

    def forward(self, latents: Tensor) -> Tensor:
        return latents[:, :2].mean((2, 3))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_reader_judges_the_clean_estimate_where_there_is_sound(tiny_config, samples, prediction):
    config = replace(tiny_config, schedule=ScheduleConfig(prediction))
    found = noised(LossConfig(), replace(CLIP, **ALWAYS), config, samples)
    mouth = found.batch.latents[:, :, :2].mean((3, 4)) + torch.tensor([0.3, 0.1])
    batch = replace(found.batch, mouth=mouth)
    loss = reader_loss(found.target, replace(found, batch=batch), config.schedule, Means())
    assert loss.item() == pytest.approx((0.3**2 + 0.1**2) / 2, rel=1e-2)
    unknown = replace(batch, mouth=torch.where(torch.arange(2)[:, None, None] > 0, mouth, torch.nan))
    prediction = found.target.clone().requires_grad_()
    known = reader_loss(prediction, replace(found, batch=unknown), config.schedule, Means())
    assert known.item() == pytest.approx(loss.item() / 2, rel=1e-2)
    known.backward()
    assert prediction.grad.isfinite().all()
    assert prediction.grad.any()
    silent = replace(batch, audio_kept=torch.tensor([0.0, 1.0]))
    half = reader_loss(found.target, replace(found, batch=silent), config.schedule, Means())
    assert half.item() == pytest.approx(loss.item() / 2, rel=1e-2)
