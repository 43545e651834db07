"""Whose face it is: tokens that attn2 reads in both UNets (Hallo sec. 3.2), with and without the face."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...quirks import IdentityConfig
from ..attention import Operations


class IdentityTokens(NamedTuple):
    """Tokens (B, L, D) of the face embedding, and of none."""

    cond: Tensor
    uncond: Tensor

    def drop(self, kept: Tensor) -> "IdentityTokens":
        """Those of no face where kept (B,) is 0."""
        return IdentityTokens(torch.where(kept[:, None, None] > 0, self.cond, self.uncond), self.uncond)


class IdentityProjection(nn.Module):
    """Face embedding (B, 512) -> tokens (B, L, context_dim) for attn2."""

    def __init__(self, config: IdentityConfig, context_dim: int, operations: type[Operations] = Operations):
        super().__init__()
        self.shape = (config.tokens, context_dim)
        self.proj = operations.Linear(config.embedding_dim, config.tokens * context_dim)
        self.norm = operations.LayerNorm(context_dim)

    def forward(self, embedding: Tensor) -> Tensor:
        return self.norm(self.proj(embedding).unflatten(-1, self.shape))

    def both(self, embedding: Tensor | None, portrait: Tensor) -> IdentityTokens:
        """With the face, if it is known, and with none."""
        uncond = self(portrait.new_zeros(len(portrait), self.proj.in_features))
        return IdentityTokens(uncond if embedding is None else self(embedding), uncond)


def portrait_readings(
    portrait: Tensor, tokens: IdentityTokens | None, tiled: bool
) -> tuple[Tensor, Tensor | None]:
    """The pictures (B, C, H, W) that ReferenceNet reads, and the tokens it reads them with; where tiled
    (`IdentityConfig.tiled`) 2B of them: without the face, and with it."""
    if tokens is None or not tiled:
        return portrait, None if tokens is None else tokens.cond
    both = torch.stack([tokens.uncond, tokens.cond], dim=1).flatten(0, 1)
    return portrait.repeat_interleave(2, dim=0), both


def motion_readings(
    count: int, tokens: IdentityTokens | None, tiled: bool
) -> tuple[Tensor | None, Tensor | None]:
    """The tokens (B*M, L, D) that M motion frames are read with, for guidance's two halves. Where tiled they
    are those of the rows (portrait, motion frames) for the half without conditions, then with them, with and
    without the face in turn."""
    if tokens is None or not tiled:
        same = None if tokens is None else tokens.cond.repeat_interleave(count, dim=0)
        return same, same
    uncond, cond = (
        torch.stack([tokens.cond if row % 2 else tokens.uncond for row in rows], dim=1).flatten(0, 1)
        for rows in (range(1, 1 + count), range(2 + count, 2 + 2 * count))
    )
    return cond, uncond
