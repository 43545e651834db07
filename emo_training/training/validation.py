"""Losses of held-out samples, under the same noise every time."""

from collections.abc import Sequence
from statistics import fmean

import torch

from emo_modules.models.emo import EMO
from emo_modules.schedule import TRAIN_STEPS, alphas_cumprod

from .batch_sources import microbatch_generator
from .losses import noised_at
from .objective import Objective
from .relatives import learned_schedule
from .sample_set import Batch

LEVELS = tuple(range(TRAIN_STEPS // 8, TRAIN_STEPS, TRAIN_STEPS // 4))  # the middles of four quarters
SEED = 7


@torch.no_grad()
def validation_losses(model: EMO, batches: Sequence[Batch], objective: Objective) -> dict[str, float]:
    """The mean loss at each of `LEVELS`, and the mean of these."""
    model.eval()
    found = {f"validation_{level}": mean_loss(model, batches, objective, level) for level in LEVELS}
    return {"validation": fmean(found.values()), **found}


def mean_loss(model: EMO, batches: Sequence[Batch], objective: Objective, level: int) -> float:
    schedule, device = learned_schedule(model.config), next(model.parameters()).device
    alphas, losses = alphas_cumprod(schedule), []
    for number, batch in enumerate(batches):
        timesteps = torch.full(batch.latents.shape[:2], level)
        noised = noised_at(timesteps, batch, schedule, alphas, microbatch_generator(SEED, number))
        losses.append(torch.stack(list(objective.losses(model, noised.to(device)).values())).sum())
    return float(torch.stack(losses).mean())
