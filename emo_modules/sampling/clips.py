"""Any length of audio, clip by clip: the only state between clips is the last n latents (EMO sec. 3.2)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..config import EMOConfig
from ..media.finite import check_finite
from ..models.conditions import Conditions, VideoConditions
from ..models.emo import Conditioner
from ..speech.wav2vec2 import context_windows
from .noise import video_noise
from .windows import Windows

Solve = Callable[[Tensor, Conditions | Windows], Tensor]


class FramePictures(Protocol):
    """Pictures that are made when a clip asks for them, indexed with frame numbers as (F, C, 8H, 8W) is."""

    def __len__(self) -> int: ...

    def __getitem__(self, frames: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class Driving:
    """What drives the video, frame by frame."""

    audio: Tensor  # (R, layers, D) features, of which each frame reads a window
    speeds: Tensor | None  # (F,) head rotation in degrees per second
    pictures: Tensor | FramePictures | None = None  # of the locator, where it takes one for each frame
    code: Tensor | None = None  # (F, MOTION_CODE), see `motion_code`

    def at(
        self, frames: Tensor, config: EMOConfig, like: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
        """Audio windows (1, N, 2m+1, layers, D), speeds (1, N), pictures (N, C, 8H, 8W) and motion codes
        (1, N, MOTION_CODE) of the frames with these numbers (N,), in `like`'s type where it is. Beyond the
        end the last frame counts."""
        windows = context_windows(self.audio, config, frames)[None].to(like)
        speeds, pictures, code = (
            None if values is None else values[frames.clamp(max=len(values) - 1)].to(like)
            for values in (self.speeds, self.pictures, self.code)
        )
        return windows, _one(speeds), pictures, _one(code)


def _one(values: Tensor | None) -> Tensor | None:
    """As a batch of one."""
    return None if values is None else values[None]


def clip_count(frames: int, config: EMOConfig) -> int:
    """How many times the solver runs: once for each clip, or once for all windows."""
    return 1 if config.quirks.windows else -(-frames // config.clip_frames)


@torch.no_grad()
def render_clips(
    conditioner: Conditioner,
    video: VideoConditions,
    driving: Driving,
    frames: int,
    solve: Solve,
    noise: Iterable[Tensor],
    keep: Callable[[Tensor], Tensor] = lambda motion: motion,
    finish: Callable[[Tensor, Conditions], Tensor] = lambda latents, _: latents,
) -> Iterator[Tensor]:
    """Latents (F', C, H, W) of clip after clip, `frames` of them in all.

    `noise` gives each clip's starting noise and with it the clip's length. The last clip is computed as whole
    as the others, since temporal modules never saw a shorter one in training, and then cut: what lies beyond
    the end hears and does what the last frame does. Clips are computed as they are asked for, so nothing of
    the whole video is held here; weights without motion frames are the exception, their latents are held, on
    the noise's device. `keep` is what happens to the last latents of a clip before they become motion frames,
    `finish` what happens to all of them before they are given away.
    Raises ValueError with the remedy when the model answers NaN: all that follows would be black or white.
    """
    config, like = conditioner.config, video.portrait
    latents, motion, start = None, None, 0
    if config.quirks.windows is not None:
        windows = Windows(
            config.quirks.windows,
            lambda numbers: conditioner.clip(video, len(numbers), *driving.at(numbers, config, like)),
            like.device,
        )
        latents = solve(torch.cat(list(noise))[:frames], windows)
        check_finite(latents, "the model's answer")
        yield from latents.split(config.clip_frames)
        return
    for clip, start_noise in enumerate(noise, start=1):
        if latents is not None:
            motion = keep(latents[-config.motion_frames :])[None]
        numbers = torch.arange(start, start + len(start_noise))
        conditions = conditioner.clip(video, len(numbers), *driving.at(numbers, config, like), motion=motion)
        latents = solve(start_noise, conditions)
        check_finite(latents, f"the model's answer in clip {clip}")
        yield finish(latents, conditions)[: frames - start]
        start += len(start_noise)


def noise_for(
    config: EMOConfig, frames: int, size: tuple[int, int], seed: int, device: torch.device, dtype: torch.dtype
) -> Iterator[Tensor]:
    """Starting noise of a whole video, in whole clips, the same for the same seed on every device."""
    shape, limit = (config.latent_channels, *size), config.quirks.noise_limit
    for noise in video_noise(frames, config.clip_frames, shape, config.schedule.shared_noise, seed):
        yield (noise if limit is None else noise.clamp(-limit, limit)).to(device, dtype)
