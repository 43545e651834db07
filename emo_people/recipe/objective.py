"""What a model that moves portraits learns: the renderer's truth, and what the portrait does not show."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emo_modules.checked import Checked
from emo_modules.config import EMOConfig
from emo_modules.models.moving import Drawing
from emo_modules.sampling.motion_code import SHUT, SHUTTING
from emo_modules.sampling.noise import clip_noise
from emo_modules.schedule import TRAIN_STEPS
from emo_training.training.losses import Noised

from ..filming.clips import SIDE
from .clip_set import MovingBatch
from .critic import Critic

EYES, MOUTH = (slice(36, 42), slice(42, 48)), slice(48, 68)  # of the 68 landmarks
FEATURE_WEIGHT = 4.0  # of eyes and mouth against the rest of the picture
FEATURES, NOSE = slice(36, 68), slice(27, 36)  # lids and lips, and what they move against
FACE = 128.0  # px, the width of a face in which an error of points is told
FAR = 4.0  # px; beyond, such an error counts as itself and not squared
HIDDEN_FIELD = 0.3  # weight of a displacement where the portrait does not show what it leads to
SEEN_DRAWN = 0.03  # weight of what is drawn where the portrait shows it
# Shares of a latent's pixels: of lids or a mouth, hidden less, nothing is painted; more, all of it is
KEPT, ANEW = 0.2, 0.4
HALF_SHUT = (SHUTTING + SHUT) / 2  # of the motion code
TIGHT = 0.05  # room around lids and lips for what lies within them
WINDOW, RIM = 12, 2  # latents that are decoded around a feature, and how many at their sides only for that


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


def feature_boxes(landmarks: Tensor, around: float = 0.35) -> Tensor:
    """(..., 68, 2) px -> (..., 3, 4) px: boxes around both eyes and the mouth, with room, in shares of the
    longer side, for lids and lips to move in."""
    boxes = []
    for points in (*(landmarks[..., eye, :] for eye in EYES), landmarks[..., MOUTH, :]):
        low, high = points.amin(-2), points.amax(-2)
        room = around * (high - low).amax(-1, keepdim=True)
        boxes.append(torch.cat([low - room, high + room], dim=-1))
    return torch.stack(boxes, dim=-2)


def within(boxes: Tensor, size: int) -> Tensor:
    """Boxes (N, K, 4) px -> (N, 1, size, size): 1 where a place is in one of them, 0 elsewhere."""
    boxes = boxes / SIDE
    places = (torch.arange(size, device=boxes.device) + 0.5) / size
    across = (places >= boxes[..., 0, None]) & (places < boxes[..., 2, None])
    down = (places >= boxes[..., 1, None]) & (places < boxes[..., 3, None])
    return (down[..., :, None] & across[..., None, :]).any(1, keepdim=True).float()


def feature_weights(landmarks: Tensor, size: int) -> Tensor:
    """(N, 68, 2) px -> weights (N, 1, size, size) of mean 1, larger at eyes and mouth."""
    weights = 1 + (FEATURE_WEIGHT - 1) * within(feature_boxes(landmarks), size)
    return weights / weights.mean(dim=(2, 3), keepdim=True)


def covered(boxes: Tensor, hidden: Tensor, shut: Tensor) -> Tensor:
    """Boxes (N, 3, 4) px of eyes and mouth, shares (N, 1, H, W) of pixels that are hidden, and whether lids
    are shut (N,) -> shares (N, 1, H, W) of the latents that are painted.

    Of a lid that hides half of a latent not a half can be painted: all its pixels would be half of the open
    eye. An open eye is not painted at all, however a little of it is hidden: it would be softer than it is.
    """
    mouth, features = within(boxes[:, 2:], hidden.shape[-1]), within(boxes, hidden.shape[-1])
    places = torch.maximum(mouth, features * shut[:, None, None, None])
    return places * ((hidden - KEPT) / (ANEW - KEPT)).clamp(0, 1)


def distance(error: Tensor, soft: float) -> Tensor:
    """Length of errors (N, 2, H, W) in px -> (N, 1, H, W): squared below `soft` px, linear above, so that a
    head turned otherwise than truth does not outweigh lips."""
    return (error.square().sum(1, keepdim=True) + soft**2).sqrt() - soft


def points_error(error: Tensor, landmarks: Tensor) -> Tensor:
    """Errors of displacements (N, 2, H, W), px, at landmarks (N, 68, 2), px -> (N, 2, 32, 1): those of lids
    and lips less the nose's, in px of a face of FACE px."""
    places = (landmarks / (SIDE / 2) - 1)[:, :, None]
    found = F.grid_sample(error, places.to(error), padding_mode="border", align_corners=False)
    jaw = landmarks[:, :17, 0]
    scale = FACE / (jaw.amax(1) - jaw.amin(1)).clamp(min=FACE / 8)
    return (found[:, :, FEATURES] - found[:, :, NOSE].mean(2, keepdim=True)) * scale[:, None, None, None]


