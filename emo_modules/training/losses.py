"""The training objective: denoising at a random timestep, and the demo's optional extras."""

from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor, nn

from ..config import ScheduleConfig
from ..data.clip_set import Batch, box_masks
from ..sampling.noise import clip_noise
from ..schedule import TRAIN_STEPS, add_noise, clean_estimate, training_target


@dataclass(frozen=True)
class LossConfig:
    """The defaults are the paper's: plain squared error. The demo's extras are named in its model card."""

    inference_share: float = 0.0  # share of samples at the timesteps that a few-step inference visits
    inference_steps: int = 4
    clean_error: bool = False  # count errors in the clean latents, not in the prediction
    mouth_weight: float = 0.0  # additional weight on the lower middle of the face
    reader_weight: float = 0.0  # mouth reader on the predicted clean latents
    motion_noise: float = 0.0  # motion frames are disturbed by up to this much


def draw_timesteps(shape: tuple[int, int], config: LossConfig, generator: torch.Generator) -> Tensor:
    """Uniform, but for the share that falls on the trailing timesteps of inference (999, 749, 499, 249 for
    4 steps)."""
    uniform = torch.randint(TRAIN_STEPS, shape, generator=generator)
    visits = torch.randint(config.inference_steps, shape, generator=generator)
    visited = TRAIN_STEPS - visits * TRAIN_STEPS // config.inference_steps - 1
    return torch.where(torch.rand(shape, generator=generator) < config.inference_share, visited, uniform)


def disturb_motion(batch: Batch, amount: float, generator: torch.Generator) -> None:
    """Motion frames at inference are the model's own, so it must not trust them to the last digit."""
    shape = batch.motion.shape
    level = amount * torch.rand(shape[0], 1, 1, 1, 1, generator=generator)
    batch.motion.add_(level * torch.randn(shape, generator=generator))


@dataclass(frozen=True)
class Noised:
    """A batch with noise added: all a loss needs, made with one generator on the CPU so that resuming is
    exact."""

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
    size, frames = batch.latents.shape[:2]
    levels = 1 if batch.motion.shape[1] else frames
    timesteps = draw_timesteps((size, levels), config, generator).expand(size, frames)
    alpha_bar = alphas[timesteps].float()[..., None, None, None]
    noise = clip_noise(batch.latents.shape, schedule.shared_noise, generator)
    return Noised(
        batch,
        add_noise(batch.latents, noise, alpha_bar),
        training_target(batch.latents, noise, alpha_bar, schedule),
        timesteps,
        alpha_bar,
    )


def prediction_error(
    prediction: Tensor, noised: Noised, schedule: ScheduleConfig, config: LossConfig
) -> Tensor:
    """(B, F, C, H, W): what is wrong with the prediction, or with the clean latents that it implies."""
    if config.clean_error:
        return clean_estimate(noised.noisy, prediction, noised.alpha_bar, schedule) - noised.batch.latents
    return prediction - noised.target


def denoising_loss(
    prediction: Tensor, noised: Noised, schedule: ScheduleConfig, config: LossConfig
) -> Tensor:
    mouths = box_masks(noised.batch.mouth_boxes, *prediction.shape[-2:])[:, None]
    weights = 1 + config.mouth_weight * mouths
    error = prediction_error(prediction, noised, schedule, config)
    return (error.square() * (weights / weights.mean())).mean()


def reader_loss(prediction: Tensor, noised: Noised, schedule: ScheduleConfig, reader: nn.Module) -> Tensor:
    """Squared error of the mouth that the reader sees in the estimated clean latents, where there is sound
    to hear."""
    estimate = clean_estimate(noised.noisy, prediction, noised.alpha_bar, schedule)
    seen = reader(estimate.flatten(0, 1)).unflatten(0, prediction.shape[:2])
    known = ~noised.batch.mouth.isnan().flatten(1).any(dim=1)  # NaN: a clip whose mouth nobody knows
    errors = (seen - noised.batch.mouth.nan_to_num()).square().mean(dim=(1, 2))
    return (errors * (known & (noised.batch.audio_kept > 0))).mean()
