"""EMO: the parts together, and what is computed once per video, once per clip and once per step (EMO sec.
3.2)."""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ..config import EMOConfig
from ..schedule import alpha_bar_at, implied_prediction
from .attention import Attend, KeysValues, attend
from .conditioning import AudioProjection, FaceLocator, PerceiverProjection, SpeedEncoder
from .reference import IdentityTokens, Past, ReferenceNet, first_motion
from .relatives.regions import Regions
from .spatial import Layer
from .temporal import MotionTokens
from .unet import UNet


class Batch(Protocol):
    """What training passes in; see `emo_training.training.sample_set.Batch` for shapes."""

    reference: Tensor
    reference_kept: Tensor
    motion: Tensor
    motion_kept: Tensor
    audio: Tensor
    audio_kept: Tensor
    mask: Tensor
    speeds: Tensor


class ContextPair(NamedTuple):
    """Keys and values of the identity tokens at every layer, for guidance's two halves."""

    given: list[KeysValues | None]
    blank: list[KeysValues | None]


@dataclass
class VideoConditions:
    """Constant over the whole video."""

    portrait: Tensor  # (B, C, H, W) its latent
    reference: list[KeysValues | None]
    motion_shapes: list[torch.Size]  # (C, H, W) of every layer, for the zero maps before the first clip
    face: Tensor | None  # (B, C, H, W)
    tokens: IdentityTokens | None = None
    context: ContextPair | None = None
    regions: dict[int, Regions] | None = None


@dataclass
class Conditions:
    """Constant over one clip's denoising steps: what `EMO.predict` reads. None stands for a dropped
    condition."""

    frames: int
    portrait: Tensor | None  # (B, C, H, W); read by anchored models only
    reference: list[KeysValues | None] | None
    audio: list[KeysValues | list[KeysValues] | None] | None
    motion: list[MotionTokens | None] | None
    speed: list[KeysValues] | None
    face: Tensor | None  # (B, C, H, W), or (B*F, C, H, W) with a picture for each frame
    context: list[KeysValues | None] | None = None
    regions: dict[int, Regions] | None = None
    without: dict[str, Any] = field(default_factory=dict)  # fields that guidance's other half has otherwise

    def layers(self, count: int) -> list[Layer]:
        none = [None] * count
        columns = (self.reference, self.context, self.audio, self.motion, self.speed)
        rows = zip(*(column or none for column in columns), strict=True)
        return [Layer(*row, regions=self.regions, still=self.motion is None) for row in rows]

    def scaled_audio(self, scale: float) -> "Conditions":
        """The sound's influence times `scale`: 1 as trained, 0 deaf."""
        if self.audio is None:
            return self
        return replace(self, audio=[_scaled_values(kv, scale) for kv in self.audio])

    def unconditional(self) -> "Conditions":
        """Guidance's other half: without portrait and sound; place, past and speed stay, unless the weights
        were trained to go without them too."""
        return replace(self, **({"portrait": None, "reference": None, "audio": None} | self.without))


def _scaled_values(projected: KeysValues | list[KeysValues] | None, scale: float) -> Any:
    if projected is None:
        return None
    if isinstance(projected, list):
        return [_scaled_values(one, scale) for one in projected]
    return projected[0], projected[1] * scale