class MovingObjective:
    """For `Trainer`, with noised `MovingBatch`es; `decode` is the VAE's, for losses in pixels."""

    def __init__(
        self, config: EMOConfig, loss: MovingLoss, clips: bool, speed: bool,
        decode: Callable[[Tensor], Tensor] | None = None,
    ) -> None:  # fmt: skip
        self.config, self.loss, self.clips, self.speed, self.decode = config, loss, clips, speed, decode
        self.dice = torch.Generator().manual_seed(0)
        self.critic: Critic | None = None  # made on the device of the first batch

    def prepare(
        self, forward: Callable[[Noised], Drawing], noised: Noised, generator: torch.Generator
    ) -> Noised:
        if self.loss.own_motion and self.roll() < self.loss.own_motion:
            noised = self.with_own_motion(forward, noised)
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
            made, true, weights = feature_crops(self.decode, drawing, batch)
            parts["pixels"] = self.loss.pixels * crop_error(made, true, weights).mean()
            if self.critic is not None:
                parts["critic"] = self.loss.critic * self.critic.fooled(made, true)
        return parts

    def roll(self) -> float:
        return float(torch.rand((), generator=self.dice))

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
        weights = SEEN_DRAWN * within(boxes, hidden.shape[-1]) + cover
        parts["painted"] = loss.painted * latents_error(drawing.painting.latents, latents, weights)
        return parts

    @torch.no_grad()
    def with_own_motion(self, forward: Callable[[Noised], Drawing], noised: Noised) -> Noised:
        """Motion frames as the model makes them, of noise alone."""
        batch, device = noised.batch, noised.noisy.device
        assert isinstance(batch, MovingBatch)
        dice = torch.Generator(device)
        dice.manual_seed(int(torch.randint(2**31, (), generator=self.dice)))
        noise = clip_noise(batch.latents.shape, self.config.schedule.shared_noise, dice)
        first = replace(noised, noisy=noise, timesteps=torch.full_like(noised.timesteps, TRAIN_STEPS - 1))
        made = forward(first).clean.float().unflatten(0, batch.latents.shape[:2])
        # what it makes of this clip is off from the truth as what it made of the one before would be
        off = (made - batch.latents)[:, : batch.motion.shape[1]]
        motion = batch.motion + off * batch.motion_kept[:, None, None, None, None]
        return replace(noised, batch=replace(batch, motion=motion))


def latents_error(made: Tensor, true: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean squared error of latents (N, C, H, W) by weights (N, 1, H, W)."""
    off = (made.float() - true).square().mean(1, keepdim=True)
    return (weights * off).sum() / weights.sum()


def feature_crops(
    decode: Callable[[Tensor], Tensor], drawing: Drawing, batch: MovingBatch
) -> tuple[Tensor, Tensor, Tensor]:
    """Made and true pixels (B*F, 3, S, S) of a window around an eye or the mouth of each frame, and weights
    (B*F, 1, S, S) of mean 1: one half is for the whole window, the other for what lies within lids and lips,
    which is a tenth of it.

    A decoder sees the end of a window as it sees that of a picture, so that its sides are cut off.
    """
    landmarks, rim = batch.landmarks.flatten(0, 1), 8 * RIM
    turns = torch.arange(len(landmarks), device=landmarks.device)
    chosen = torch.where(turns % 2 == 0, 2, turns // 2 % 2)  # every second one is a mouth
    middle = feature_boxes(landmarks)[turns, chosen].unflatten(1, (2, 2)).mean(1) / 8
    corner = (middle - WINDOW / 2).round().long().clamp(0, drawing.clean.shape[-1] - WINDOW)
    made = decode(windows(drawing.clean, corner, WINDOW))[..., rim:-rim, rim:-rim]
    corner, size = corner * 8 + rim, WINDOW * 8 - 2 * rim
    inside = within(feature_boxes(landmarks, TIGHT)[turns, chosen][:, None], SIDE)
    inside = windows(inside, corner, size)
    weights = 0.5 + 0.5 * inside / inside.mean(dim=(2, 3), keepdim=True).clamp(min=0.005)
    return made, windows(batch.pictures.flatten(0, 1), corner, size), weights


def crop_error(made: Tensor, true: Tensor, weights: Tensor) -> Tensor:
    """(N,) absolute error of pixels and of their gradients, weighted by (N, 1, S, S)."""
    off = weights * (made - true).abs()
    error = off.mean(dim=(1, 2, 3))
    for dim in (-1, -2):
        steep = (made.diff(dim=dim) - true.diff(dim=dim)).abs()
        error = error + (weights.narrow(dim, 1, steep.shape[dim]) * steep).mean(dim=(1, 2, 3))
    return error


def windows(maps: Tensor, corners: Tensor, size: int) -> Tensor:
    """Maps (N, C, H, W) cut to (N, C, size, size) from corners (N, 2) x, y on."""
    steps = torch.arange(size, device=maps.device)
    rows, columns = corners[:, 1, None] + steps, corners[:, 0, None] + steps
    picked = maps.gather(2, rows[:, None, :, None].expand(-1, maps.shape[1], -1, maps.shape[3]))
    return picked.gather(3, columns[:, None, None, :].expand(-1, maps.shape[1], size, -1))
