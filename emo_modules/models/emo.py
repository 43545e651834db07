"""EMO: the parts together, and what is computed once per video, once per clip and once per step (EMO sec.
3.2)."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..config import EMOConfig
from ..schedule import alpha_bar_at, implied_prediction
from .attention import Attend, KeysValues, attend
from .conditioning import AudioProjection, FaceLocator, SpeedEncoder
from .spatial import Layer
from .temporal import MotionTokens
from .unet import UNet


class Batch(Protocol):
    """What training passes in; see `emo_modules.data.clip_set.Batch` for shapes."""

    reference: Tensor
    reference_kept: Tensor
    motion: Tensor
    motion_kept: Tensor
    audio: Tensor
    audio_kept: Tensor
    mask: Tensor
    speeds: Tensor


@dataclass
class VideoConditions:
    """Constant over the whole video."""

    portrait: Tensor  # (B, C, H, W) its latent
    reference: list[KeysValues | None]
    motion_shapes: list[torch.Size]  # (C, H, W) of every layer, for the zero maps before the first clip
    face: Tensor | None  # (B, C, H, W)


@dataclass
class Conditions:
    """Constant over one clip's denoising steps: what `EMO.predict` reads. None stands for a dropped
    condition."""

    frames: int
    portrait: Tensor | None  # (B, C, H, W); read by anchored models only
    reference: list[KeysValues | None] | None
    audio: list[KeysValues | None] | None
    motion: list[MotionTokens] | None
    speed: list[KeysValues] | None
    face: Tensor | None

    def layers(self, count: int) -> list[Layer]:
        none = [None] * count
        columns = (self.reference or none, none, self.audio or none, self.motion or none, self.speed or none)
        return [Layer(*row) for row in zip(*columns, strict=True)]

    def scaled_audio(self, scale: float) -> "Conditions":
        """The sound's influence times `scale`: 1 as trained, 0 deaf."""
        if self.audio is None:
            return self
        return replace(self, audio=[None if kv is None else (kv[0], kv[1] * scale) for kv in self.audio])

    def unconditional(self) -> "Conditions":
        """Guidance's other half: without portrait and sound; place, past and speed stay."""
        return replace(self, portrait=None, reference=None, audio=None)


