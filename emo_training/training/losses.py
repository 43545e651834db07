"""The paper's objective: denoising at a random timestep, and optional extras."""

from dataclasses import dataclass, fields
from typing import Annotated, Self

import torch
from torch import Tensor

from emo_modules.checked import Checked, Range
from emo_modules.config import ScheduleConfig
from emo_modules.sampling.noise import clip_noise
from emo_modules.schedule import TRAIN_STEPS, add_noise, training_target

from .sample_set import Batch


@dataclass(frozen=True)
class LossConfig(Checked):
    """The defaults are the paper's: plain squared error."""

    inference_share: float = 0.0  # share of samples at the timesteps that a few-step inference visits
    inference_steps: int = 4
    motion_noise: float = 0.0  # motion frames are disturbed by up to this much
    own_motion: Annotated[float, Range(0, 1)] = 0.0  # share of clips after motion frames with own errors
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
    timesteps = draw_timesteps((size, batch.levels), config, generator).expand(size, frames)
    return noised_at(timesteps, batch, schedule, alphas, generator)


def noised_at(
    timesteps: Tensor, batch: Batch, schedule: ScheduleConfig, alphas: Tensor, generator: torch.Generator
) -> Noised:
    """The batch at timesteps (B, F)."""
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


def snr_weights(alpha_bar: Tensor, gamma: float, schedule: ScheduleConfig) -> Tensor:
    """Min-SNR weights (arXiv 2303.09556, eq. 8) of the kind of error that is counted, in alpha_bar's shape.

    With SNR a/(1-a), the error of the noise has weight min(SNR, gamma)/SNR, that of the velocity
    min(SNR, gamma)/(SNR + 1).
    """
    clipped = (alpha_bar / (1 - alpha_bar)).clamp(max=gamma)
    if schedule.prediction == "epsilon":
        return clipped * (1 - alpha_bar) / alpha_bar
    return clipped * (1 - alpha_bar)


def denoising_loss(
    prediction: Tensor, noised: Noised, schedule: ScheduleConfig, config: LossConfig
) -> Tensor:
    errors = (prediction - noised.target).square().mean(dim=(2, 3, 4))
    if config.min_snr is not None:
        # each sample by its own noise level: weights after the mean would all be the same number
        levels = noised.alpha_bar.flatten(1)
        errors = errors * snr_weights(levels, config.min_snr, schedule)
    return errors.mean()
