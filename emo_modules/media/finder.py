"""A small network that sees where faces are, and exactly how far they reach: ear to ear, hairline to chin."""

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .box import Box

FINDER_SIDE = 192  # px of the picture's long side
STRIDE = 8  # px of the finder's picture to a cell of its maps
DEEPEST = 32  # its pictures have sides that are multiples of this
TYPICAL_REACH = 24.0  # px from a face's centre to its sides
SURE = 0.5  # from this score on a peak is a face
SAME_FACE = 0.3  # overlap (IoU) above which two peaks are one face


def conv_block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.SiLU()
    )


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


def read_peaks(heat: Tensor, reach: Tensor) -> np.ndarray:
    """Boxes (K, 4) in the finder's px from scores (h, w) and distances (4, h, w); surest first."""
    top = (heat == F.max_pool2d(heat[None], 3, 1, 1)[0]) & (heat >= SURE)
    rows, columns = top.nonzero(as_tuple=True)
    order = heat[rows, columns].argsort(descending=True)
    rows, columns = rows[order], columns[order]
    x, y = ((place.float() + 0.5) * STRIDE for place in (columns, rows))
    left, above, right, below = reach[:, rows, columns]
    boxes = torch.stack([x - left, y - above, x + right, y + below], 1)
    kept: list[int] = []
    for k in range(len(boxes)):
        if all(_overlap(boxes[k], boxes[other]) < SAME_FACE for other in kept):
            kept.append(k)
    return boxes[kept].numpy().astype(np.float32)


def _overlap(a: Tensor, b: Tensor) -> float:
    return Box(*a.tolist()).iou(Box(*b.tolist()))
