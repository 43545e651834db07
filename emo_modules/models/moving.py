"""A portrait whose pixels move, and what is drawn where it does not show the frame; not in the paper.

Latents cannot be shifted by a part of their grid, so that a network that copies a face in them smears its
eyes. Here the Backbone says where every place of a frame was in the portrait; pixels are fetched from there
and encoded, and latents are drawn only for what the portrait hides: the inside of a mouth, lids, what a head
turns into view.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

FIELD = 2  # the displacement has so many values along a latent's side
OUTPUTS = 1 + 2 * FIELD**2  # channels of what is hidden and of the displacement, on the latents' grid


class Drawing(NamedTuple):
    """What the Backbone makes of N noisy frames.

    displacement (N, 2, 2H, 2W): right and down, in widths and heights of the picture, from a place of the
    frame to the same place in the portrait; hidden (N, 1, H, W): logit of the share that the portrait does
    not show; clean (N, C, H, W): the frame's latents; drawn (N, C, H, W): what they are where all is hidden.
    """

    displacement: Tensor
    hidden: Tensor
    drawn: Tensor
    clean: Tensor


def split_outputs(outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(N, C + OUTPUTS, H, W) -> change (N, C, H, W), hidden and displacement as `Drawing` has them. The
    Backbone gives displacements in places of the latents, whatever their size."""
    change, hidden, field = outputs.split([outputs.shape[1] - OUTPUTS, 1, OUTPUTS - 1], dim=1)
    x, y = F.pixel_shuffle(field, FIELD).unbind(1)
    return change, hidden, torch.stack([x / outputs.shape[-1], y / outputs.shape[-2]], dim=1)


def move(pixels: Tensor, displacement: Tensor) -> Tensor:
    """Pictures (B, C, H, W) as they look moved by displacements (B*F, 2, h, w) of any size -> (B*F, C, H, W).

    Computed in float32: half precision cannot tell neighbouring pixels apart.
    """
    count, (height, width) = len(displacement), pixels.shape[-2:]
    with torch.autocast(displacement.device.type, enabled=False):
        field = F.interpolate(displacement.float(), (height, width), mode="bilinear", align_corners=False)
        x = (torch.arange(width, device=field.device) + 0.5) * (2 / width) - 1
        y = (torch.arange(height, device=field.device) + 0.5) * (2 / height) - 1
        grid = torch.stack([x + 2 * field[:, 0], y[:, None] + 2 * field[:, 1]], dim=-1)
        sources = pixels.float().repeat_interleave(count // len(pixels), dim=0)
        moved = F.grid_sample(sources, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return moved.to(pixels.dtype)
