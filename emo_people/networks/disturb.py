"""Renders made as unlike one another as photographs and films are: covered, unevenly lit, compressed.

What a network must not learn is varied here far beyond what looks right, so that photographs lie within it.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from .degrade import quantise

KERNEL = 9  # px of the blur's, which reaches a third of it at most
LOW, HIGH = 1.5, 4.0  # how many times coarser some pictures are made

Change = Callable[[Tensor, torch.Generator], Tensor]


def disturb(pictures: Tensor, generator: torch.Generator, covered: float = 0.3) -> Tensor:
    """Pictures (N, 3, H, W) in 0..1, each disturbed in its own way and a tenth of them not at all; the share
    `covered` of them is partly hidden behind something. H and W are multiples of 8."""

    def change(some: Tensor, generator: torch.Generator) -> Tensor:
        steps: tuple[tuple[float, Change], ...] = (
            (covered, cover),
            (0.15, paint),
            (1.0, recolour),
            (0.05, posterise),
            (0.5, shade),
            (0.5, blur),
            (0.2, coarsen),
            (1.0, expose),
            (0.4, curve),
            (0.6, add_noise),
            (0.3, compress),
        )
        for share, step in steps:
            some = _in_some(some, share, step, generator)
        return some

    return _in_some(pictures.clone(), 0.9, change, generator)


def _in_some(pictures: Tensor, share: float, change: Change, generator: torch.Generator) -> Tensor:
    """Changes a run of the pictures that begins anywhere, in place."""
    count = round(share * len(pictures))
    if count:
        first = int(torch.randint(len(pictures) - count + 1, (), generator=generator))
        pictures[first : first + count] = change(pictures[first : first + count], generator)
    return pictures


def cover(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """An ellipse, a bar, or a half of each shows something else: another of the pictures, enlarged, or a
    plain colour."""
    count, _, height, width = pictures.shape
    draw = partial(torch.rand, count, 1, 1, generator=generator)
    angle, x0, y0 = 2 * math.pi * draw(), 1.6 * draw() - 0.8, 1.8 * draw() - 0.7
    along, across = _turned(pictures, angle, x0, y0)
    kind, long, short = draw(), 0.1 + 0.6 * draw(), 0.08 + 0.35 * draw()
    ellipse = (along / long) ** 2 + (across / short) ** 2 - 1
    bar = torch.maximum(along.abs() / (3 * long), across.abs() / short) - 1
    edge = torch.where(kind < 0.45, ellipse, torch.where(kind < 0.8, bar, along + 0.1))
    mask = torch.sigmoid(-edge * (4 + 30 * draw()))
    zoom = height // 3
    top, left = (int(torch.randint(0, side - zoom, (), generator=generator)) for side in (height, width))
    part = pictures.roll(1, 0)[:, :, top : top + zoom, left : left + zoom]
    other = F.interpolate(part, (height, width), mode="bilinear")
    colour = torch.rand(count, 3, 1, 1, generator=generator)
    other = torch.where(draw()[..., None] < 0.5, other, colour + 0.3 * (other - 0.5))
    return torch.lerp(pictures, other, mask[:, None])


def paint(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """One colour on a part of each, as make-up, face paint or a coloured lamp: folds and edges stay."""
    count, _, height, width = pictures.shape
    draw = partial(torch.rand, count, 1, 1, generator=generator)
    angle, x0, y0 = 2 * math.pi * draw(), 1.2 * draw() - 0.6, 1.2 * draw() - 0.6
    along, across = _turned(pictures, angle, x0, y0)
    away = (along / (0.1 + 0.9 * draw())) ** 2 + (across / (0.06 + 0.5 * draw())) ** 2
    mask = (0.3 + 0.7 * draw()) * torch.sigmoid((1 - away) * (2 + 15 * draw()))
    light = pictures.mean(1, keepdim=True)
    light = light / light.mean((2, 3), keepdim=True).clamp(min=0.05)
    colour = torch.rand(count, 3, 1, 1, generator=generator) * light
    return torch.lerp(pictures, colour.clamp(0, 1), mask[:, None])


def posterise(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Of few tones, as prints and drawings are."""
    tones = 3 + (5 * torch.rand(len(pictures), 1, 1, 1, generator=generator)).floor()
    flat = ((pictures * tones).round() / tones).clamp(0, 1)
    return torch.lerp(pictures, flat, 0.4 + 0.6 * torch.rand(len(pictures), 1, 1, 1, generator=generator))


