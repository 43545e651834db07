"""Motion frames as the model leaves them: at inference it feeds on its own clips, and small errors add up."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from emo_modules.config import ScheduleConfig
from emo_modules.models.moving import Drawing
from emo_modules.sampling.noise import clip_noise
from emo_modules.schedule import TRAIN_STEPS, alphas_cumprod, clean_estimate

from .losses import Noised, noised_at

LEVELS = (250, 750)  # timesteps: with less noise nothing is left to get wrong, with more no face to see


@torch.no_grad()
def with_own_motion(
    forward: Callable[[Noised], Tensor],
    noised: Noised,
    share: float,
    schedule: ScheduleConfig,
    generator: torch.Generator,
) -> Noised:
    """The same, where a `share` of the clips with motion frames has what the model gets wrong added to them.

    What it gets wrong is the difference between the clip's first frames and what it sees in them through
    noise, in one step (error recycling, arXiv 2510.09212; there errors are kept for later batches). A clip of
    its own would be another performance, which the frames that follow do not continue. All batches take the
    one more pass, so that processes whose draws differ do not wait for each other.
    """
    batch, device = noised.batch, generator.device
    size, frames = noised.noisy.shape[:2]
    level = torch.randint(*LEVELS, (size, 1), generator=generator, device=device).expand(size, frames)
    chosen = torch.rand(size, generator=generator, device=device) < share
    seen = noised_at(level, batch, schedule, alphas_cumprod(schedule), generator)
    seen = seen.to(noised.noisy.device)
    made = clean_estimate(seen.noisy, forward(seen).float(), seen.alpha_bar, schedule)
    wrong = (made - batch.latents)[:, : batch.motion.shape[1]]
    taken = batch.motion_kept * chosen.to(batch.motion_kept)
    return replace(
        noised, batch=replace(batch, motion=batch.motion + taken[:, None, None, None, None] * wrong)
    )


@torch.no_grad()
def with_drawn_motion(
    forward: Callable[[Noised], Drawing], noised: Noised, schedule: ScheduleConfig, generator: torch.Generator
) -> Noised:
    """The same of a model that moves the portrait, in one step: what it gets wrong of noise alone."""
    batch, device = noised.batch, noised.noisy.device
    noise = clip_noise(batch.latents.shape, schedule.shared_noise, generator).to(device)
    first = replace(noised, noisy=noise, timesteps=torch.full_like(noised.timesteps, TRAIN_STEPS - 1))
    made = forward(first).clean.float().unflatten(0, batch.latents.shape[:2])
    # what it makes of this clip is off from the truth as what it made of the one before would be
    off = (made - batch.latents)[:, : batch.motion.shape[1]]
    motion = batch.motion + off * batch.motion_kept[:, None, None, None, None]
    return replace(noised, batch=replace(batch, motion=motion))
