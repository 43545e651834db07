"""The training objective: denoising at a random timestep, and the demo's optional extras."""

from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor, nn

from emo_modules.checked import Checked
from emo_modules.config import ScheduleConfig
from emo_modules.sampling.noise import clip_noise
from emo_modules.schedule import TRAIN_STEPS, add_noise, clean_estimate, training_target

from .sample_set import Batch, box_masks


@dataclass(frozen=True)
class LossConfig(Checked):
    """The defaults are the paper's: plain squared error. The demo's extras are named in its model card."""

    inference_share: float = 0.0  # share of samples at the timesteps that a few-step inference visits
    inference_steps: int = 4
    clean_error: bool = False  # count errors in the clean latents, not in the prediction
    mouth_weight: float = 0.0  # additional weight on the lower middle of the face
    reader_weight: float = 0.0  # mouth reader on the predicted clean latents
    motion_noise: float = 0.0  # motion frames are disturbed by up to this much
    motion_patch_drop: float = 0.0  # this share of their places is blanked (Hallo2 sec. 3.2)
    min_snr: float | None = None  # gamma of min-SNR weighting (arXiv 2303.09556), 5 in that paper


def draw_timesteps(shape: tuple[int, int], config: LossConfig, generator: torch.Generator) -> Tensor:
    """Uniform, but for the share that falls on inference's trailing timesteps (for 4: 999, 749, 499, 249)."""
    device = generator.device
    uniform = torch.randint(TRAIN_STEPS, shape, generator=generator, device=device)
    visits = torch.randint(config.inference_steps, shape, generator=generator, device=device)
    visited = TRAIN_STEPS - visits * TRAIN_STEPS // config.inference_steps - 1
    often = torch.rand(shape, generator=generator, device=device) < config.inference_share
    return torch.where(often, visited, uniform)


def disturb_motion(batch: Batch, amount: float, generator: torch.Generator) -> None:
    """Motion frames at inference are the model's own, so it must not trust them to the last digit."""
    shape, device = batch.motion.shape, generator.device
    level = amount * torch.rand(shape[0], 1, 1, 1, 1, generator=generator, device=device)
    noise = level * torch.randn(shape, generator=generator, device=device)
    batch.motion.add_(noise.to(batch.motion.device))


def drop_motion_patches(batch: Batch, share: float, generator: torch.Generator) -> None:
    """Blank the same places in all of a clip's motion frames: looks must come from the portrait, or errors
    add up over the clips of a long video."""
    size, _, _, height, width = batch.motion.shape
    kept = torch.rand(size, 1, 1, height, width, generator=generator, device=generator.device) >= share
    batch.motion.mul_(kept.to(batch.motion.device))


@dataclass(frozen=True)
class Noised:
    """A batch with noise added: all a loss needs. One generator makes it, to resume exactly."""

    batch: Batch
    noisy: Tensor
    target: Tensor
    timesteps: Tensor  # (B, F), one value over a clip, many over single pictures
    alpha_bar: Tensor  # (B, F, 1, 1, 1)

    def to(self, device: torch.device) -> Self:
        return type(self)(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def add_training_noise(
    batch: Batch, schedule: ScheduleConfig, alphas: Tensor, config: LossConfig, generator: torch.Generator
) -> Noised:
    disturb_motion(batch, config.motion_noise, generator)
    if config.motion_patch_drop:
        drop_motion_patches(batch, config.motion_patch_drop, generator)
    size, frames = batch.latents.shape[:2]
    levels = 1 if batch.motion.shape[1] else frames
    timesteps = draw_timesteps((size, levels), config, generator).expand(size, frames)
    device = batch.latents.device
    alpha_bar = alphas[timesteps.to(alphas.device)].float()[..., None, None, None].to(device)
    noise = clip_noise(batch.latents.shape, schedule.shared_noise, generator).to(device)
    return Noised(
        batch,
        add_noise(batch.latents, noise, alpha_bar),
        training_target(batch.latents, noise, alpha_bar, schedule),
        timesteps.to(device),
        alpha_bar,
    )


def prediction_error(
    prediction: Tensor, noised: Noised, schedule: ScheduleConfig, config: LossConfig
) -> Tensor:
    """(B, F, C, H, W): what is wrong with the prediction, or with the clean latents that it implies."""
    if config.clean_error:
        return clean_estimate(noised.noisy, prediction, noised.alpha_bar, schedule) - noised.batch.latents
    return prediction - noised.target


def snr_weights(alpha_bar: Tensor, gamma: float, schedule: ScheduleConfig, clean_error: bool) -> Tensor:
    """Min-SNR weights (arXiv 2303.09556, eq. 8) of the kind of error that is counted, in alpha_bar's shape.

    With SNR a/(1-a), the error of the clean latents has weight min(SNR, gamma), that of the noise
    min(SNR, gamma)/SNR, that of the velocity min(SNR, gamma)/(SNR + 1).
    """
    clipped = (alpha_bar / (1 - alpha_bar)).clamp(max=gamma)
    if clean_error:
        return clipped
    if schedule.prediction == "epsilon":
        return clipped * (1 - alpha_bar) / alpha_bar
    return clipped * (1 - alpha_bar)


def denoising_loss(
    prediction: Tensor, noised: Noised, schedule: ScheduleConfig, config: LossConfig
) -> Tensor:
    mouths = box_masks(noised.batch.mouth_boxes, *prediction.shape[-2:])[:, None]
    weights = 1 + config.mouth_weight * mouths
    error = prediction_error(prediction, noised, schedule, config)
    errors = (error.square() * (weights / weights.mean())).mean(dim=(2, 3, 4))
    if config.min_snr is not None:
        # each sample by its own noise level: weights after the mean would all be the same number
        levels = noised.alpha_bar.flatten(1)
        errors = errors * snr_weights(levels, config.min_snr, schedule, config.clean_error)
    return errors.mean()


def reader_loss(prediction: Tensor, noised: Noised, schedule: ScheduleConfig, reader: nn.Module) -> Tensor:
    """Squared error of the mouth read from the estimated clean latents, where there is sound to hear."""
    estimate = clean_estimate(noised.noisy, prediction, noised.alpha_bar, schedule)
    seen = reader(estimate.flatten(0, 1)).unflatten(0, prediction.shape[:2])
    known = ~noised.batch.mouth.isnan().flatten(1).any(dim=1)  # NaN: a clip whose mouth nobody knows
    errors = (seen - noised.batch.mouth.nan_to_num()).square().mean(dim=(1, 2))
    return (errors * (known & (noised.batch.audio_kept > 0))).mean()