def recolour(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Other white balance, saturation, and now and then grey or with the colours mixed."""
    count = len(pictures)
    draw = partial(torch.rand, count, 1, 1, generator=generator)
    mix = torch.eye(3) + 0.12 * draw() * torch.randn(count, 3, 3, generator=generator)
    grey = torch.tensor([0.3, 0.59, 0.11]).expand(3, 3)
    left = torch.where(draw() < 0.15, 0.0, 0.4 + 0.9 * draw())  # of the colour
    mix = (left * torch.eye(3) + (1 - left) * grey) @ mix
    gain = 1 + 0.2 * (2 * torch.rand(count, 3, 1, generator=generator) - 1)
    return ((mix * gain) @ pictures.flatten(2)).unflatten(2, pictures.shape[2:])


def shade(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Light and shade across the picture, soft or with an edge."""
    count = len(pictures)
    draw = partial(torch.rand, count, 1, 1, 1, generator=generator)
    cells = int(torch.randint(2, 5, (), generator=generator))
    field = torch.randn(count, 1, cells, cells, generator=generator).clamp(-1.5, 1.5)
    field = F.interpolate(field, pictures.shape[2:], mode="bicubic")
    field = torch.where(draw() < 0.2, torch.tanh(6 * field), field)
    return pictures * (0.6 * draw() * field).exp()


def blur(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Out of focus or moved: a Gaussian, longer in one direction."""
    count = len(pictures)
    draw = partial(torch.rand, count, 1, 1, generator=generator)
    place = torch.arange(KERNEL) - KERNEL // 2
    y, x = torch.meshgrid(place.float(), place.float(), indexing="ij")
    angle, sigma = math.pi * draw(), 0.3 + 1.2 * draw() ** 2
    longer = torch.where(draw() < 0.25, sigma + 2.0 * draw(), sigma)
    along, across = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    kernel = torch.exp(-((along / longer) ** 2 + (across / sigma) ** 2) / 2)
    kernel = (kernel / kernel.sum((1, 2), keepdim=True)).repeat_interleave(3, 0)[:, None]
    planes = F.pad(pictures, [KERNEL // 2] * 4, mode="replicate").flatten(0, 1)[None]
    return F.conv2d(planes, kernel, groups=3 * count)[0].unflatten(0, (count, 3))


def coarsen(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Of fewer pixels, enlarged again."""
    size = pictures.shape[2:]
    factor = LOW + (HIGH - LOW) * float(torch.rand((), generator=generator))
    small = F.interpolate(pictures, [round(side / factor) for side in size], mode="bilinear", antialias=True)
    return F.interpolate(small, size, mode="bilinear")


def expose(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Darker, brighter, flatter, steeper."""
    draw = partial(torch.rand, len(pictures), 1, 1, 1, generator=generator)
    gain = torch.where(draw() < 0.15, 0.12 + 0.4 * draw(), 0.65 + 0.7 * draw())
    out = (pictures * gain - 0.5) * (0.7 + 0.5 * draw()) + 0.5 + 0.1 * (draw() - 0.5)
    return out.clamp(0, 1)


def curve(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Another gamma."""
    gamma = 0.55 + 1.0 * torch.rand(len(pictures), 1, 1, 1, generator=generator)
    return pictures.clamp(1e-4, 1) ** gamma


def add_noise(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """A camera's, of single pixels or of four."""
    count, channels, height, width = pictures.shape
    draw = partial(torch.rand, count, 1, 1, 1, generator=generator)
    if float(torch.rand((), generator=generator)) < 0.5:
        coarse = torch.randn(count, channels, height // 2, width // 2, generator=generator)
        noise = F.interpolate(coarse, (height, width))
    else:
        noise = torch.randn(pictures.shape, generator=generator)
    return (pictures + 0.09 * draw() ** 2 * noise).clamp(0, 1)


def compress(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """As JPEG does."""
    step = 0.006 + 0.05 * torch.rand(len(pictures), 1, 1, 1, generator=generator) ** 2
    return quantise(pictures, step).clamp(0, 1)


def _turned(pictures: Tensor, angle: Tensor, x0: Tensor, y0: Tensor) -> tuple[Tensor, Tensor]:
    """Each pixel's place (N, H, W) along and across axes at an angle through (x0, y0); the pictures reach
    from -1 to 1."""
    height, width = pictures.shape[2:]
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    along = (x - x0) * angle.cos() + (y - y0) * angle.sin()
    return along, (y - y0) * angle.cos() - (x - x0) * angle.sin()
