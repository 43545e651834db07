"""What a model that moves portraits learns: the renderer's truth, and what the portrait does not show."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emo_modules.checked import Checked
from emo_modules.config import EMOConfig
from emo_modules.models.moving import Drawing
from emo_modules.sampling.motion_code import SHUT, SHUTTING
from emo_training.training.features import (
    against_nose,
    at_landmarks,
    crop_error,
    distance,
    feature_boxes,
    feature_crops,
    latents_error,
    within,
)
from emo_training.training.losses import Noised
from emo_training.training.own_motion import with_drawn_motion

from ..filming.clips import SIDE
from .clip_set import MovingBatch
from .critic import Critic

FEATURE_WEIGHT = 4.0  # of eyes and mouth against the rest of the picture
FAR = 4.0  # px; beyond, such an error counts as itself and not squared
HIDDEN_FIELD = 0.3  # weight of a displacement where the portrait does not show what it leads to
SEEN_DRAWN = 0.03  # weight of what is drawn where the portrait shows it
# Shares of a latent's pixels: of lids or a mouth, hidden less, nothing is painted; more, all of it is
KEPT, ANEW = 0.2, 0.4
HALF_SHUT = (SHUTTING + SHUT) / 2  # of the motion code


@dataclass(frozen=True)
class MovingLoss(Checked):
    """Weights of the parts, and how much of training meets what inference does."""

    displacement: float = 1.0  # px, per frame
    velocity: float = 0.5  # px, from frame to frame
    strain: float = 1.0  # px, from place to place: lips and lids, however the head is turned
    points: float = 1.0  # px squared in faces of FACE px, of lips and lids against the nose
    hidden: float = 0.5
    drawn: float = 1.0
    cover: float = 1.0  # which latents are painted
    painted: float = 0.5
    pixels: float = 0.0  # of eyes and mouths, decoded
    critic: float = 0.0  # of the same, that do not look real
    own_motion: float = 0.0  # share of batches whose motion frames are the model's own


def feature_weights(landmarks: Tensor, size: int) -> Tensor:
    """(N, 68, 2) px -> weights (N, 1, size, size) of mean 1, larger at eyes and mouth."""
    weights = 1 + (FEATURE_WEIGHT - 1) * within(feature_boxes(landmarks), size, SIDE)
    return weights / weights.mean(dim=(2, 3), keepdim=True)


def covered(boxes: Tensor, hidden: Tensor, shut: Tensor) -> Tensor:
    """Boxes (N, 3, 4) px of eyes and mouth, shares (N, 1, H, W) of pixels that are hidden, and whether lids
    are shut (N,) -> shares (N, 1, H, W) of the latents that are painted.

    Of a lid that hides half of a latent not a half can be painted: all its pixels would be half of the open
    eye. An open eye is not painted at all, however a little of it is hidden: it would be softer than it is.
    """
    mouth, features = within(boxes[:, 2:], hidden.shape[-1], SIDE), within(boxes, hidden.shape[-1], SIDE)
    places = torch.maximum(mouth, features * shut[:, None, None, None])
    return places * ((hidden - KEPT) / (ANEW - KEPT)).clamp(0, 1)


def points_error(error: Tensor, landmarks: Tensor) -> Tensor:
    """Errors of displacements (N, 2, H, W), px, at landmarks (N, 68, 2), px -> (N, 2, 32, 1): those of lids
    and lips less the nose's, in px of a face of FACE px."""
    return against_nose(at_landmarks(error, landmarks, SIDE), landmarks)


