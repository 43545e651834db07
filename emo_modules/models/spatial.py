"""What happens inside one frame: residual blocks, and EMO's transformer block (EMO sec. 3.2)."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import UNetConfig
from .attention import Attend, Attention, FeedForward, KeysValues, attend, sinusoid
from .relatives.regions import Regions


@dataclass
class Layer:
    """What one UNet layer reads in the Backbone's role, or writes in ReferenceNet's.

    ReferenceNet writes raw features: `reference` (B, L, D) around self-attention, `motion` (N, C, H, W) at
    the layer's end, or None where no motion frames are read. The Backbone reads them projected: keys and
    values for attention, `TemporalTransformer.prepare` for motion.
    """

    reference: Any = None
    context: KeysValues | None = None
    audio: KeysValues | list[KeysValues] | None = None  # a list: one for each branch of an audio module
    motion: Any = None
    speed: KeysValues | None = None
    regions: dict[int, Regions] | None = None  # by the number of tokens
    still: bool = False  # pictures that are no clip (image stage): there is no time to attend to


class ResnetBlock(nn.Module):
    """(N, C, H, W) and a time embedding (N, T) -> (N, C', H, W)."""

    def __init__(self, channels: int, out_channels: int, time_dim: int, groups: int, operations: Any = nn):
        super().__init__()
        self.norm1 = operations.GroupNorm(groups, channels, eps=1e-5)
        self.conv1 = operations.Conv2d(channels, out_channels, 3, padding=1)
        self.time_emb_proj = operations.Linear(time_dim, out_channels)
        self.norm2 = operations.GroupNorm(groups, out_channels, eps=1e-5)
        self.conv2 = operations.Conv2d(out_channels, out_channels, 3, padding=1)
        if channels != out_channels:
            self.conv_shortcut = operations.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x))) + self.time_emb_proj(F.silu(emb))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


