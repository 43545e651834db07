"""The Backbone with what conditions it: what is computed once a video, once a clip and at every step (EMO
sec. 3.2)."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from ..config import EMOConfig
from ..schedule import alpha_bar_at, implied_prediction
from .attention import Operations, zero_module
from .conditioning import MOTION_CODE, AudioProjection, FaceLocator, MotionCodeEncoder, SpeedEncoder
from .conditions import Conditions, VideoConditions
from .moving import OUTPUTS, Drawing, Painter, Refiner, in_pictures, move, split_outputs
from .reads import Written
from .reference import Past
from .relatives.identity import IdentityTokens
from .relatives.perceiver import PerceiverProjection
from .relatives.regions import Regions
from .unet import UNet


class Denoiser(nn.Module):
    """The Backbone and the encoders of audio, face region and head speed: all of EMO but ReferenceNet.

    It takes what ReferenceNet wrote as an argument, so that both can be kept and moved apart.
    """

    def __init__(self, config: EMOConfig, operations: type[Operations] = Operations):
        super().__init__()
        self.config = config
        latents, backbone = config.latent_channels, config.backbone
        beside = 2 * latents if config.moving else 0
        code_dim = 4 * backbone.block_out_channels[0] if config.motion_code else None
        self.backbone = UNet(backbone, operations, latents, beside, OUTPUTS if config.moving else 0)
        self.face_locator = FaceLocator(config, operations)
        self.audio_projection: AudioProjection | PerceiverProjection
        if config.quirks.audio_projection == "mlp":
            self.audio_projection = AudioProjection(config, operations)
        elif config.quirks.audio_projection == "perceiver":
            self.audio_projection = PerceiverProjection(config, operations)
        if config.moving:
            zero_module(self.backbone.conv_out)  # a new model shows the portrait itself
            # the VAE's encoder, which is linear; nothing trains it
            self.portrait_encoder = operations.Conv2d(3, latents, 8, 8)
            self.refiner = Refiner(operations)
            self.painter = Painter(latents, code_dim, operations)
        if code_dim is not None:
            self.motion_code_encoder = MotionCodeEncoder(code_dim, operations)
        if backbone.speed_dim:
            self.speed_encoder = SpeedEncoder(config.speed, backbone.speed_dim, operations)

    def fuse(self) -> None:
        """See `UNet.fuse`."""
        self.backbone.fuse()

    def read_portrait(
        self,
        portrait: Tensor,
        written: list[Written],
        picture: Tensor | None,
        tokens: IdentityTokens | None = None,
        regions: dict[int, Regions] | None = None,
        pixels: Tensor | None = None,
    ) -> VideoConditions:
        """Portrait latent (B, C, H, W), what ReferenceNet wrote of it, the locator's picture (B, C, 8H, 8W),
        identity tokens, Hallo's regions, and pixels (B, 3, 8H, 8W) to be moved; once per video."""
        nothing = [replace(row, regions=regions) for row in self.backbone.nothing(portrait)]
        cond, uncond = tokens or (None, None)
        return VideoConditions(
            portrait=portrait,
            reads=self.backbone.project(nothing, reference=written, context=cond),
            without=self.backbone.project(nothing, context=uncond),
            face=None if picture is None else self.face_locator(picture),
            tokens=tokens,
            pixels=pixels,
        )

    def audio_tokens(self, windows: Tensor) -> Tensor:
        """Windows (B, F, rows, layers, D) -> tokens (B*F, L, D')."""
        if self.config.quirks.audio_projection == "none":
            return windows.flatten(0, 1).flatten(1, 2)
        return self.audio_projection(windows)

    def read_clip(
        self,
        video: VideoConditions,
        frames: int,
        audio: Tensor | None,
        past: Past | None,
        speeds: Tensor | None,
        pictures: Tensor | None = None,
        last: Tensor | None = None,
        code: Tensor | None = None,
    ) -> Conditions:
        """Audio tokens (B*F, L, D), what ReferenceNet wrote of the motion frames or None before the first
        clip (EMO sec. 3.2: zero maps), head speeds (B, F) in degrees per second, the locator's pictures
        (B*F, C, 8H, 8W) if there is one for each frame, the last latents (B, C, H, W) of the clip before,
        which a model reads that moves the portrait, and motion codes (B, F, MOTION_CODE), zero without; once
        per clip.

        Weights without speed layers ignore the speeds.
        """
        config, project, speed = self.config, self.backbone.project, None
        if past is None:
            zeros = self.backbone.zero_maps(config.motion_frames, video.portrait)
            past = Past(config.motion_frames, zeros, zeros)
        if speeds is not None and config.backbone.speed_dim is not None:
            speed = self.speed_encoder(speeds)
        reads = project(video.reads, audio=audio, past=past.cond, motion_frames=past.frames, speed=speed)
        # guidance's other half: without portrait, face and sound; past and speed stay
        without = [
            replace(row, reference=none.reference, context=none.context, audio=none.audio)
            for row, none in zip(reads, video.without, strict=True)
        ]
        if past.uncond is not past.cond:
            without = project(without, past=past.uncond, motion_frames=past.frames)
        face = video.face if pictures is None else self.face_locator(pictures)
        guided = config.quirks.face_guided
        told = self.read_code(code, video.portrait, frames)
        return Conditions(frames, reads, without, video.portrait, face, guided, video.pixels, last, told)

    def read_code(self, code: Tensor | None, portrait: Tensor, frames: int) -> Tensor | None:
        """What the Backbone reads of motion codes, where it has been trained with them."""
        if not self.config.motion_code:
            return None
        code = portrait.new_zeros(len(portrait), frames, MOTION_CODE) if code is None else code
        return self.motion_code_encoder(code.to(portrait))

    def predict(self, x: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        """Noisy latents (B*F, C, H, W), timesteps (B*F,) -> the schedule's prediction, same shape."""
        if not self.config.moving:
            told = conditions
            return self.backbone(x, timesteps, told.reads, told.frames, told.face, told.code, told.deep)
        clean, schedule = self.draw(x, timesteps, conditions).clean, self.config.schedule
        alpha_bar = alpha_bar_at(timesteps, schedule)  # float32: half precision cannot tell 0.999 from 1
        return implied_prediction(clean.float(), x.float(), alpha_bar, schedule)

    def draw(self, x: Tensor, timesteps: Tensor, conditions: Conditions) -> Drawing:
        """Of a model that moves the portrait: noisy latents (B*F, C, H, W), timesteps (B*F,) -> the frames.

        What is hidden keeps the skip from the noisy latents (arXiv 2206.00364, eq. 7, around the moved
        portrait); eyes and mouth are painted over. None of this changes the displacement, what is hidden or
        what is covered: where a face moved a little wrongly, the least error is a blur.
        """
        assert conditions.pixels is not None  # whoever conditions such a model gives them
        change, hidden, displacement, detail = split_outputs(self.outputs(x, timesteps, conditions))
        displacement = displacement + self.refinement(displacement, detail, conditions.pixels)
        pixels = move(conditions.pixels, displacement.detach())
        painting = self.painter(detail, pixels, conditions.code)
        change, hidden = change + painting.change, hidden + painting.hidden
        moved = self.portrait_encoder(pixels).to(x)  # from autocast
        alpha_bar = alpha_bar_at(timesteps, self.config.schedule)
        skip, scale = alpha_bar.sqrt().to(x), (1 - alpha_bar).sqrt().to(x)
        drawn = moved + skip * (x - moved) + scale * change.to(x)
        unseen = hidden.detach().sigmoid().to(x)
        cover = painting.cover.detach().sigmoid().to(x)
        clean = torch.lerp(torch.lerp(moved, drawn, unseen), painting.latents.to(x), cover)
        share = 1 - (1 - unseen) * (1 - cover)
        return Drawing(displacement, hidden, drawn, painting, clean, share)

    def outputs(self, x: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        """All that a Backbone that moves the portrait says of noisy latents (B*F, C, H, W)."""
        seen, told = self.seen(x, conditions), conditions
        return self.backbone(seen, timesteps, told.reads, told.frames, told.face, told.code, told.deep)

    def refinement(self, displacement: Tensor, detail: Tensor, portrait: Tensor) -> Tensor:
        """What displacements (B*F, 2, 2H, 2W) of portraits (B, 3, 8H, 8W) lack."""
        return in_pictures(self.refiner(detail, move(portrait, displacement.detach())))

    def seen(self, x: Tensor, conditions: Conditions) -> Tensor:
        """What a Backbone that moves the portrait sees: the noisy latents, the portrait's, and those of the
        frame before the clip, to find out where the head was."""
        last = conditions.portrait if conditions.last is None else conditions.last
        beside = torch.cat([conditions.portrait, last], dim=1)
        return torch.cat([x, beside.repeat_interleave(conditions.frames, dim=0)], dim=1)
