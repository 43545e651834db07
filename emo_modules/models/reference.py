"""ReferenceNet: the Backbone's twin that reads the portrait and the past (EMO sec. 3.2)."""

from typing import NamedTuple

from torch import Tensor

from ..config import EMOConfig
from .attention import Operations
from .reads import Written, drop
from .relatives.identity import IdentityProjection, IdentityTokens, in_turn, read_twice
from .unet import UNet


class Past(NamedTuple):
    """What each layer wrote of M motion frames, for guidance's two halves: the same, but where identity
    tokens tell them apart."""

    frames: int
    cond: list[Written]
    uncond: list[Written]

    def kept(self, kept: Tensor) -> "Past":
        """With zero maps where kept (B,) is 0."""
        written = [w if w.map is None else w._replace(map=drop(w.map, kept)) for w in self.cond]
        return Past(self.frames, written, written)


class ReferenceNet(UNet):
    """The UNet that writes, with the projection of identity tokens where it has one."""

    def __init__(self, config: EMOConfig, operations: type[Operations] = Operations):
        super().__init__(config.reference_net, operations, config.latent_channels)
        self.identity = config.quirks.identity
        if self.identity is not None:
            self.identity_projection = IdentityProjection(
                self.identity, config.reference_net.quirks.context_dim, operations
            )

    def write(self, latents: Tensor, context: Tensor | None = None) -> list[Written]:
        """Clean latents (N, C, H, W) -> what each layer writes at timestep 0. `context` (N, L, D) are the
        tokens that attn2 reads; None stands for zeros."""
        reads = self.project(self.nothing(latents), context=context)
        return self(latents, latents.new_zeros(len(latents)), reads)

    def identity_tokens(self, embedding: Tensor | None, portrait: Tensor) -> IdentityTokens | None:
        """Face embedding (B, D), or None for no known face, beside portrait latents (B, C, H, W)."""
        if self.identity is None:
            return None
        none = portrait.new_zeros(len(portrait), self.identity.embedding_dim)
        uncond = self.identity_projection(none)
        return IdentityTokens(uncond if embedding is None else self.identity_projection(embedding), uncond)

    def portrait(self, latents: Tensor, tokens: IdentityTokens | None = None) -> list[Written]:
        """Portrait latents (B, C, H, W) -> what each layer writes; of 2B readings where they are tiled."""
        if tokens is None:
            return self.write(latents)
        if self.identity.tiled:
            return self.write(*read_twice(latents, tokens))
        return self.write(latents, tokens.cond)

    def past(self, motion: Tensor, tokens: IdentityTokens | None = None) -> Past:
        """Motion latents (B, M, C, H, W) -> what each layer writes."""
        frames, count = motion.flatten(0, 1), motion.shape[1]
        if tokens is not None and self.identity.tiled:
            cond, uncond = in_turn(tokens, count)
            return Past(count, self.write(frames, cond), self.write(frames, uncond))
        written = self.write(frames, None if tokens is None else tokens.cond.repeat_interleave(count, dim=0))
        return Past(count, written, written)


def first_motion(portrait: Tensor, config: EMOConfig) -> Tensor | None:
    """Motion latents (B, M, C, H, W) before the first clip, or None for zero maps."""
    if config.quirks.first_motion == "zeros" or config.motion_frames == 0:
        return None
    return portrait[:, None].repeat_interleave(config.motion_frames, dim=1)
