"""Starting noise, reproducible per seed and drawn clip by clip."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..config import EMOConfig


def mix(common: Tensor, own: Tensor, shared: float) -> Tensor:
    """Noise of unit variance of which `shared` is common to all frames (mixed noise, arXiv 2305.10474 sec.
    4.1)."""
    return shared**0.5 * common + (1 - shared) ** 0.5 * own


def clip_noise(shape: torch.Size, shared: float, generator: torch.Generator) -> Tensor:
    """(B, F, C, H, W) training noise on the generator's device; what the frames of a clip share is drawn once
    for each clip."""
    device = generator.device
    common = torch.randn(shape[0], 1, *shape[2:], generator=generator, device=device)
    return mix(common, torch.randn(shape, generator=generator, device=device), shared)


def first_noise(config: EMOConfig, shape: torch.Size, generator: torch.Generator) -> Tensor:
    """(B, F, C, H, W) noise that clips begin with when they are rendered."""
    return limited(config, clip_noise(shape, config.schedule.shared_noise, generator))


def limited(config: EMOConfig, noise: Tensor) -> Tensor:
    """As far from 0 as the family lets it be (`Quirks.noise_limit`)."""
    limit = config.quirks.noise_limit
    return noise if limit is None else noise.clamp(-limit, limit)


def video_noise(frames: int, clip: int, shape: tuple[int, ...], shared: float, seed: int) -> Iterator[Tensor]:
    """Noise (clip, C, H, W) of as many clips as hold the video's frames; what frames share is the same for
    the whole video."""
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(1, *shape, generator=generator)
    for _ in range(0, frames, clip):
        yield mix(common, torch.randn(clip, *shape, generator=generator), shared)
