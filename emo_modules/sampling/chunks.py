"""Any length of audio, clip by clip: the only state between clips is the last n latents (EMO sec. 3.2)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..config import EMOConfig
from ..media.audio_features import context_windows
from ..models.emo import Conditions, VideoConditions
from .noise import video_noise


class Model(Protocol):
    """What the loop asks of a model; `EMO` is one, and the nodes have one whose parts ComfyUI manages."""

    config: EMOConfig

    def clip_conditions(
        self,
        video: VideoConditions,
        frames: int,
        audio: Tensor | None,
        motion: Tensor | None,
        speeds: Tensor | None,
    ) -> Conditions: ...


Solve = Callable[[Tensor, Conditions], Tensor]


@dataclass(frozen=True)
class Performance:
    """What drives the video, frame by frame; each clip's part is moved to where its noise is."""

    audio: Tensor  # (F, layers, D) features on the frame clock
    speeds: Tensor | None  # (F,) head rotation in degrees per second


def chunk_count(frames: int, chunk: int) -> int:
    return -(-frames // chunk)


@torch.no_grad()
def render_chunks(
    model: Model, video: VideoConditions, performance: Performance, solve: Solve, noise: Iterable[Tensor]
) -> Iterator[Tensor]:
    """Latents (F', C, H, W) of clip after clip; the last one may be shorter.

    `noise` gives each clip's starting noise and with it the clip's length. Clips are computed as they are
    asked for, so nothing of the whole video is held here.
    """
    m, motion, start = model.config.audio.context, None, 0
    for piece in noise:
        stop = start + len(piece)
        windows = context_windows(performance.audio, m, start, stop)[None].to(piece)
        speeds = None if performance.speeds is None else performance.speeds[None, start:stop].to(piece)
        conditions = model.clip_conditions(video, len(piece), windows, motion, speeds)
        latents = solve(piece, conditions)
        motion = latents[None, -model.config.motion_frames :]
        start = stop
        yield latents


def noise_for(
    config: EMOConfig, frames: int, size: tuple[int, int], seed: int, device: torch.device, dtype: torch.dtype
) -> Iterator[Tensor]:
    """Starting noise of a whole video, chunk by chunk, the same for the same seed on every device."""
    shape = (config.latent_channels, *size)
    for piece in video_noise(frames, config.clip_frames, shape, config.schedule.shared_noise, seed):
        yield piece.to(device, dtype)