def grid_positions(height: int, width: int, dim: int, like: Tensor) -> Tensor:
    """(H*W, dim) sinusoids of row and column, with periods from 4 cells to 64.

    Their scale of 2 beside unit-variance tokens makes attention start as a look at the same place and its
    neighbours.
    """
    rows, columns = (torch.arange(n, device=like.device) * (torch.pi / 2) for n in (height, width))
    row = sinusoid(rows, dim // 2, max_period=16.0)[:, None].expand(height, width, -1)
    column = sinusoid(columns, dim // 2, max_period=16.0)[None].expand(height, width, -1)
    return 2 * torch.cat([row, column], dim=-1).flatten(0, 1).to(like.dtype)


class TransformerBlock(nn.Module):
    """self-attention -> reference-attention -> context -> audio-attention -> feed-forward.

    Parts that the configuration does not name are not constructed; diffusers' names for those that SD1.5 has.
    """

    def __init__(self, dim: int, config: UNetConfig, operations: Any = nn, attend: Attend = attend):
        super().__init__()
        ops = {"operations": operations, "attend": attend}
        self.norm1 = operations.LayerNorm(dim)
        self.attn1 = Attention(dim, config.heads, **ops)
        quirks = config.quirks
        self.writes, self.joined = config.role == "writes", quirks.reference_join == "concat"
        if not (self.writes or self.joined):
            self.norm_ref = operations.LayerNorm(dim)
            self.attn_ref = Attention(dim, config.heads, **ops)
        if quirks.context_dim or (self.writes and not self.joined):
            self.norm2 = operations.LayerNorm(dim)
        if quirks.context_dim:
            self.attn2 = Attention(dim, config.heads, quirks.context_dim, **ops)
        if config.audio_dim and not quirks.audio_branches:
            self.norm_audio = operations.LayerNorm(dim)
            self.attn_audio = Attention(dim, config.heads, config.audio_dim, **ops)
            nn.init.zeros_(self.attn_audio.to_out[0].weight)
            nn.init.zeros_(self.attn_audio.to_out[0].bias)
        self.norm3 = operations.LayerNorm(dim)
        self.ff = FeedForward(dim, operations)
        self.config = config

    def forward(self, x: Tensor, layer: Layer, frames: int, size: tuple[int, int]) -> Tensor:
        """x (N, L, D), L = H*W of `size`."""
        quirks = self.config.quirks
        x = x + self.self_attention(x, layer, frames)
        if self.writes and not self.joined:
            layer.reference = self.norm2(x)
        elif not self.joined:
            x = x + self.reference_attention(x, layer.reference, frames, size) * quirks.reference_scale
        if quirks.context_dim:
            x = x + self.cross_attention(self.attn2, self.norm2, x, layer.context)
        if hasattr(self, "attn_audio"):
            heard = self.cross_attention(self.attn_audio, self.norm_audio, x, layer.audio)
            x = x + heard * quirks.audio_scale
        return x + self.ff(self.norm3(x))

    def self_attention(self, x: Tensor, layer: Layer, frames: int) -> Tensor:
        """With `reference_join` concat, a frame also looks at the portrait's tokens, beside its own."""
        normed = self.norm1(x)
        if not self.joined:
            return self.attn1(normed)
        if self.writes:
            layer.reference = normed
            return self.attn1(normed)
        if layer.reference is None:
            return self.attn1(normed)
        own = self.attn1.keys_values(normed)
        portrait = (for_frames(t, len(x) // frames, frames) for t in layer.reference)
        return self.attn1(normed, tuple(torch.cat(pair, dim=1) for pair in zip(own, portrait, strict=True)))

    def cross_attention(
        self, attention: Attention, norm: nn.Module, x: Tensor, context: KeysValues | None
    ) -> Tensor:
        """Tokens of each frame (N, L', D), or of a clip, whose frames then join the query axis."""
        if context is None:
            return attention.absent(x)
        clips = norm(x).unflatten(0, (len(context[0]), -1)).flatten(1, 2)
        return attention(clips, context).reshape(x.shape)

    def reference_attention(
        self, x: Tensor, reference: KeysValues | None, frames: int, size: tuple[int, int]
    ) -> Tensor:
        """All frames of a clip look at the one portrait: frames join the query axis, keys are not
        repeated."""
        if reference is None:
            return self.attn_ref.absent(x)
        query = self.norm_ref(x)
        if self.config.reference_positions:
            query = query + grid_positions(*size, x.shape[-1], x)
        clip = query.unflatten(0, (-1, frames)).flatten(1, 2)
        return self.attn_ref(clip, reference).unflatten(1, (frames, -1)).flatten(0, 1)

    def project_reference(self, features: Tensor, size: tuple[int, int]) -> KeysValues:
        """ReferenceNet's tap (B, L, D) -> the keys and values that every frame and every step reads."""
        if self.joined:
            return self.attn1.keys_values(features)
        positions = (
            grid_positions(*size, features.shape[-1], features) if self.config.reference_positions else None
        )
        return self.attn_ref.keys_values(features, positions)


def for_frames(portrait: Tensor, clips: int, frames: int) -> Tensor:
    """(clips * V, L, D) -> (clips * frames, L, D): the one portrait for all frames of a clip, or V readings
    of it in turn, of which the one after the last frame's place comes first (`IdentityConfig.tiled`)."""
    readings = portrait.unflatten(0, (clips, -1))
    places = (torch.arange(frames, device=portrait.device) + frames) % readings.shape[1]
    return readings[:, places].flatten(0, 1)


class SpatialTransformer(nn.Module):
    """(N, C, H, W) -> same, through one transformer block over the H*W tokens of each image."""

    def __init__(self, channels: int, config: UNetConfig, operations: Any = nn, attend: Attend = attend):
        super().__init__()
        self.norm = operations.GroupNorm(config.norm_groups, channels, eps=1e-6)
        self.proj_in = operations.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels, config, operations, attend)])
        self.proj_out = operations.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, layer: Layer, frames: int) -> Tensor:
        height, width = x.shape[-2:]
        tokens = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        tokens = self.transformer_blocks[0](tokens, layer, frames, (height, width))
        return x + self.proj_out(tokens.transpose(1, 2).unflatten(2, (height, width)))
