"""Lips of other colours: a reader must not take dark lips for an open mouth, nor pale ones for skin."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

OUTER = 12  # points of the outer contour, which come first


def colour_lips(pictures: Tensor, places: Tensor, generator: torch.Generator) -> Tensor:
    """Mouths (N, 3, S, S) in 0..1 whose lips, by their 20 points (N, 20, 2) in -1..1, have one colour each,
    more or less opaque; folds and highlights stay."""
    draw = partial(torch.rand, len(pictures), 1, 1, 1, generator=generator)
    mask = F.avg_pool2d(lip_mask(places, pictures.shape[-1])[:, None], 3, 1, 1)
    light = pictures.mean(1, keepdim=True)
    on_lips = (light * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True).clamp(min=1)
    colour = torch.rand(len(pictures), 3, 1, 1, generator=generator) * torch.where(draw() < 0.4, 0.3, 1.0)
    colour = torch.where(draw() < 0.3, colour.mean(1, keepdim=True), colour)
    coloured = (colour * light / on_lips.clamp(min=0.02)).clamp(0, 1)
    return torch.lerp(pictures, coloured, mask * (0.3 + 0.7 * draw()))


def lip_mask(places: Tensor, side: int) -> Tensor:
    """(N, S, S), 1 between the outer and the inner contour of mouths (N, 20, 2) in -1..1: what an odd number
    of their edges separates from the left margin."""
    outer, inner = places[:, :OUTER], places[:, OUTER:]
    start = places[:, :, None, None]
    end = torch.cat([outer.roll(-1, 1), inner.roll(-1, 1)], 1)[:, :, None, None]
    pixels = (torch.arange(side) + 0.5) * 2 / side - 1
    x, y = pixels[None, :], pixels[:, None]
    crosses = (start[..., 1] > y) != (end[..., 1] > y)
    run, rise = (end - start).unbind(-1)
    # of a level edge, which crosses no row, the slope does not matter
    at = start[..., 0] + (y - start[..., 1]) * (run / torch.where(rise == 0, 1.0, rise))
    return ((crosses & (at < x)).sum(1) % 2).float()