class Denoiser(nn.Module):
    """The Backbone and the encoders of audio, face region and head speed: all of EMO but ReferenceNet.

    It takes what ReferenceNet wrote as an argument, so that both can be kept and moved apart.
    """

    def __init__(self, config: EMOConfig, operations: Any = nn, attend: Attend = attend):
        super().__init__()
        self.config = config
        latents, backbone = config.latent_channels, config.backbone
        self.backbone = UNet(backbone, operations, attend, latents, latents if config.anchored else 0)
        self.face_locator = FaceLocator(config, operations)
        if config.quirks.audio_projection == "mlp":
            self.audio_projection = AudioProjection(config, operations)
        elif config.quirks.audio_projection == "perceiver":
            self.audio_projection = PerceiverProjection(config, operations, attend)
        if config.anchored:  # a new model shows the portrait itself
            nn.init.zeros_(self.backbone.conv_out.weight)
            nn.init.zeros_(self.backbone.conv_out.bias)
        if backbone.speed_dim:
            self.speed_encoder = SpeedEncoder(config.speed, backbone.speed_dim, operations)

    def read_portrait(
        self,
        portrait: Tensor,
        written: list[Layer],
        mask: Tensor | None,
        tokens: IdentityTokens | None = None,
        regions: dict[int, Regions] | None = None,
    ) -> VideoConditions:
        """Portrait latent (B, C, H, W), what ReferenceNet wrote of it, the locator's picture
        (B, C, 8H, 8W), identity tokens, and Hallo's regions."""
        context = None
        if tokens is not None:
            context = ContextPair(*(self.backbone.project_context(t) for t in tokens))
        return VideoConditions(
            portrait=portrait,
            reference=self.backbone.project_reference(written),
            motion_shapes=[w.motion.shape[1:] for w in written if w.motion is not None],
            face=None if mask is None else self.face_locator(mask),
            tokens=tokens,
            context=context,
            regions=regions,
        )

    def read_clip(
        self,
        video: VideoConditions,
        frames: int,
        audio: Tensor | None,
        past: Past | None,
        speeds: Tensor | None,
        pictures: Tensor | None = None,
    ) -> Conditions:
        """Audio windows (B, F, 2m+1, layers, D), what ReferenceNet wrote of the motion frames or None before
        the first clip (EMO sec. 3.2: zero maps), head speeds (B, F) in degrees per second, and the locator's
        pictures (B*F, C, 8H, 8W) if there is one for each frame; once per clip.

        Weights without speed layers ignore the speeds.
        """
        steered = speeds is not None and self.config.backbone.speed_dim is not None
        given, dropped = self.motion_tokens(video, past)
        return Conditions(
            frames=frames,
            portrait=video.portrait,
            reference=video.reference,
            audio=None if audio is None else self.backbone.project_audio(self.audio_tokens(audio)),
            motion=given,
            speed=self.backbone.project_speed(self.speed_encoder(speeds)) if steered else None,
            face=video.face if pictures is None else self.face_locator(pictures),
            context=None if video.context is None else video.context.given,
            regions=video.regions,
            without=self.without(video, dropped),
        )

    def without(self, video: VideoConditions, motion: list[MotionTokens | None]) -> dict[str, Any]:
        fields: dict[str, Any] = {"motion": motion}
        if video.context is not None:
            fields["context"] = video.context.blank
        if self.config.quirks.face_guided:
            fields["face"] = None
        return fields

    def audio_tokens(self, windows: Tensor) -> Tensor:
        """Windows (B, F, rows, layers, D) -> tokens (B*F, L, D')."""
        if self.config.quirks.audio_projection == "none":
            return windows.flatten(0, 1).flatten(1, 2)
        return self.audio_projection(windows)

    def motion_tokens(
        self, video: VideoConditions, past: Past | None
    ) -> tuple[list[MotionTokens | None], list[MotionTokens | None]]:
        """For guidance's two halves; the same, but where identity tokens tell them apart."""
        count = self.config.motion_frames
        if count == 0:
            none = [None] * len(video.reference)
            return none, none
        if past is None:
            zeros = self.backbone.project_motion(self.no_motion(video), count)
            return zeros, zeros
        given = self.backbone.project_motion([layer.motion for layer in past.given], count)
        if past.dropped is past.given:
            return given, given
        return given, self.backbone.project_motion([layer.motion for layer in past.dropped], count)

    def no_motion(self, video: VideoConditions) -> list[Tensor]:
        keys = next(kv for kv in video.reference if kv is not None)[0]
        return [
            keys.new_zeros(len(keys) * self.config.motion_frames, *shape) for shape in video.motion_shapes
        ]

    def predict(self, x: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        """Noisy latents (B*F, C, H, W), timesteps (B*F,) -> the schedule's prediction, same shape."""
        frames, added = conditions.frames, conditions.face
        if added is not None and len(added) != len(x):
            added = added.repeat_interleave(frames, dim=0)
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
        self.reference_net = ReferenceNet(config, operations, attend)

    def features(self, latents: Tensor) -> list[Layer]:
        """Clean latents (N, C, H, W) through ReferenceNet -> what each layer wrote."""
        return self.reference_net.write(latents)

    def video_conditions(
        self,
        portrait: Tensor,
        mask: Tensor | None,
        identity: Tensor | None = None,
        regions: dict[int, Regions] | None = None,
    ) -> VideoConditions:
        """Portrait latent (B, C, H, W), the locator's picture (B, C, 8H, 8W), and for the relatives that
        read them a face embedding (B, D) and regions; once per video."""
        tokens = self.reference_net.identity_tokens(identity, portrait)
        written = self.reference_net.portrait(portrait, tokens)
        return self.read_portrait(portrait, written, mask, tokens, regions)

    def clip_conditions(
        self,
        video: VideoConditions,
        frames: int,
        audio: Tensor | None,
        motion: Tensor | None,
        speeds: Tensor | None,
        pictures: Tensor | None = None,
    ) -> Conditions:
        """As `read_clip`, from motion latents (B, M, C, H, W). Raises ValueError for another M."""
        motion = first_motion(video.portrait, self.config) if motion is None else motion
        past = None if motion is None else self.reference_net.past(motion, video.tokens)
        return self.read_clip(video, frames, audio, past, speeds, pictures)

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
            frames=frames,
            portrait=batch.reference * batch.reference_kept[:, None, None, None],
            reference=self.backbone.project_reference(portraits),
            audio=None,
            motion=None,
            speed=None,
            face=self.face_locator(batch.mask),
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
