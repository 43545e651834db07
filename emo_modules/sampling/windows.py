"""Overlapping windows over the whole video, for weights that know no motion frames.

At every step each window is denoised by itself and the predictions are averaged where windows overlap.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..models.conditions import Conditions
from ..quirks import WindowConfig


def window_frames(frames: int, config: WindowConfig, step: int) -> list[Tensor]:
    """The frame numbers of every window at a step (0 ..); all of them together cover the video."""
    if frames <= config.frames:
        starts, size = [0], frames
    else:
        size, stride = config.frames, config.frames - config.overlap
        if config.ends == "wrap":
            starts = list(range(0, frames, stride))
        else:
            starts = [*range(0, frames - size, stride), frames - size]
    shift = step * config.shift
    return [(torch.arange(start, start + size) + shift) % frames for start in starts]


@dataclass(frozen=True)
class Windows:
    """Conditions of a whole video: `at` gives those of the frames of one window."""

    config: WindowConfig
    at: Callable[[Tensor], Conditions]
    device: torch.device  # of the model: only one window's latents are there at a time

    def average(self, x: Tensor, step: int, predict: Callable[[Tensor, Conditions], Tensor]) -> Tensor:
        """Noisy latents (F, C, H, W) of the video -> the mean of its windows' predictions, same shape."""
        total = torch.zeros_like(x, dtype=torch.float32)
        count = x.new_zeros(len(x), 1, 1, 1, dtype=torch.float32)
        for frames in window_frames(len(x), self.config, step):
            places = frames.to(x.device)
            predicted = predict(x[places].to(self.device), self.at(frames))
            total.index_add_(0, places, predicted.to(total))
            count[places] += 1
        return total.div_(count)
