"""Any length of audio, clip by clip: the only state between clips is the last n latents (EMO sec. 3.2)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..config import EMOConfig
from ..media.finite import check_finite
from ..models.emo import Conditions, VideoConditions
from ..speech.wav2vec2 import context_windows
from .noise import video_noise
from .windows import Windows


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
        pictures: Tensor | None = None,
    ) -> Conditions: ...


Solve = Callable[[Tensor, Conditions | Windows], Tensor]


@dataclass(frozen=True)
class Driving:
    """What drives the video, frame by frame; each clip's part is moved to where its noise is."""

    audio: Tensor  # (R, layers, D) features, of which each frame reads a window
    speeds: Tensor | None  # (F,) head rotation in degrees per second
    pictures: Tensor | None = None  # (F, C, 8H, 8W) of the locator, where it takes one for each frame


def clip_count(frames: int, config: EMOConfig) -> int:
    """How many times the solver runs: once for each clip, or once for all windows."""
    return 1 if config.quirks.windows else -(-frames // config.clip_frames)


@torch.no_grad()
def render_clips(
    model: Model,
    video: VideoConditions,
    driving: Driving,
    frames: int,
    solve: Solve,
    noise: Iterable[Tensor],
    keep: Callable[[Tensor], Tensor] = lambda motion: motion,
) -> Iterator[Tensor]:
    """Latents (F', C, H, W) of clip after clip, `frames` of them in all.

    `noise` gives each clip's starting noise and with it the clip's length. The last clip is computed as whole
    as the others, since temporal modules never saw a shorter one in training, and then cut: what lies beyond
    the end hears and does what the last frame does. Clips are computed as they are asked for, so nothing of
    the whole video is held here; weights without motion frames are the exception, their latents are held, on
    the noise's device. `keep` is what happens to the last latents of a clip before they become motion frames.
    Raises ValueError with the remedy when the model answers NaN: all that follows would be black or white.
    """
    if model.config.quirks.windows is not None:
        yield from _windowed(model, video, driving, solve, torch.cat(list(noise))[:frames])
        return
    latents, motion, start = None, None, 0
    for clip, piece in enumerate(noise, start=1):
        if latents is not None:
            motion = keep(latents[-model.config.motion_frames :])[None]
        numbers = torch.arange(start, start + len(piece))
        latents = solve(piece, _conditions(model, video, driving, numbers, motion, piece))
        check_finite(latents, f"the model's answer in clip {clip}")
        yield latents[: frames - start]
        start += len(piece)


def _windowed(
    model: Model, video: VideoConditions, driving: Driving, solve: Solve, noise: Tensor
) -> Iterator[Tensor]:
    windows = Windows(
        model.config.quirks.windows,
        lambda frames: _conditions(model, video, driving, frames, None, video.portrait),
        video.portrait.device,
    )
    latents = solve(noise, windows)
    check_finite(latents, "the model's answer")
    yield from latents.split(model.config.clip_frames)


def _conditions(
    model: Model,
    video: VideoConditions,
    driving: Driving,
    frames: Tensor,
    motion: Tensor | None,
    like: Tensor,
) -> Conditions:
    config, speeds, pictures = model.config, driving.speeds, driving.pictures
    windows = context_windows(driving.audio, config, frames)[None].to(like)
    return model.clip_conditions(
        video,
        len(frames),
        windows,
        motion,
        None if speeds is None else _held(speeds, frames)[None].to(like),
        None if pictures is None else _held(pictures, frames).to(like),
    )


def _held(values: Tensor, frames: Tensor) -> Tensor:
    """(F, ...) at frame numbers (N,) -> (N, ...); beyond the end the last one."""
    return values[frames.clamp(max=len(values) - 1)]


def noise_for(
    config: EMOConfig, frames: int, size: tuple[int, int], seed: int, device: torch.device, dtype: torch.dtype
) -> Iterator[Tensor]:
    """Starting noise of a whole video, in whole clips, the same for the same seed on every device."""
    shape, limit = (config.latent_channels, *size), config.quirks.noise_limit
    for piece in video_noise(frames, config.clip_frames, shape, config.schedule.shared_noise, seed):
        yield (piece if limit is None else piece.clamp(-limit, limit)).to(device, dtype)
