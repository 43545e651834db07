"""A small network that sees where faces are, and exactly how far they reach: ear to ear, hairline to chin."""

from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .box import Box, iou

FINDER_SIDE = 192  # px of the picture's long side
STRIDE = 8  # px of the finder's picture to a cell of its maps
DEEPEST = 32  # its pictures have sides that are multiples of this
TYPICAL_REACH = 24.0  # px from a face's centre to its sides
SURE = 0.5  # from this score on a peak is a face
DRAWN_WIDTHS = (8, 16, 20, 24, 32)  # of the network that detection asks for drawn faces
SAME_FACE = 0.3  # overlap (IoU) above which two peaks are one face


def conv_block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.SiLU()
    )


def fuse_norms(net: nn.Module) -> None:
    """Makes each normalisation part of the convolution before it: faster, but no more to be trained."""
    for block in [block for block in net.modules() if isinstance(block, nn.Sequential)]:
        for k, (conv, norm) in enumerate(pairwise(block)):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                block[k], block[k + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()


class FaceFinder(nn.Module):
    """Pictures (N, 3, H, W) in 0..1, sides multiples of 32 -> maps at 1/8: the logit of a face's centre
    (N, H/8, W/8), and how far the box's left, top, right and bottom are from the cell's centre in px
    (N, 4, H/8, W/8)."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 48, 64, 96)) -> None:
        super().__init__()
        self.down = nn.ModuleList(conv_block(a, b, 2) for a, b in pairwise((3, *widths)))
        kept = widths[2:]
        self.across = nn.ModuleList(nn.Conv2d(width, kept[0], 1) for width in kept)
        self.up = nn.ModuleList(conv_block(kept[0], kept[0]) for _ in kept)
        self.out = nn.Conv2d(kept[0], 5, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        levels, x = [], pictures - 0.5
        for k, down in enumerate(self.down):
            x = down(x)
            if k >= 2:
                levels.append(x)
        merged = torch.zeros_like(self.across[-1](levels[-1]))
        for level, across, up in zip(
            *(reversed(part) for part in (levels, self.across, self.up)), strict=True
        ):
            merged = up(across(level) + F.interpolate(merged, size=level.shape[-2:], mode="nearest"))
        out = self.out(merged).float()
        return out[:, 0], TYPICAL_REACH * out[:, 1:].clamp(-4, 4).exp()

    @classmethod
    def load(cls, path: Path, widths: tuple[int, ...]) -> Self:
        """From safetensors, frozen, in evaluation mode."""
        finder = cls(widths)
        stored = {name: value.float() for name, value in load_file(path).items()}
        finder.load_state_dict(finder.state_dict() | stored)
        return finder.requires_grad_(False).eval()

    @torch.no_grad()
    def find(self, picture: Tensor, least: float = SURE) -> list[tuple[Box, float]]:
        """Boxes and scores, surest first, of the faces in a picture (H, W, 3) in 0..1 that score `least`."""
        height, width = picture.shape[:2]
        scale = FINDER_SIDE / max(height, width)
        size = [max(1, round(side * scale)) for side in (height, width)]
        small = F.interpolate(picture.movedim(-1, 0)[None], size=size, mode="bilinear", antialias=True)
        heat, reach = self._both_ways(small)
        boxes, scores = read_peaks(heat, _steadied(heat, reach), least)
        back = width / size[1], height / size[0]
        found = (Box(*box).mapped(0, 0, *back) for box in boxes.tolist())
        return list(zip(found, scores.tolist(), strict=True))

    def _both_ways(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (h, w) and reach (4, h, w), averaged with those of its mirror image."""
        height, width = picture.shape[-2:]
        rest = (0, -width % DEEPEST, 0, -height % DEEPEST)
        padded = F.pad(picture, rest, value=0.5)
        heat, reach = self(torch.cat([padded, padded.flip(-1)]))
        heat = (heat[0].sigmoid() + heat[1].sigmoid().flip(-1)) / 2
        return heat, (reach[0] + reach[1].flip(-1)[[2, 1, 0, 3]]) / 2


def _steadied(heat: Tensor, reach: Tensor) -> Tensor:
    """Reach (4, h, w) such that a cell's box is the mean of those around it, weighted by their scores."""
    rows, columns = heat.shape
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    here = STRIDE * torch.stack([x, y, x, y]).float()
    ways = torch.tensor([-1.0, -1.0, 1.0, 1.0])[:, None, None]
    weight = heat.square()[None]
    edges = F.avg_pool2d((here + ways * reach) * weight, 3, 1, 1) / F.avg_pool2d(weight, 3, 1, 1)
    return (edges - here) * ways


def read_peaks(heat: Tensor, reach: Tensor, least: float = SURE) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (K, 4) in the finder's px and their scores (K,), surest first, from scores (h, w) and distances
    (4, h, w); peaks below `least` are none."""
    top = (heat == F.max_pool2d(heat[None], 3, 1, 1)[0]) & (heat >= least)
    rows, columns = top.nonzero(as_tuple=True)
    order = heat[rows, columns].argsort(descending=True)
    rows, columns = rows[order], columns[order]
    scores = heat[rows, columns]
    x, y = ((place.float() + 0.5) * STRIDE for place in (columns, rows))
    left, above, right, below = reach[:, rows, columns]
    boxes = torch.stack([x - left, y - above, x + right, y + below], 1).double().numpy()
    kept: list[int] = []
    for k in range(len(boxes)):
        if (iou(boxes[kept], boxes[k]) < SAME_FACE).all():
            kept.append(k)
    return boxes[kept].astype(np.float32), scores[kept].numpy()
