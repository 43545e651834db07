"""Other views of the same clips: mirrored, cut out and turned, so that few people stand in many places."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

SHARE = 0.7  # of the clips; of the others all is seen, upright
CLOSEST = 0.65  # of the picture's side that is left at least
LARGEST = 0.95  # of a view that a face's box takes at most
OFF_CENTRE = 0.3  # of half a view's side by which the face's middle may be off its own
TILT = 0.14  # radians


@dataclass(frozen=True)
class Views:
    """Where places of views were in their pictures, both in -1..1: matrices (B, 2, 2), shifts (B, 2)."""

    matrices: Tensor
    shifts: Tensor

    @property
    def mirrored(self) -> Tensor:
        """(B,) true where left and right are exchanged."""
        return self.matrices.det() < 0

    def pictures(self, maps: Tensor) -> Tensor:
        """(B, F, C, H, W) of any type -> same, as float32."""
        count, frames = maps.shape[:2]
        affine = torch.cat([self.matrices, self.shifts[:, :, None]], dim=2).repeat_interleave(frames, dim=0)
        grid = F.affine_grid(affine, [count * frames, *maps.shape[2:]], align_corners=False)
        seen = F.grid_sample(maps.flatten(0, 1).float(), grid, padding_mode="border", align_corners=False)
        return seen.unflatten(0, (count, frames))

    def displacements(self, fields: Tensor) -> Tensor:
        """(B, F, 2, H, W) -> same: what a step in the picture is in the view."""
        return torch.einsum("bij,bfjhw->bfihw", self.matrices.inverse(), self.pictures(fields))

    def points(self, points: Tensor) -> Tensor:
        """(B, ..., 2) in fractions of the sides -> same."""
        flat = 2 * points.flatten(1, -2) - 1 - self.shifts[:, None]
        turned = torch.einsum("bij,bnj->bni", self.matrices.inverse(), flat)
        return ((turned + 1) / 2).reshape(points.shape)

    def boxes(self, boxes: Tensor) -> Tensor:
        """(B, 4) in fractions -> the smallest around what became of them."""
        corners = self.points(boxes[:, [0, 1, 2, 1, 0, 3, 2, 3]].unflatten(1, (4, 2)))
        return torch.cat([corners.amin(1), corners.amax(1)], dim=1)


def draw_views(boxes: Tensor, generator: torch.Generator) -> Views:
    """For faces in boxes (B, 4), fractions of the sides, that stay in sight."""

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=boxes.device)

    count = len(boxes)
    closest = ((boxes[:, 2:] - boxes[:, :2]).amax(1) / LARGEST).clamp(CLOSEST, 1)
    other = (rand(count) < SHARE).float()
    scale = 1 - other * rand(count) * (1 - closest)
    middle, free = boxes.unflatten(1, (2, 2)).sum(1) - 1, (1 - scale)[:, None]
    wanted = middle + OFF_CENTRE * scale[:, None] * (2 * rand(count, 2) - 1)
    shifts = torch.minimum(torch.maximum(wanted, -free), free)
    angle = other * TILT * (2 * rand(count) - 1)
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    side = torch.where(rand(count) < 0.5, -1.0, 1.0)
    matrices = torch.stack([side * cosine, -sine, side * sine, cosine], dim=1).unflatten(1, (2, 2))
    return Views(matrices, shifts)