class MovingObjective:
    """For `Trainer`, with noised `MovingBatch`es; `decode` is the VAE's, for losses in pixels."""

    def __init__(
        self, config: EMOConfig, loss: MovingLoss, clips: bool, speed: bool,
        decode: Callable[[Tensor], Tensor] | None = None,
    ) -> None:  # fmt: skip
        self.config, self.loss, self.clips, self.speed, self.decode = config, loss, clips, speed, decode
        self.critic: Critic | None = None  # made on the device of the first batch

    def prepare(
        self, forward: Callable[[Noised], Drawing], noised: Noised, generator: torch.Generator
    ) -> Noised:
        dice = torch.Generator().manual_seed(generator.initial_seed() + 1)  # no wait for the GPU's own
        if self.loss.own_motion and float(torch.rand((), generator=dice)) < self.loss.own_motion:
            noised = with_drawn_motion(forward, noised, self.config.schedule, generator)
        if self.loss.critic and self.critic is None:
            self.critic = Critic(noised.noisy.device)
        if self.critic is not None:
            self.critic.learn()
        return noised

    def forward(self, model: nn.Module, noised: Noised) -> Drawing:
        given = noised.batch.conditions(self.clips, self.speed)
        drawing: Drawing = model(noised.noisy, noised.timesteps, **given)
        return drawing

    def losses(self, model: nn.Module, noised: Noised) -> dict[str, Tensor]:
        batch, drawing = noised.batch, self.forward(model, noised)
        assert isinstance(batch, MovingBatch)
        parts = self.told(drawing, batch)
        if self.decode is not None and (self.loss.pixels or self.loss.critic):
            made, true, weights = feature_crops(
                self.decode, drawing.clean, batch.pictures.flatten(0, 1), batch.landmarks.flatten(0, 1)
            )
            parts["pixels"] = self.loss.pixels * crop_error(made, true, weights).mean()
            if self.critic is not None:
                parts["critic"] = self.loss.critic * self.critic.fooled(made, true)
        return parts

    def told(self, drawing: Drawing, batch: MovingBatch) -> dict[str, Tensor]:
        """What the renderer tells, and the latents where they are to be drawn."""
        loss, frames = self.loss, batch.latents.shape[1]
        landmarks = batch.landmarks.flatten(0, 1)
        hidden, true = batch.hidden.flatten(0, 1), batch.displacement.flatten(0, 1)
        size = true.shape[-1]
        seen = 1 - (1 - HIDDEN_FIELD) * F.interpolate(hidden, (size, size), mode="nearest")
        weights = seen * feature_weights(landmarks, size)
        error = (drawing.displacement.float() - true) * SIDE
        parts = {"displacement": loss.displacement * (weights * distance(error, 0.3)).mean()}
        down, right = distance(error.diff(dim=2), 0.1), distance(error.diff(dim=3), 0.1)
        strain = (weights[:, :, 1:] * down).mean() + (weights[:, :, :, 1:] * right).mean()
        parts["strain"] = loss.strain * strain
        if loss.points:
            off = points_error(error, landmarks)
            parts["points"] = loss.points * FAR * distance(off, FAR).mean()
        if self.clips and loss.velocity:
            faster = error.unflatten(0, (-1, frames)).diff(dim=1).flatten(0, 1)
            later = weights.unflatten(0, (-1, frames))[:, 1:].flatten(0, 1)
            parts["velocity"] = loss.velocity * (later * distance(faster, 0.1)).mean()
        weights = feature_weights(landmarks, hidden.shape[-1])
        shown = F.binary_cross_entropy_with_logits(drawing.hidden.float(), hidden, reduction="none")
        parts["hidden"] = loss.hidden * (weights * shown).mean()
        latents = batch.latents.flatten(0, 1)
        parts["drawn"] = loss.drawn * latents_error(drawing.drawn, latents, weights * (SEEN_DRAWN + hidden))
        boxes, code = feature_boxes(landmarks), batch.code.flatten(0, 1)
        cover = covered(boxes, hidden, code[:, -1] > HALF_SHUT)
        told = F.binary_cross_entropy_with_logits(drawing.painting.cover.float(), cover, reduction="none")
        parts["cover"] = loss.cover * (weights * told).mean()
        weights = SEEN_DRAWN * within(boxes, hidden.shape[-1], SIDE) + cover
        parts["painted"] = loss.painted * latents_error(drawing.painting.latents, latents, weights)
        return parts
