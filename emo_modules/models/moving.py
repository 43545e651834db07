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
PAINTER_DEPTH = 3
COVER = -4.0  # logit of what the painter covers before it has learned
# Channels, on the latents' grid, of what is hidden, of the displacement and for the refiner
OUTPUTS = 1 + (2 + DETAIL) * FIELD**2


class Painting(NamedTuple):
    """Of N frames: more change (N, C, H, W); the latents (N, C, H, W) of eyes and mouth, and logits
    (N, 1, H, W) of where they cover what is there; logits (N, 1, H, W) that are added to what is hidden."""

    change: Tensor
    latents: Tensor
    cover: Tensor
    hidden: Tensor


class Drawing(NamedTuple):
    """What the Backbone makes of N noisy frames.

    displacement (N, 2, 2H, 2W): right and down, in widths and heights of the picture, from a place of the
    frame to the same place in the portrait; hidden (N, 1, H, W): logit of the share that the portrait does
    not show; drawn (N, C, H, W): the latents where all is hidden; painting: what they are in eyes and mouth;
    clean (N, C, H, W): the frame's latents; share (N, 1, H, W): of them that is not the moved portrait's.
    """

    displacement: Tensor
    hidden: Tensor
    drawn: Tensor
    painting: Painting
    clean: Tensor
    share: Tensor


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
    It reads the motion code, which alone shuts lids, for nothing in the portrait shows them shut.

    Of eyes and mouth it does not say a change but the latents themselves, which cover what is there:
    otherwise every stretched lip would have to be undone pixel by pixel. Elsewhere, where a turning head
    uncovers hair or a backdrop, the stretched portrait looks better than a mean would.

    What it paints comes back to the Backbone as a motion frame, so that its norms are needed: without them a
    head pitched as hardly ever in training made latents a thousand times too large, and spoilt all that came
    after.
    """

    def __init__(
        self,
        channels: int,
        code_dim: int | None = None,
        operations: type[Operations] = Operations,
        width: int = 64,
    ):
        super().__init__()
        self.patch = 8 // FIELD
        self.conv_in = operations.Conv2d(DETAIL + 3 * self.patch**2, width, 3, padding=1)
        if code_dim is not None:
            self.code_proj = zero_module(operations.Linear(code_dim, width))
        self.norm_in = operations.GroupNorm(8, width)
        self.downsample = operations.Conv2d(width, 2 * width, 2 * FIELD - 1, stride=FIELD, padding=FIELD - 1)
        self.norms = nn.ModuleList(operations.GroupNorm(8, 2 * width) for _ in range(PAINTER_DEPTH))
        self.convs = nn.ModuleList(
            operations.Conv2d(2 * width, 2 * width, 3, padding=1) for _ in range(PAINTER_DEPTH)
        )
        self.norm_out = operations.GroupNorm(8, 2 * width)
        self.conv_out = zero_module(operations.Conv2d(2 * width, 2 * channels + 2, 3, padding=1))

    def forward(self, detail: Tensor, moved: Tensor, code: Tensor | None = None) -> Painting:
        """DETAIL channels (N, DETAIL, 2H, 2W), the moved portrait (N, 3, 8H, 8W), what was read of the motion
        code (N, code_dim)."""
        h = self.conv_in(torch.cat([detail, F.pixel_unshuffle(moved, self.patch).to(detail)], dim=1))
        if code is not None:
            h = h + self.code_proj(F.silu(code))[:, :, None, None]
        h = self.norm_in(h)  # by its own name, so that what was there is given back: here is a pass's peak
        h = self.downsample(F.silu(h))
        for norm, conv in zip(self.norms, self.convs, strict=True):
            h = h + conv(F.silu(norm(h)))
        outputs = self.conv_out(F.silu(self.norm_out(h)))
        channels = outputs.shape[1] // 2 - 1
        change, latents, cover, hidden = outputs.split([channels, channels, 1, 1], dim=1)
        return Painting(change, latents, cover + COVER, hidden)


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
