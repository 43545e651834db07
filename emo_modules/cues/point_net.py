"""A small network that reads points and numbers off a picture of a face or of a part of it."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import conv_block

REACH = 1.2  # of the picture's half side: how far from its middle a point can be seen to be
HIDDEN = 128


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = conv_block(width, width)
        self.outer = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(self.inner(x))


class Looked(NamedTuple):
    """Of N pictures: points (N, K, 2), -1..1 to the right and down; numbers (N, V); and the logits of the
    maps (N, K, h, w) whose chances have the points for their mean places."""

    points: Tensor
    numbers: Tensor
    maps: Tensor


class PointNet(nn.Module):
    """Pictures (N, 3, S, S) in 0..1 -> `Looked`.

    Each point is the mean place of a map of chances at a quarter or an eighth of the side, which follows it
    by parts of a pixel; the numbers are read off the coarsest features and the points.
    """

    def __init__(
        self, side: int, points: int, numbers: int, widths: tuple[int, int, int, int], fine: bool
    ) -> None:
        super().__init__()
        a, b, c, d = widths
        self.quarter = nn.Sequential(conv_block(3, a, 2), conv_block(a, b, 2))
        self.eighth = nn.Sequential(conv_block(b, c, 2), Residual(c))
        self.coarse = nn.Sequential(conv_block(c, d, 2), Residual(d))
        self.up = nn.ModuleList([_Up(d, c, c)])
        if fine:
            self.up.append(_Up(c, b, b))
        self.maps = nn.Conv2d(b if fine else c, points, 1)
        last = -(-side // 32)
        self.whole = nn.Sequential(conv_block(d, d, 2), nn.Flatten(), nn.Linear(d * last * last, HIDDEN))
        self.numbers = nn.Sequential(nn.SiLU(), nn.Linear(HIDDEN, numbers))
        self.from_points = nn.Linear(2 * points, HIDDEN, bias=False)

    def forward(self, pictures: Tensor) -> Looked:
        quarter = self.quarter(pictures - 0.5)
        eighth = self.eighth(quarter)
        coarse = self.coarse(eighth)
        x = coarse
        for up, finer in zip(self.up, (eighth, quarter), strict=False):
            x = up(x, finer)
        maps = self.maps(x).float()
        points = mean_places(maps)
        hidden = self.whole(coarse).float() + self.from_points(points.flatten(1)).float()
        return Looked(points, self.numbers(hidden).float(), maps)


class _Up(nn.Module):
    """Joins coarse features with those of twice the resolution."""

    def __init__(self, coarse: int, finer: int, out: int) -> None:
        super().__init__()
        self.above = nn.Conv2d(coarse, out, 1)
        self.across = nn.Conv2d(finer, out, 1)
        self.join = conv_block(out, out)

    def forward(self, coarse: Tensor, finer: Tensor) -> Tensor:
        enlarged = F.interpolate(self.above(coarse), size=finer.shape[-2:], mode="nearest")
        return self.join(enlarged + self.across(finer))


def mean_places(maps: Tensor) -> Tensor:
    """Where the chances of maps (N, K, h, w), which are logits, lie on average: (N, K, 2), -1..1."""
    chances = maps.flatten(2).softmax(-1).unflatten(2, maps.shape[2:])
    y, x = (cell_places(count) for count in maps.shape[2:])
    return torch.stack([chances.sum(2) @ x, chances.sum(3) @ y], -1)


def cell_places(count: int) -> Tensor:
    """Where the middles of so many cells along a side lie: (count,), within -REACH..REACH."""
    return REACH * ((torch.arange(count) + 0.5) * 2 / count - 1)