class Denoiser(nn.Module):
    """The Backbone and the encoders of audio, face region and head speed: all of EMO but ReferenceNet.

    It takes what ReferenceNet wrote as an argument, so that both can be kept and moved apart.
    """

    def __init__(self, config: EMOConfig, operations: Any = nn, attend: Attend = attend):
        super().__init__()
        self.config = config
        self.backbone = UNet(config.backbone, operations, attend)
        self.face_locator = FaceLocator(
            config.face_locator_channels, config.backbone.block_out_channels[0], operations
        )
        self.audio_projection = AudioProjection(config.audio, config.backbone.audio_dim, operations)
        if config.anchored:  # a new model shows the portrait itself
            nn.init.zeros_(self.backbone.conv_out.weight)
            nn.init.zeros_(self.backbone.conv_out.bias)
        if config.backbone.speed_dim:
            self.speed_encoder = SpeedEncoder(config.speed, config.backbone.speed_dim, operations)

    def read_portrait(self, portrait: Tensor, written: list[Layer], mask: Tensor | None) -> VideoConditions:
        """Portrait latent (B, C, H, W), what ReferenceNet wrote of it, region mask (B, 1, 8H, 8W)."""
        return VideoConditions(
            portrait=portrait,
            reference=self.backbone.project_reference(written),
            motion_shapes=[w.motion.shape[1:] for w in written],
            face=None if mask is None else self.face_locator(mask),
        )

    def read_clip(
        self,
        video: VideoConditions,
        frames: int,
        audio: Tensor | None,
        written: list[Layer] | None,
        speeds: Tensor | None,
    ) -> Conditions:
        """Audio windows (B, F, 2m+1, layers, D), what ReferenceNet wrote of the motion frames or None before
        the first clip (EMO sec. 3.2: zero maps), head speeds (B, F) in degrees per second; once per clip.

        Weights without speed layers ignore the speeds.
        """
        steered = speeds is not None and self.config.backbone.speed_dim is not None
        maps = self.no_motion(video) if written is None else [layer.motion for layer in written]
        return Conditions(
            frames=frames,
            portrait=video.portrait,
            reference=video.reference,
            audio=None if audio is None else self.backbone.project_audio(self.audio_projection(audio)),
            motion=self.backbone.project_motion(maps, self.config.motion_frames),
            speed=self.backbone.project_speed(self.speed_encoder(speeds)) if steered else None,
            face=video.face,
        )

    def no_motion(self, video: VideoConditions) -> list[Tensor]:
        keys = next(kv for kv in video.reference if kv is not None)[0]
        return [
            keys.new_zeros(len(keys) * self.config.motion_frames, *shape) for shape in video.motion_shapes
        ]

    def predict(self, x: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        """Noisy latents (B*F, C, H, W), timesteps (B*F,) -> the schedule's prediction, same shape."""
        frames, face = conditions.frames, conditions.face
        added = None if face is None else face.repeat_interleave(frames, dim=0)
        layers = conditions.layers(len(list(self.backbone.places())))
        if not self.config.anchored:
            return self.backbone(x, timesteps, layers, frames, added)
        portrait = torch.zeros_like(x)
        if conditions.portrait is not None:
            portrait = conditions.portrait.repeat_interleave(frames, dim=0)
        change = self.backbone(torch.cat([x, portrait], dim=1), timesteps, layers, frames, added)
        schedule = self.config.schedule
        alpha_bar = alpha_bar_at(timesteps, schedule)  # float32: half precision cannot tell 0.999 from 1
        return implied_prediction((portrait + change).float(), x.float(), alpha_bar, schedule)


class EMO(Denoiser):
    """Denoiser and ReferenceNet together."""

    def __init__(self, config: EMOConfig, operations: Any = nn, attend: Attend = attend):
        super().__init__(config, operations, attend)
        self.reference_net = UNet(config.reference_net, operations, attend)

    def features(self, latents: Tensor) -> list[Layer]:
        """Clean latents (N, C, H, W) through ReferenceNet -> what each layer wrote."""
        return self.reference_net.write(latents)

    def video_conditions(self, portrait: Tensor, mask: Tensor | None) -> VideoConditions:
        """Portrait latent (B, C, H, W) and region mask (B, 1, 8H, 8W); once per video."""
        return self.read_portrait(portrait, self.features(portrait), mask)

    def clip_conditions(
        self,
        video: VideoConditions,
        frames: int,
        audio: Tensor | None,
        motion: Tensor | None,
        speeds: Tensor | None,
    ) -> Conditions:
        """As `read_clip`, from motion latents (B, M, C, H, W). Raises ValueError for another M."""
        written = None if motion is None else self.features(checked_motion(motion, self.config))
        return self.read_clip(video, frames, audio, written, speeds)

    def forward(
        self, noisy: Tensor, timesteps: Tensor, batch: Batch, use_clips: bool, use_speed: bool
    ) -> Tensor:
        """Training: noisy latents (B, F, C, H, W), timesteps (B, F) -> predictions (B, F, C, H, W).

        Dropped conditions of a batch are zeroed features, which is what `Conditions.unconditional` computes
        by leaving them out. Portraits and motion frames share one pass through ReferenceNet.
        """
        frames, size = noisy.shape[1], len(noisy)
        past = batch.motion.flatten(0, 1) if use_clips else noisy.new_zeros(0, *noisy.shape[2:])
        written = self.features(torch.cat([batch.reference, past]))
        portraits = [
            Layer(
                reference=None
                if w.reference is None
                else w.reference[:size] * batch.reference_kept[:, None, None],
                motion=w.motion,
            )
            for w in written
        ]
        conditions = Conditions(
            frames,
            batch.reference * batch.reference_kept[:, None, None, None],
            self.backbone.project_reference(portraits),
            None,
            None,
            None,
            self.face_locator(batch.mask),
        )
        if use_clips:
            kept = batch.motion_kept.repeat_interleave(batch.motion.shape[1])[:, None, None, None]
            tokens = (
                self.audio_projection(batch.audio) * batch.audio_kept.repeat_interleave(frames)[:, None, None]
            )
            conditions.audio = self.backbone.project_audio(tokens)
            conditions.motion = self.backbone.project_motion(
                [w.motion[size:] * kept for w in written], batch.motion.shape[1]
            )
        if use_speed:
            conditions.speed = self.backbone.project_speed(self.speed_encoder(batch.speeds))
        return self.predict(noisy.flatten(0, 1), timesteps.flatten(), conditions).unflatten(0, (size, frames))


def checked_motion(motion: Tensor, config: EMOConfig) -> Tensor:
    """Motion latents (B, M, C, H, W) -> (B*M, C, H, W). Raises ValueError for another M than the model's."""
    if motion.shape[1] != config.motion_frames:
        raise ValueError(
            f"motion needs {config.motion_frames} frames, got {motion.shape[1]}; pass the last "
            f"{config.motion_frames} latents of the previous clip, or None before the first"
        )
    return motion.flatten(0, 1)
