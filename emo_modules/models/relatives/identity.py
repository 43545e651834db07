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


class IdentityProjection(nn.Module):
    """Face embedding (B, 512) -> tokens (B, L, context_dim) for attn2."""

    def __init__(self, config: IdentityConfig, context_dim: int, operations: type[Operations] = Operations):
        super().__init__()
        self.shape = (config.tokens, context_dim)
        self.proj = operations.Linear(config.embedding_dim, config.tokens * context_dim)
        self.norm = operations.LayerNorm(context_dim)

    def forward(self, embedding: Tensor) -> Tensor:
        return self.norm(self.proj(embedding).unflatten(-1, self.shape))


def read_twice(portrait: Tensor, tokens: IdentityTokens) -> tuple[Tensor, Tensor]:
    """(B, C, H, W) -> the pictures (2B, C, H, W) and tokens of `IdentityConfig.tiled`: without the face, and
    with it."""
    both = torch.stack([tokens.uncond, tokens.cond], dim=1).flatten(0, 1)
    return portrait.repeat_interleave(2, dim=0), both


def in_turn(tokens: IdentityTokens, count: int) -> IdentityTokens:
    """The tokens (B*M, L, D) that M motion frames are read with where they are tiled: the rows of (portrait,
    motion frames) for guidance's half without conditions, then with them, with and without the face in
    turn."""
    uncond, cond = (
        torch.stack([tokens.cond if row % 2 else tokens.uncond for row in rows], dim=1).flatten(0, 1)
        for rows in (range(1, 1 + count), range(2 + count, 2 + 2 * count))
    )
    return IdentityTokens(cond, uncond)
