"""Eyes and mouths of faces: where they are, and how far off they are."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

EYES, MOUTH = (slice(36, 42), slice(42, 48)), slice(48, 68)  # of the 68 landmarks
FEATURES, NOSE = slice(36, 68), slice(27, 36)  # lids and lips, and what they move against
FACE = 128.0  # px, the width of a face in which an error of points is told
TIGHT = 0.05  # room around lids and lips for what lies within them
WINDOW, RIM = 12, 2  # latents that are decoded around a feature, and how many at their sides only for that


def feature_boxes(landmarks: Tensor, around: float = 0.35) -> Tensor:
    """(..., 68, 2) px -> (..., 3, 4) px: boxes around both eyes and the mouth, with room, in shares of the
    longer side, for lids and lips to move in."""
    boxes = []
    for points in (*(landmarks[..., eye, :] for eye in EYES), landmarks[..., MOUTH, :]):
        low, high = points.amin(-2), points.amax(-2)
        room = around * (high - low).amax(-1, keepdim=True)
        boxes.append(torch.cat([low - room, high + room], dim=-1))
    return torch.stack(boxes, dim=-2)


def within(boxes: Tensor, size: int, side: int) -> Tensor:
    """Boxes (N, K, 4) px of pictures of this side -> (N, 1, size, size): 1 where a place is in one of them, 0
    elsewhere."""
    boxes = boxes / side
    places = (torch.arange(size, device=boxes.device) + 0.5) / size
    across = (places >= boxes[..., 0, None]) & (places < boxes[..., 2, None])
    down = (places >= boxes[..., 1, None]) & (places < boxes[..., 3, None])
    return (down[..., :, None] & across[..., None, :]).any(1, keepdim=True).float()


def distance(error: Tensor, soft: float) -> Tensor:
    """Length of errors (N, 2, H, W) in px -> (N, 1, H, W): squared below `soft` px, linear above, so that a
    head turned otherwise than truth does not outweigh lips."""
    return (error.square().sum(1, keepdim=True) + soft**2).sqrt() - soft


def at_landmarks(maps: Tensor, landmarks: Tensor, side: int) -> Tensor:
    """What maps (N, C, H, W) have at landmarks (N, 68, 2), px of pictures of this side -> (N, C, 68, 1)."""
    places = (landmarks / (side / 2) - 1)[:, :, None]
    return F.grid_sample(maps, places.to(maps), padding_mode="border", align_corners=False)


def against_nose(errors: Tensor, landmarks: Tensor) -> Tensor:
    """Errors (N, 2, 68, 1) of landmarks (N, 68, 2), px -> (N, 2, 32, 1): those of lids and lips less the
    nose's, in px of a face of FACE px."""
    jaw = landmarks[:, :17, 0]
    scale = FACE / (jaw.amax(1) - jaw.amin(1)).clamp(min=FACE / 8)
    return (errors[:, :, FEATURES] - errors[:, :, NOSE].mean(2, keepdim=True)) * scale[:, None, None, None]


def latents_error(made: Tensor, true: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean squared error of latents (N, C, H, W) by weights (N, 1, H, W)."""
    off = (made.float() - true).square().mean(1, keepdim=True)
    return (weights * off).sum() / weights.sum()


def feature_crops(
    decode: Callable[[Tensor], Tensor], clean: Tensor, pictures: Tensor, landmarks: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Latents (N, C, H, W) and true pictures (N, 3, 8H, 8W) with landmarks (N, 68, 2), px -> made and true
    pixels (N, 3, S, S) of a window around an eye or the mouth of each, and weights (N, 1, S, S) of mean 1:
    one half is for the whole window, the other for what lies within lids and lips, which is a tenth of it.

    A decoder sees the end of a window as it sees that of a picture, so that its sides are cut off.
    """
    rim, side, window = 8 * RIM, pictures.shape[-1], min(WINDOW, clean.shape[-1])
    turns = torch.arange(len(landmarks), device=landmarks.device)
    chosen = torch.where(turns % 2 == 0, 2, turns // 2 % 2)  # every second one is a mouth
    middle = feature_boxes(landmarks)[turns, chosen].unflatten(1, (2, 2)).mean(1) / 8
    corner = (middle - window / 2).round().long().clamp(0, clean.shape[-1] - window)
    made = decode(windows(clean, corner, window))[..., rim:-rim, rim:-rim]
    corner, size = corner * 8 + rim, window * 8 - 2 * rim
    inside = within(feature_boxes(landmarks, TIGHT)[turns, chosen][:, None], side, side)
    inside = windows(inside, corner, size)
    weights = 0.5 + 0.5 * inside / inside.mean(dim=(2, 3), keepdim=True).clamp(min=0.005)
    return made, windows(pictures, corner, size), weights


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
