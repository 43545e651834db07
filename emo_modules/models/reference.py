"""ReferenceNet: the Backbone's twin that reads the portrait and the past (EMO sec. 3.2)."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..config import EMOConfig
from ..quirks import IdentityConfig
from .attention import Attend, attend
from .spatial import Layer
from .unet import UNet


class IdentityTokens(NamedTuple):
    """Tokens (B, L, D) of the face embedding, and of none."""

    given: Tensor
    blank: Tensor


class Past(NamedTuple):
    """What each layer wrote of the motion frames, for guidance's two halves."""

    given: list[Layer]
    dropped: list[Layer]


class IdentityProjection(nn.Module):
    """Face embedding (B, 512) -> tokens (B, L, context_dim) for attn2."""

    def __init__(self, config: IdentityConfig, context_dim: int, operations: Any = nn):
        super().__init__()
        self.shape = (config.tokens, context_dim)
        self.proj = operations.Linear(config.embedding_dim, config.tokens * context_dim)
        self.norm = operations.LayerNorm(context_dim)

    def forward(self, embedding: Tensor) -> Tensor:
        return self.norm(self.proj(embedding).unflatten(-1, self.shape))


class ReferenceNet(UNet):
    """A UNet that is only read from inside, with the projection of identity tokens where it has one."""

    def __init__(self, config: EMOConfig, operations: Any = nn, attend: Attend = attend):
        super().__init__(config.reference_net, operations, attend, config.latent_channels)
        self.identity, self.motion_frames = config.quirks.identity, config.motion_frames
        if self.identity is not None:
            self.identity_projection = IdentityProjection(
                self.identity, config.reference_net.quirks.context_dim, operations
            )

    def identity_tokens(self, embedding: Tensor | None, portrait: Tensor) -> IdentityTokens | None:
        """Face embedding (B, D), or None for no known face, beside portrait latents (B, C, H, W)."""
        if self.identity is None:
            return None
        none = portrait.new_zeros(len(portrait), self.identity.embedding_dim)
        blank = self.identity_projection(none)
        return IdentityTokens(blank if embedding is None else self.identity_projection(embedding), blank)

    def portrait(self, latents: Tensor, tokens: IdentityTokens | None) -> list[Layer]:
        """Portrait latents (B, C, H, W) -> what each layer wrote; of 2B readings where they are tiled."""
        if tokens is None:
            return self.write(latents)
        if not self.identity.tiled:
            return self.write(latents, tokens.given)
        both = torch.stack([tokens.blank, tokens.given], dim=1).flatten(0, 1)
        return self.write(latents.repeat_interleave(2, dim=0), both)

    def past(self, motion: Tensor, tokens: IdentityTokens | None) -> Past:
        """Motion latents (B, M, C, H, W) -> features. Raises ValueError for another M than the model's."""
        count = motion.shape[1]
        if count != self.motion_frames:
            raise ValueError(
                f"motion needs {self.motion_frames} frames, got {count}; pass the last "
                f"{self.motion_frames} latents of the previous clip, or None before the first"
            )
        frames = motion.flatten(0, 1)
        if tokens is None:
            written = self.write(frames)
            return Past(written, written)
        if not self.identity.tiled:
            written = self.write(frames, tokens.given.repeat_interleave(count, dim=0))
            return Past(written, written)
        # the rows of (portrait, motion frames) for guidance's half without conditions, then with them
        blank, given = (
            torch.stack([tokens.given if row % 2 else tokens.blank for row in rows], dim=1).flatten(0, 1)
            for rows in (range(1, 1 + count), range(2 + count, 2 + 2 * count))
        )
        return Past(given=self.write(frames, given), dropped=self.write(frames, blank))


def first_motion(portrait: Tensor, config: EMOConfig) -> Tensor | None:
    """Motion latents (B, M, C, H, W) before the first clip, or None for zero maps."""
    if config.quirks.first_motion == "zeros" or config.motion_frames == 0:
        return None
    return portrait[:, None].repeat_interleave(config.motion_frames, dim=1)
