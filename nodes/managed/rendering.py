"""The videos of a sampler's run: from what comes over its wires to latents and the sound beside them."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.model_management
import folder_paths
import torch
from torch import Tensor

from ...emo_modules.config import EMOConfig
from ...emo_modules.media.audio import Audio
from ...emo_modules.sampling.clips import Driving
from ...emo_modules.sampling.motion_code import motion_code
from ...emo_modules.writing.room import room_for
from .audio import speech_features, traced
from .cost import Count
from .cues import cues_of, pictures_of
from .earlier import frames_of, last_latents
from .preview import Preview, Show
from .reference import Reference
from .sampling import Denoising, matching_config, render
from .stopping import stopped


@dataclass(frozen=True)
class Rendering:
    """What the videos of one run share: all inputs of EMO Sampler but the sound."""

    node: str | None
    log: logging.Logger
    denoising: Denoising
    model: Any
    reference: Reference
    audio_encoder: Any
    speed: float | list[float]
    preview: bool = True
    mask: Tensor | None = None
    landmark_pictures: Tensor | None = None
    face_landmarks: Any = None
    previous: Any = None
    start_time: float = 0.0

    @property
    def config(self) -> EMOConfig:
        return matching_config(self.model, self.reference)

    def video(self, sound: Audio) -> tuple[Tensor, Audio]:
        """Latents (F, C, h, w) on the VAE's scale, and the sound, exactly as long."""
        config = self.config
        first = round(self.start_time * config.fps)
        spoken = sound.from_frame(first, config.fps)
        frames = sound.frame_count(config.fps) - first
        height, width = self.reference.portrait.shape[-2:]
        size = 8 * height, 8 * width
        cues = cues_of(config, self.mask, self.face_landmarks, self.reference.points, size, self.log)
        shown = Preview(self.model, self.reference) if self.preview else None
        show = Show(shown, self.node, frames, config)
        last = last_latents(self.previous, self.reference, config)
        count = Count(self.node)
        count.begin(self.model, self.reference, sound, first, self.denoising)
        with count.watch.hearing():
            features = speech_features(self.audio_encoder, sound, first + frames, config)
        driving = Driving(
            features,
            _per_frame(self.speed, frames, config, self.log),
            pictures_of(config, self.landmark_pictures, self.face_landmarks, frames, size, self.log),
            motion_code(config, frames, self.denoising.seed, frames_of(self.previous)),
            first,
            **traced(self.audio_encoder, sound),
        )
        samples, done = torch.empty(0), 0
        on_step = count.steps(show.step)
        video = render(
            self.model, self.reference, driving, frames, cues, self.denoising, on_step, last, count.watch
        )
        for clip, latents in enumerate(count.clips(video)):
            scaled = self.model.model.process_latent_in(latents)
            show.clip(clip, scaled, done, spoken.mono, config.fps)
            samples = samples if done else _room(frames, latents)
            samples[done : done + len(latents)] = latents
            done += len(latents)
            if done < frames and config.quirks.windows is None and stopped(self.node, done):
                self.log.warning(
                    "stopped after %d of %d frames, as asked: queue it again to go on from there",
                    done, frames,
                )  # fmt: skip
                break
        count.keep()
        return samples[:done], spoken.fit_to_frames(done, config.fps)


def _room(frames: int, like: Tensor) -> Tensor:
    """For the latents of the whole video, where ComfyUI keeps what nodes pass on."""
    device = comfy.model_management.intermediate_device()
    if device.type != "cpu":
        return like.new_empty((frames, *like.shape[1:]), dtype=torch.float32, device=device)
    return room_for((frames, *like.shape[1:]), Path(folder_paths.get_temp_directory()))


def _per_frame(
    speed: float | list[float], frames: int, config: EMOConfig, log: logging.Logger
) -> Tensor | None:
    """One value for each frame; the last one is held, what is beyond the audio is dropped."""
    if config.backbone.speed_dim is None:
        log.warning("%s has no speed layers: the speed is ignored", config.name)
        return None
    values = speed if isinstance(speed, list) else [speed]
    return torch.tensor((values + values[-1:] * frames)[:frames])
