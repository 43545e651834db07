"""EMO: Denoiser and ReferenceNet together, and the conditions that both make (EMO sec. 3.2)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..config import EMOConfig
from .attention import Operations
from .conditions import Conditions, KeptConditions, VideoConditions
from .denoiser import Denoiser
from .moving import Drawing
from .reads import drop
from .reference import Past, ReferenceNet, first_motion
from .relatives.identity import IdentityTokens
from .relatives.regions import Regions


@dataclass
class Conditioner:
    """Makes the conditions, of a video and of each clip: the one way to the denoiser, in every memory.

    `net` gives the ReferenceNet whenever something is to be read: it is there, or it is loaded for the while.
    """

    denoiser: Denoiser
    net: Callable[[], ReferenceNet]
    audio_scale: float = 1.0  # the sound's influence: 1 as trained, 0 deaf
    kept: KeptConditions | None = None

    @property
    def config(self) -> EMOConfig:
        return self.denoiser.config

    def video(
        self,
        portrait: Tensor,
        picture: Tensor | None,
        identity: Tensor | None = None,
        regions: dict[int, Regions] | None = None,
        pixels: Tensor | None = None,
    ) -> VideoConditions:
        """Portrait latent (B, C, H, W), the locator's picture (B, C, 8H, 8W), for the relatives that read
        them a face embedding (B, D) and regions, and for a model that moves them the portrait's pixels
        (B, 3, 8H, 8W) in -1..1; once per video."""
        net = self.net()
        tokens = net.identity_tokens(identity, portrait)
        written = net.portrait(portrait, tokens)
        del net
        pixels = pixels if self.config.moving else None  # no other keeps them
        if self.kept is None:
            return self.denoiser.read_portrait(portrait, written, picture, tokens, regions, pixels)
        kept = self.kept.reference
        portrait, written = drop(portrait, kept), [layer.drop(kept) for layer in written]
        told = None if tokens is None else tokens.drop(kept)
        video = self.denoiser.read_portrait(portrait, written, picture, told, regions, pixels)
        reads = [replace(row, reference_kept=kept) for row in video.reads]
        return replace(video, reads=reads, tokens=tokens)

    def clip(
        self,
        video: VideoConditions,
        frames: int,
        audio: Tensor | None,
        speeds: Tensor | None = None,
        pictures: Tensor | None = None,
        code: Tensor | None = None,
        motion: Tensor | None = None,
    ) -> Conditions:
        """Audio windows (B, F, 2m+1, layers, D), head speeds (B, F) in degrees per second, the locator's
        pictures (B*F, C, 8H, 8W) if there is one for each frame, motion codes (B, F, MOTION_CODE), and the
        last latents (B, M, C, H, W) of the clip before, if there is one; once per clip. Raises ValueError
        for another M than the model's."""
        last = None if motion is None else self.last_of(motion, video.portrait)
        motion = first_motion(video.portrait, self.config) if motion is None else motion
        past, tokens, needed = None, None, self.config.motion_frames
        if motion is not None:
            if len(motion[0]) != needed and self.kept is None:  # training may take fewer
                raise ValueError(
                    f"motion needs {needed} frames, got {len(motion[0])}; pass the last {needed} latents of "
                    "the previous clip, or None before the first"
                )
            past = self.past(motion, video.tokens)
            past = past if self.kept is None else past.drop(self.kept.motion)
        if audio is not None:  # after the past, whose reading may have moved the denoiser out of memory
            tokens = self.audio_tokens(audio)
        conditions = self.denoiser.read_clip(video, frames, tokens, past, speeds, pictures, last, code)
        conditions = self.with_face_kept(conditions)
        return conditions if self.audio_scale == 1 else conditions.scaled_audio(self.audio_scale)

    def stills(
        self,
        video: VideoConditions,
        frames: int,
        audio: Tensor | None = None,
        pictures: Tensor | None = None,
        code: Tensor | None = None,
    ) -> Conditions:
        """Of pictures that are no clip (image stage): there is no past, and no layer looks from one to
        another. Arguments are those of `clip`."""
        denoiser, reads = self.denoiser, [replace(row, still=True) for row in video.reads]
        if audio is not None:
            reads = denoiser.backbone.project(reads, audio=self.audio_tokens(audio))
        face = video.face if pictures is None else denoiser.face_locator(pictures)
        code = denoiser.read_code(code, video.portrait, frames)
        return self.with_face_kept(
            Conditions(frames, reads, video.without, video.portrait, face, pixels=video.pixels, code=code)
        )

    def audio_tokens(self, audio: Tensor) -> Tensor:
        """Windows (B, F, rows, layers, D) -> tokens (B*F, L, D'), zeros where training drops them."""
        tokens = self.denoiser.audio_tokens(audio)
        return tokens if self.kept is None else drop(tokens, self.kept.audio)

    def with_face_kept(self, conditions: Conditions) -> Conditions:
        """Without the locator's features where guidance's other half has none, and training drops both."""
        face = conditions.face
        if self.kept is None or face is None or not self.config.quirks.face_guided:
            return conditions
        return replace(conditions, face=drop(face, self.kept.face))

    def last_of(self, motion: Tensor, portrait: Tensor) -> Tensor:
        """The last of the motion latents (B, M, C, H, W), or the portrait's (B, C, H, W) where none is
        kept."""
        last = motion[:, -1].to(portrait)
        if self.kept is None:
            return last
        return torch.where(self.kept.motion[:, None, None, None] > 0, last, portrait)

    def past(self, motion: Tensor, tokens: IdentityTokens | None) -> Past:
        """What ReferenceNet writes of the motion frames (B, M, C, H, W)."""
        return self.net().past(motion, tokens)


class EMO(Denoiser):
    """Denoiser and ReferenceNet together."""

    def __init__(self, config: EMOConfig, operations: type[Operations] = Operations):
        super().__init__(config, operations)
        self.reference_net = ReferenceNet(config, operations)

    def fuse(self) -> None:
        """See `UNet.fuse`."""
        super().fuse()
        self.reference_net.fuse()

    def conditioner(self, kept: KeptConditions | None = None) -> Conditioner:
        return Conditioner(self, lambda: self.reference_net, kept=kept)

    def forward(
        self,
        noisy: Tensor,
        timesteps: Tensor,
        portrait: Tensor,
        picture: Tensor | None,
        audio: Tensor | None = None,
        motion: Tensor | None = None,
        speeds: Tensor | None = None,
        kept: KeptConditions | None = None,
        pixels: Tensor | None = None,
        code: Tensor | None = None,
        identity: Tensor | None = None,
        regions: dict[int, Regions] | None = None,
        pictures: Tensor | None = None,
        still: bool = False,
    ) -> Tensor | Drawing:
        """Training: noisy latents (B, F, C, H, W), timesteps (B, F) -> predictions (B, F, C, H, W), or of a
        model that moves the portrait its B*F frames.

        Conditions as `Conditioner` takes them. Without audio, or where they are `still`, the pictures are no
        clip (`Conditioner.stills`).
        """
        frames, conditioner = noisy.shape[1], self.conditioner(kept)
        video = conditioner.video(portrait, picture, identity, regions, pixels)
        if audio is None or still:
            conditions = conditioner.stills(video, frames, audio, pictures, code)
        else:
            conditions = conditioner.clip(video, frames, audio, speeds, pictures, code, motion)
        if self.config.moving:
            return self.draw(noisy.flatten(0, 1), timesteps.flatten(), conditions)
        prediction = self.predict(noisy.flatten(0, 1), timesteps.flatten(), conditions)
        return prediction.unflatten(0, noisy.shape[:2])
