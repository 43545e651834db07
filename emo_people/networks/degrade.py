"""Pictures as footage and video files leave them: softer, noisy, compressed, in other light."""

import math
import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from emo_modules.media.video import VideoWriter, read_video

from ..filming.speakers import FPS

BLOCK = 8


def degrade(pictures: Tensor, generator: torch.Generator, noise: float) -> Tensor:
    """Pictures (N, 3, H, W) in 0..1 as footage shows them: softer, noisy, compressed, in other light.

    noise is the most that a picture's grain deviates.
    """
    amount = partial(_amounts, len(pictures), generator)
    halved = F.avg_pool2d(pictures, 2)
    if float(torch.rand((), generator=generator)) < 0.3:
        halved = F.interpolate(F.avg_pool2d(halved, 2), scale_factor=2.0, mode="bilinear")
    soft = F.interpolate(halved, scale_factor=2.0, mode="bilinear")
    out = torch.lerp(pictures, soft, amount(1.3))
    blocks = torch.randn(len(pictures), 3, *(side // 8 for side in pictures.shape[-2:]), generator=generator)
    out = out + amount(0.4 * noise) * F.interpolate(blocks, size=pictures.shape[-2:], mode="nearest")
    out = out + amount(noise) * torch.randn(pictures.shape, generator=generator)
    gain = 1 + 0.15 * (2 * torch.rand(len(pictures), 3, 1, 1, generator=generator) - 1)
    return (out * gain + (amount(0.1) - amount(0.1))).clamp(0, 1)


def relight(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures (N, 3, H, W) in 0..1 in any light: dark, bright, from one side, flat, hard, tinted, grey."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(len(pictures), *shape, generator=generator)

    gamma = torch.exp2(uniform(-0.7, 0.7, 1, 1, 1))
    out = pictures.clamp(1e-4, 1) ** gamma
    contrast, tint = uniform(0.5, 1.2, 1, 1, 1), uniform(0.85, 1.15, 3, 1, 1)
    mean = out.mean((1, 2, 3), keepdim=True)
    out = (mean + (out - mean) * contrast) * tint
    corners = uniform(0.5, 1.2, 1, 2, 2)
    side = F.interpolate(corners, size=pictures.shape[-2:], mode="bilinear", align_corners=True)
    dark = torch.where(uniform(0, 1, 1, 1, 1) < 0.15, uniform(0.08, 0.5, 1, 1, 1), 1.0)
    out = out * torch.where(uniform(0, 1, 1, 1, 1) < 0.4, side, 1.0) * dark
    grey = out.mean(1, keepdim=True).expand_as(out)
    return torch.where(uniform(0, 1, 1, 1, 1) < 0.15, grey, out).clamp(0, 1)


def _amounts(count: int, generator: torch.Generator, most: float) -> Tensor:
    """(N, 1, 1, 1), mostly little: clean pictures must stay in the mix."""
    return most * torch.rand(count, 1, 1, 1, generator=generator) ** 2


def compress(frames: Iterable[np.ndarray], crf: int) -> list[np.ndarray]:
    """Frames (H, W, 3) uint8 through an H.264 file of quality `crf`."""
    first, *others = frames
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video.mp4")
        with VideoWriter(path, first.shape[1], first.shape[0], FPS, crf=crf) as video:
            for frame in (first, *others):
                video.write(frame)
        return list(read_video(path)[0].numpy())


def quantise(frames: Tensor, step: Tensor) -> Tensor:
    """Rounded in the cosine basis of 8 px blocks, as JPEG does; step (N, 1, 1, 1)."""
    n, c, h, w = frames.shape
    place, wave = torch.arange(BLOCK) + 0.5, torch.arange(BLOCK)[:, None]
    basis = math.sqrt(2 / BLOCK) * torch.cos(math.pi * wave * place / BLOCK)
    basis[0] = math.sqrt(1 / BLOCK)
    blocks = frames.reshape(n, c, h // BLOCK, BLOCK, w // BLOCK, BLOCK).transpose(3, 4)
    step = step[..., None, None] * (1 + wave + wave.T)
    spectrum = (basis @ blocks @ basis.T / step).round() * step
    return (basis.T @ spectrum @ basis).transpose(3, 4).reshape(n, c, h, w)
