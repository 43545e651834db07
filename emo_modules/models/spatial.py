"""What happens inside one frame: residual blocks, and EMO's transformer block (EMO sec. 3.2)."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import UNetConfig
from ..tables import cached
from .attention import (
    Attention,
    FeedForward,
    KeysValues,
    Modules,
    Operations,
    apart,
    sinusoid,
    zero_module,
)
from .reads import Reads
from .relatives.joined import beside_portrait


class ResnetBlock(nn.Module):
    """(N, C, H, W) and a time embedding (N, T), activated -> (N, C', H, W)."""

    def __init__(
        self, channels: int, out_channels: int, time_dim: int, groups: int, operations: type[Operations]
    ):
        super().__init__()
        self.norm1 = operations.GroupNorm(groups, channels, eps=1e-5)
        self.conv1 = operations.Conv2d(channels, out_channels, 3, padding=1)
        self.time_emb_proj = operations.Linear(time_dim, out_channels)
        self.norm2 = operations.GroupNorm(groups, out_channels, eps=1e-5)
        self.conv2 = operations.Conv2d(out_channels, out_channels, 3, padding=1)
        if channels != out_channels:
            self.conv_shortcut = operations.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x))) + self.time_emb_proj(emb)[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


@lru_cache(maxsize=16)
def grid_positions(
    height: int, width: int, dim: int, device: torch.device, dtype: torch.dtype = torch.float32
) -> Tensor:
    """(H*W, dim) sinusoids of row and column, with periods from 4 cells to 64.

    Their scale of 2 beside unit-variance tokens makes attention start as a look at the same place and its
    neighbours.
    """
    rows, columns = (torch.arange(n, device=device) * (torch.pi / 2) for n in (height, width))
    row = sinusoid(rows, dim // 2, max_period=16.0)[:, None].expand(height, width, -1)
    column = sinusoid(columns, dim // 2, max_period=16.0)[None].expand(height, width, -1)
    return 2 * torch.cat([row, column], dim=-1).flatten(0, 1).to(dtype)


class TransformerBlock(nn.Module):
    """self-attention -> reference-attention -> context -> audio-attention -> feed-forward.

    Parts that the configuration does not name are not constructed; diffusers' names for those that SD1.5 has.
    """

    def __init__(self, dim: int, config: UNetConfig, operations: type[Operations] = Operations):
        super().__init__()
        self.norm1 = operations.LayerNorm(dim)
        self.attn1 = Attention(dim, config.heads, operations=operations)
        quirks = config.quirks
        self.writes, self.joined = config.role == "writes", quirks.reference_join == "concat"
        if not (self.writes or self.joined):
            self.norm_ref = operations.LayerNorm(dim)
            self.attn_ref = Attention(dim, config.heads, operations=operations)
        if quirks.context_dim or (self.writes and not self.joined):
            self.norm2 = operations.LayerNorm(dim)
        if quirks.context_dim:
            self.attn2 = Attention(dim, config.heads, quirks.context_dim, operations)
        if config.audio_dim and not quirks.audio_branches:
            self.norm_audio = operations.LayerNorm(dim)
            self.attn_audio = Attention(dim, config.heads, config.audio_dim, operations)
            zero_module(self.attn_audio.to_out)
        self.norm3 = operations.LayerNorm(dim)
        self.ff = FeedForward(dim, operations)
        self.config = config

    def forward(
        self, x: Tensor, reads: Reads, frames: int, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor | None]:
        """x (N, L, D), L = H*W of `size` -> same, and in ReferenceNet's role the tokens (N, L, D) that the
        Backbone's reference-attention reads."""
        quirks, normed, written = self.config.quirks, self.norm1(x), None
        query, *keys = apart(self.attn1.project(normed))
        if self.joined:
            keys = beside_portrait(keys, reads.reference, frames, reads.reference_kept)
        x = x + self.attn1.mix(query, *keys)
        if self.writes:
            written = normed if self.joined else self.norm2(x)
        elif not self.joined:
            seen = self.attn_ref(x, reads.reference, self.norm_ref, self.positions(x, size))
            x = torch.add(x, seen, alpha=quirks.reference_scale)
        if quirks.context_dim:
            x = x + self.attn2(x, reads.context, self.norm2)
        if hasattr(self, "attn_audio"):
            heard = self.attn_audio(x, reads.audio, self.norm_audio)
            x = torch.add(x, heard, alpha=quirks.audio_scale)
        return x + self.ff(self.norm3(x)), written

    def nothing(self, like: Tensor) -> Reads:
        """What attention to all-zero contexts gives; `like` says device and type."""
        return Reads(
            reference=self.attn_ref.absent(like) if hasattr(self, "attn_ref") else None,
            context=self.attn2.absent(like) if hasattr(self, "attn2") else None,
            audio=self.attn_audio.absent(like) if hasattr(self, "attn_audio") else None,
        )

    def project_reference(self, tokens: Tensor) -> KeysValues:
        """ReferenceNet's tokens (B, H, W, D) -> the keys and values that every frame and every step reads."""
        features = tokens.flatten(1, 2)
        if self.joined:
            return self.attn1.keys_values(features)
        height, width = tokens.shape[1:3]
        return self.attn_ref.keys_values(features, self.positions(features, (height, width)))

    def positions(self, x: Tensor, size: tuple[int, int]) -> Tensor | None:
        """Of queries and keys of reference-attention, where the configuration has any."""
        used = self.config.reference_positions
        return cached(grid_positions, x)(*size, x.shape[-1], x.device, x.dtype) if used else None


class SpatialTransformer(nn.Module):
    """(N, C, H, W) -> same, through one transformer block over the H*W tokens of each image; and the tokens
    (N, H, W, C) that ReferenceNet writes."""

    def __init__(self, channels: int, config: UNetConfig, operations: type[Operations] = Operations):
        super().__init__()
        self.norm = operations.GroupNorm(config.norm_groups, channels, eps=1e-6)
        self.proj_in = operations.Conv2d(channels, channels, 1)
        self.transformer_blocks = Modules([TransformerBlock(channels, config, operations)])
        self.proj_out = operations.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, reads: Reads, frames: int) -> tuple[Tensor, Tensor | None]:
        height, width = x.shape[-2:]
        tokens = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        tokens, written = self.transformer_blocks[0](tokens, reads, frames, (height, width))
        h = x + self.proj_out(tokens.transpose(1, 2).unflatten(2, (height, width)))
        return h, None if written is None else written.unflatten(1, (height, width))
