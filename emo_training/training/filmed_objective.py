"""What a model that moves portraits learns of films, beside what it knows: how this person's lips and lids
move, and how they look where the portrait does not show them. Not in the paper.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emo_modules.checked import Checked
from emo_modules.checkpoints.vae import VAE
from emo_modules.config import EMOConfig
from emo_modules.models.moving import Drawing, move
from emo_modules.models.precision import fast_autocast

from .features import (
    NOSE,
    against_nose,
    at_landmarks,
    crop_error,
    distance,
    feature_boxes,
    feature_crops,
    latents_error,
    within,
)
from .filmed import FilmedBatch
from .lora import without_lora
from .losses import Noised
from .own_motion import with_drawn_motion
from .stages import Stage

FAR = 4.0  # px; beyond, an error of points counts as itself and not squared


@dataclass(frozen=True)
class FilmedLoss(Checked):
    """Weights of the parts."""

    points: float = 1.0  # px squared in faces of FACE px, of lips and lids against the nose
    kept: float = 1.0  # px, of displacements that move away from what they were, but eyes and mouth
    strain: float = 1.0  # px, from place to place, of the same everywhere
    shares: float = 0.5  # what is hidden and what is covered, likewise
    painted: float = 0.5
    pixels: float = 1.0  # of eyes and mouths, decoded
    own_motion: float = 0.0  # share of batches whose motion frames are the model's own


@dataclass(frozen=True)
class FilmedObjective:
    """For `Trainer`, with noised `FilmedBatch`es and a LoRA.

    The renderer's truth, which `emo_people` trains with, has the displacement of every place. A film has
    landmarks: where they are told, lips and lids learn to move, and all else stays as the model without LoRA
    has it. Pictures are compared once the true ones lie where the made face does, or eyes would become soft.
    """

    config: EMOConfig
    stage: Stage
    loss: FilmedLoss
    vae: VAE

    def prepare(
        self, forward: Callable[[Noised], Drawing], noised: Noised, generator: torch.Generator
    ) -> Noised:
        share = self.loss.own_motion
        if share and float(torch.rand((), generator=generator, device=generator.device)) < share:
            return with_drawn_motion(forward, noised, self.config.schedule, generator)
        return noised

    def forward(self, model: nn.Module, noised: Noised) -> Drawing:
        given = noised.batch.conditions(self.stage.clips, self.stage.speed)
        drawing: Drawing = model(noised.noisy, noised.timesteps, **given)
        return drawing

    def losses(self, model: nn.Module, noised: Noised) -> dict[str, Tensor]:
        with torch.no_grad(), without_lora(model):
            before = self.forward(model, noised)
        drawing, batch = self.forward(model, noised), noised.batch
        assert isinstance(batch, FilmedBatch)
        return self.told(drawing, before, batch) | self.seen(drawing, before, batch)

    def told(self, drawing: Drawing, before: Drawing, batch: FilmedBatch) -> dict[str, Tensor]:
        """What landmarks tell of lips and lids, and what is to stay as it was."""
        loss, side = self.loss, batch.pictures.shape[-1]
        landmarks = batch.landmarks.flatten(0, 1)
        off = against_nose(landmark_errors(drawing, batch), landmarks)
        change = (drawing.displacement - before.displacement).float() * side
        elsewhere = 1 - within(feature_boxes(landmarks), change.shape[-1], side)
        down, right = (distance(change.diff(dim=dim), 0.1).mean() for dim in (2, 3))
        shares = share_error(drawing.hidden, before.hidden)
        shares = shares + share_error(drawing.painting.cover, before.painting.cover)
        return {
            "points": loss.points * FAR * distance(off, FAR).mean(),
            "kept": loss.kept * (elsewhere * distance(change, 0.3)).mean(),
            "strain": loss.strain * (down + right),
            "shares": loss.shares * shares,
        }

    def seen(self, drawing: Drawing, before: Drawing, batch: FilmedBatch) -> dict[str, Tensor]:
        """How mouths and shut lids look, in latents and in pixels."""
        loss = self.loss
        with torch.no_grad():
            off = landmark_errors(drawing, batch)[:, :, NOSE].mean((2, 3))
            true, places = (
                moved_by(batch.pictures.flatten(0, 1), off),
                batch.landmarks.flatten(0, 1) - off[:, None],
            )
            latents, cover = self.vae.encode(true), before.painting.cover.float().sigmoid()
        made, shown, weights = feature_crops(self.decode, drawing.clean, true, places)
        return {
            "painted": loss.painted * latents_error(drawing.painting.latents, latents, cover),
            "pixels": loss.pixels * crop_error(made, shown, weights).mean(),
        }

    def decode(self, latents: Tensor) -> Tensor:
        with fast_autocast(latents.device):
            pictures: Tensor = self.vae.decode(latents)
        return pictures.float()


def landmark_errors(drawing: Drawing, batch: FilmedBatch) -> Tensor:
    """By how many px the displacements lead elsewhere than to the portrait's landmarks: (B*F, 2, 68, 1)."""
    side, landmarks = batch.pictures.shape[-1], batch.landmarks
    led = at_landmarks(drawing.displacement.float(), landmarks.flatten(0, 1), side) * side
    true = batch.portrait_landmarks[:, None] - landmarks
    return led - true.flatten(0, 1).movedim(-1, 1)[..., None]


def moved_by(pictures: Tensor, off: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) in which everything lies off (N, 2) px further to the left and up."""
    fraction = off / pictures.shape[-1]
    return move(pictures, fraction[:, :, None, None].expand(-1, -1, 2, 2))


def share_error(shares: Tensor, before: Tensor) -> Tensor:
    """Of logits, against others: 0 where they are the same."""
    now, then = shares.float(), before.float().sigmoid()
    least = F.binary_cross_entropy_with_logits(before.float(), then)
    return F.binary_cross_entropy_with_logits(now, then) - least
