"""ReferenceNet: the Backbone's twin that reads the portrait and the past (EMO sec. 3.2)."""

from typing import NamedTuple

from torch import Tensor

from ..config import EMOConfig
from .attention import Operations
from .reads import Written
from .relatives.identity import IdentityProjection, IdentityTokens, motion_readings, portrait_readings
from .unet import UNet


class Past(NamedTuple):
    """What each layer wrote of M motion frames, for guidance's two halves: the same, but where identity
    tokens tell them apart."""

    frames: int
    cond: list[Written]
    uncond: list[Written]

    def drop(self, kept: Tensor) -> "Past":
        """With zero maps where kept (B,) is 0."""
        written = [layer.drop(kept) for layer in self.cond]
        return Past(self.frames, written, written)


class ReferenceNet(UNet):
    """The UNet that writes, with the projection of identity tokens where it has one."""

    def __init__(self, config: EMOConfig, operations: type[Operations] = Operations):
        super().__init__(config.reference_net, operations, config.latent_channels)
        self.identity, width = config.quirks.identity, config.reference_net.quirks.context_dim
        self.tiled = self.identity is not None and self.identity.tiled
        if self.identity is not None and width is not None:
            self.identity_projection = IdentityProjection(self.identity, width, operations)

    def write(self, latents: Tensor, context: Tensor | None = None) -> list[Written]:
        """Clean latents (N, C, H, W) -> what each layer writes at timestep 0. `context` (N, L, D) are the
        tokens that attn2 reads; None stands for zeros."""
        reads = self.project(self.nothing(latents), context=context)
        return self(latents, latents.new_zeros(len(latents)), reads)

    def identity_tokens(self, embedding: Tensor | None, portrait: Tensor) -> IdentityTokens | None:
        """Face embedding (B, D), or None for no known face, beside portrait latents (B, C, H, W)."""
        return None if self.identity is None else self.identity_projection.both(embedding, portrait)

    def portrait(self, latents: Tensor, tokens: IdentityTokens | None = None) -> list[Written]:
        """Portrait latents (B, C, H, W) -> what each layer writes; of 2B readings where they are tiled."""
        return self.write(*portrait_readings(latents, tokens, self.tiled))

    def past(self, motion: Tensor, tokens: IdentityTokens | None = None) -> Past:
        """Motion latents (B, M, C, H, W) -> what each layer writes."""
        frames, count = motion.flatten(0, 1), motion.shape[1]
        cond, uncond = motion_readings(count, tokens, self.tiled)
        written = self.write(frames, cond)
        return Past(count, written, written if uncond is cond else self.write(frames, uncond))


def first_motion(portrait: Tensor, config: EMOConfig) -> Tensor | None:
    """Motion latents (B, M, C, H, W) before the first clip, or None for zero maps."""
    if config.quirks.first_motion == "zeros" or config.motion_frames == 0:
        return None
    return portrait[:, None].repeat_interleave(config.motion_frames, dim=1)
