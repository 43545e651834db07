"""A portrait whose pixels move, and what is drawn where it does not show the frame; not in the paper.

Latents cannot be shifted by a part of their grid, so that a network that copies a face in them smears its
eyes. Here the Backbone says where every place of a frame was in the portrait; pixels are fetched from there
and encoded, and latents are drawn only for what the portrait hides: the inside of a mouth, lids, what a head
turns into view.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Operations, zero_module

FIELD = 2  # the displacement has so many values along a latent's side
DETAIL = 24  # channels that the Backbone gives the refiner for each of them
# Channels, on the latents' grid, of what is hidden, of the displacement and for the refiner
OUTPUTS = 1 + (2 + DETAIL) * FIELD**2


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


class Refiner(nn.Module):
    """What a displacement lacks, seen from the portrait as it moved: a place of the Backbone is as large as a
    mouth. Convolutions over the displacement's places; the last one is zero at the start."""

    def __init__(self, operations: type[Operations] = Operations, width: int = 48):
        super().__init__()
        self.patch = 8 // FIELD  # px along the side of a place
        self.conv_in = operations.Conv2d(DETAIL + 3 * self.patch**2, width, 3, padding=1)
        self.conv1 = operations.Conv2d(width, width, 3, padding=1)
        self.conv2 = operations.Conv2d(width, width, 3, padding=1)
        self.conv_out = zero_module(operations.Conv2d(width, 2, 3, padding=1))

    def forward(self, detail: Tensor, moved: Tensor) -> Tensor:
        """DETAIL channels (N, DETAIL, 2H, 2W), the moved portrait (N, 3, 8H, 8W) -> (N, 2, 2H, 2W), in places
        of the latents."""
        h = self.conv_in(torch.cat([detail, F.pixel_unshuffle(moved, self.patch).to(detail)], dim=1))
        h = h + self.conv1(F.silu(h))
        h = h + self.conv2(F.silu(h))
        return self.conv_out(F.silu(h))


class Painter(nn.Module):
    """What the portrait hides, seen from how it moved: where lips have parted is known to a pixel only then.
    The last convolution is zero at the start."""

    def __init__(self, channels: int, operations: type[Operations] = Operations, width: int = 64):
        super().__init__()
        self.patch = 8 // FIELD
        self.conv_in = operations.Conv2d(DETAIL + 3 * self.patch**2, width, 3, padding=1)
        self.downsample = operations.Conv2d(width, 2 * width, 2 * FIELD - 1, stride=FIELD, padding=FIELD - 1)
        self.conv1 = operations.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.conv2 = operations.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.conv_out = zero_module(operations.Conv2d(2 * width, channels + 1, 3, padding=1))

    def forward(self, detail: Tensor, moved: Tensor) -> tuple[Tensor, Tensor]:
        """DETAIL channels (N, DETAIL, 2H, 2W), the moved portrait (N, 3, 8H, 8W) -> more change (N, C, H, W),
        and logits (N, 1, H, W) that are added to what is hidden."""
        h = self.conv_in(torch.cat([detail, F.pixel_unshuffle(moved, self.patch).to(detail)], dim=1))
        h = self.downsample(F.silu(h))
        h = h + self.conv1(F.silu(h))
        h = h + self.conv2(F.silu(h))
        change, hidden = self.conv_out(F.silu(h)).split([self.conv_out.out_channels - 1, 1], dim=1)
        return change, hidden


def split_outputs(outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(N, C + OUTPUTS, H, W) -> change (N, C, H, W), hidden and displacement as `Drawing` has them, and
    detail (N, DETAIL, 2H, 2W). The Backbone gives displacements in places of the latents, whatever their
    size."""
    change, hidden, field = outputs.split([outputs.shape[1] - OUTPUTS, 1, OUTPUTS - 1], dim=1)
    field = F.pixel_shuffle(field, FIELD)
    return change, hidden, in_pictures(field[:, :2]), field[:, 2:]


def in_pictures(field: Tensor) -> Tensor:
    """Displacements (N, 2, 2H, 2W) in places of the latents -> in widths and heights of the picture."""
    x, y = field.unbind(1)
    return FIELD * torch.stack([x / field.shape[-1], y / field.shape[-2]], dim=1)


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
        moved = F.grid_sample(sources, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return moved.to(pixels.dtype)
