"""Any length of audio, clip by clip: the only state between clips is the last n latents (EMO sec. 3.2)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..config import EMOConfig
from ..media.audio import SAMPLE_RATE, samples_in_frames
from ..media.finite import check_finite
from ..models.conditions import Conditions, VideoConditions
from ..models.emo import Conditioner
from ..speech.wav2vec2 import context_windows
from ..writing.digest import digest
from .clip_store import Clip, ClipStore
from .noise import limited, video_noise
from .windows import Windows

# a clip's noise, its conditions, its number (0 ..) -> its clean latents
Solve = Callable[[Tensor, Conditions | Windows, int], Tensor]
# A speech encoder attends to all the sound of a piece, so that strictly any later sample decides a frame.
# What is further ahead than this many seconds moves no lip that one could see, and names no clip.
AHEAD = 1.0


class FrameValues(Protocol):
    """What is made when a clip asks for it, indexed with frame numbers as a tensor (F, ...) is."""

    def __len__(self) -> int: ...

    def __getitem__(self, frames: Tensor, /) -> Tensor: ...


class GrowingTrack(Protocol):
    """Sound that is encoded when a clip asks for it."""

    def windows(self, frames: Tensor) -> Tensor:
        """As `context_windows` of the frames with these numbers."""


@dataclass(frozen=True)
class Driving:
    """What drives the video, frame by frame."""

    audio: Tensor | GrowingTrack  # (R, layers, D) features, of which each frame reads a window
    speeds: Tensor | None  # (F,) head rotation in degrees per second
    # (F, C, 8H, 8W) of the locator, where it takes one for each frame
    pictures: Tensor | FrameValues | None = None
    code: Tensor | FrameValues | None = None  # (F, MOTION_CODE), see `motion_code`
    first: int = 0  # the frame of the sound with which the video begins
    sound: Tensor | None = None  # (T,) at 16 kHz of which `audio` was made, if that is known,
    encoder: str = ""  # and by which encoder: a digest

    def at(
        self, frames: Tensor, config: EMOConfig, like: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
        """Audio windows (1, N, 2m+1, layers, D), speeds (1, N), pictures (N, C, 8H, 8W) and motion codes
        (1, N, MOTION_CODE) of the frames with these numbers (N,), in `like`'s type where it is. Beyond the
        end the last frame counts."""
        windows = self._heard(frames, config)[None].to(like)
        speeds, pictures, code = (
            None if values is None else values.to(like) for values in self._besides_sound(frames)
        )
        return windows, _one(speeds), pictures, _one(code)

    def _heard(self, frames: Tensor, config: EMOConfig) -> Tensor:
        if isinstance(self.audio, Tensor):
            return context_windows(self.audio, config, self.first + frames)
        return self.audio.windows(self.first + frames)

    def _besides_sound(self, frames: Tensor) -> list[Tensor | None]:
        return [
            None if values is None else values[frames.clamp(max=len(values) - 1)]
            for values in (self.speeds, self.pictures, self.code)
        ]

    def digest(self, before: str, frames: Tensor, config: EMOConfig) -> str:
        """Of what drives the clip of these frames, and, through `before`, those up to it."""
        if self.sound is None:
            heard = self._heard(frames, config)
        else:
            heard = self.sound[self._end(int(frames[0]), config) : self._end(int(frames[-1]) + 1, config)]
        return digest(before, self.encoder, heard, self._besides_sound(frames))

    def _end(self, frame: int, config: EMOConfig) -> int:
        """Of the sound that decides the frames up to this one: the sample where it ends."""
        if frame == 0:
            return 0
        return samples_in_frames(self.first + frame, SAMPLE_RATE, config.fps) + round(AHEAD * SAMPLE_RATE)


def _one(values: Tensor | None) -> Tensor | None:
    """As a batch of one."""
    return None if values is None else values[None]


def pictures_of(config: EMOConfig, frames: int, pictures: Tensor | None) -> Tensor | None:
    """(F, 3, H, W) for weights that read one for each frame, else None. Raises ValueError for too few."""
    if not config.quirks.locator_pictures:
        return None
    if pictures is None or len(pictures) < frames:
        found = 0 if pictures is None else len(pictures)
        raise ValueError(f"{config.name} wants a landmark picture for each of {frames} frames, got {found}")
    return pictures


def as_solved(latents: Tensor, _: Conditions) -> Tensor:
    return latents


def clip_count(frames: int, config: EMOConfig) -> int:
    """How many times the solver runs: once for each clip, or once for all windows."""
    return 1 if config.quirks.windows else -(-frames // config.clip_frames)


@dataclass(frozen=True)
class Kept:
    """Where the clips of a video are kept, and the digest of all that is the same for each of them."""

    store: ClipStore
    video: str


def render_clips(
    conditioner: Conditioner,
    video: VideoConditions,
    driving: Driving,
    frames: int,
    solve: Solve,
    noise: Iterable[Tensor],
    keep: Callable[[Tensor], Tensor] = lambda motion: motion,
    finish: Callable[[Tensor, Conditions], Tensor] = as_solved,
    kept: Kept | None = None,
    before: Tensor | None = None,
) -> Iterator[Tensor]:
    """Latents (F', C, H, W) of clip after clip, `frames` of them in all.

    `noise` gives each clip's starting noise and with it the clip's length. The last clip is computed as whole
    as the others, since temporal modules never saw a shorter one in training, and then cut: what lies beyond
    the end hears and does what the last frame does. Clips are computed as they are asked for, so nothing of
    the whole video is held here; weights without motion frames are the exception, their latents are held, on
    the noise's device. `keep` is what happens to the last latents of a clip before they become motion frames,
    `finish` what happens to all of them before they are given away. Clips that are in `kept` are taken from
    there, and others put there. `before` are the last latents (M, C, H, W) of a video that this one goes on
    from.
    Raises ValueError with the remedy when the model answers NaN: all that follows would be black or white.
    """
    if conditioner.config.quirks.windows is not None:
        return _in_windows(conditioner, video, driving, frames, solve, noise, kept)
    return _in_turn(conditioner, video, driving, frames, solve, noise, keep, finish, kept, before)


@torch.no_grad()
def _in_turn(
    conditioner: Conditioner,
    video: VideoConditions,
    driving: Driving,
    frames: int,
    solve: Solve,
    noise: Iterable[Tensor],
    keep: Callable[[Tensor], Tensor],
    finish: Callable[[Tensor, Conditions], Tensor],
    kept: Kept | None,
    before: Tensor | None,
) -> Iterator[Tensor]:
    config, like = conditioner.config, video.portrait
    start, last, name = 0, before, "" if kept is None else digest(kept.video, before)
    for index, start_noise in enumerate(noise):
        numbers = torch.arange(start, start + len(start_noise))
        clip = None
        if kept is not None:
            name = driving.digest(name, numbers, config)
            clip = kept.store.get(name)
        if clip is None:
            motion = None if last is None else keep(last.to(like.device))[None]
            conditions = conditioner.clip(
                video, len(numbers), *driving.at(numbers, config, like), motion=motion
            )
            latents = solve(start_noise, conditions, index)
            check_finite(latents, f"the model's answer in clip {index + 1}")
            clip = Clip(finish(latents, conditions), latents[-config.motion_frames :])
            if kept is not None:
                kept.store.put(name, clip)
        yield clip.latents[: frames - start]
        start, last = start + len(start_noise), clip.last


@torch.no_grad()
def _in_windows(
    conditioner: Conditioner,
    video: VideoConditions,
    driving: Driving,
    frames: int,
    solve: Solve,
    noise: Iterable[Tensor],
    kept: Kept | None,
) -> Iterator[Tensor]:
    """All clips are solved together, and kept together."""
    config, like = conditioner.config, video.portrait
    assert config.quirks.windows is not None
    name, clip = "", None
    if kept is not None:
        name = digest(kept.video, frames)
        for numbers in torch.arange(frames).split(config.clip_frames):
            name = driving.digest(name, numbers, config)
        clip = kept.store.get(name)
    if clip is None:
        windows = Windows(
            config.quirks.windows,
            lambda numbers: conditioner.clip(video, len(numbers), *driving.at(numbers, config, like)),
            like.device,
        )
        latents = solve(torch.cat(list(noise))[:frames], windows, 0)
        check_finite(latents, "the model's answer")
        clip = Clip(latents, latents[:0])
        if kept is not None:
            kept.store.put(name, clip)
    yield from clip.latents.split(config.clip_frames)


def noise_for(
    config: EMOConfig, frames: int, size: tuple[int, int], seed: int, device: torch.device, dtype: torch.dtype
) -> Iterator[Tensor]:
    """Starting noise of a whole video, in whole clips, the same for the same seed on every device."""
    shape = (config.latent_channels, *size)
    for noise in video_noise(frames, config.clip_frames, shape, config.schedule.shared_noise, seed):
        yield limited(config, noise).to(device, dtype)
