"""What happens across frames: temporal modules with motion frames and speed layers (EMO sec. 3.2, 3.2.4)."""

from functools import lru_cache
from typing import NamedTuple

import torch
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
    for_group_norm,
    sinusoid,
    zero_module,
)


class MotionTokens(NamedTuple):
    """Motion frames at one layer, ready for its temporal module. Constant over a clip's denoising steps.

    All are (B*H*W, M, ..), or (1, M, ..) where every pixel has the same.
    """

    hidden: Tensor
    projected: tuple[Tensor, ...]  # as `Attention.project` gives them


class TemporalBlock(nn.Module):
    """Self-attention across time twice, speed cross-attention, feed-forward; tokens (B*H*W, M+F, D)."""

    def __init__(self, dim: int, config: UNetConfig, operations: type[Operations] = Operations):
        super().__init__()
        self.norm1 = operations.LayerNorm(dim)
        self.attn1 = Attention(dim, config.heads, operations=operations)
        self.norm2 = operations.LayerNorm(dim)
        self.attn2 = Attention(dim, config.heads, operations=operations)
        self.speed_positions = config.speed_positions
        if config.speed_dim:
            self.norm_speed = operations.LayerNorm(dim)
            self.attn_speed = Attention(dim, config.heads, config.speed_dim, operations)
            zero_module(self.attn_speed.to_out)
        self.norm3 = operations.LayerNorm(dim)
        self.ff = FeedForward(dim, operations)

    def forward(self, x: Tensor, motion: MotionTokens | None, speed: KeysValues | None) -> Tensor:
        """x (B*H*W, F, D) -> same. Motion frames come first in time and leave before the last attention's
        queries; speed keys and values (B, F, D) are the same for every pixel."""
        past = 0
        if motion is None:
            x = x + self.attn1.mix(*apart(self.attn1.project(self.norm1(x) + time_positions(x))))
        else:
            past = motion.hidden.shape[1]
            x = self.first_attention(x, motion, past)
        # queries of motion frames are made and dropped: cheaper than a copy of the others' tokens
        query, key, value = apart(self.attn2.project(self.norm2(x) + time_positions(x)))
        x = x[:, past:] + self.attn2.mix(query[:, past:], key, value)
        if speed is not None:
            positions = time_positions(x) if self.speed_positions else None
            x = x + self.attn_speed(x, speed, self.norm_speed, positions)
        return x + self.ff(self.norm3(x))

    def hear_speed(self, tokens: Tensor) -> KeysValues:
        """Speed tokens (B, F, speed_dim) -> keys and values."""
        return self.attn_speed.keys_values(tokens, time_positions(tokens) if self.speed_positions else None)

    def first_attention(self, x: Tensor, motion: MotionTokens, past: int) -> Tensor:
        """Motion frames were projected once; here they only join the frames."""
        own = self.attn1.project(self.norm1(x) + time_positions(x, past))
        joined = tuple(map(after, motion.projected, own))
        return after(motion.hidden, x) + self.attn1.mix(*apart(joined))


def after(motion: Tensor, tokens: Tensor) -> Tensor:
    """Motion frames (N, M, D), or (1, M, D), and behind them in time tokens (N, F, D)."""
    return torch.cat([motion.expand(len(tokens), -1, -1), tokens], dim=1)


def time_positions(x: Tensor, start: int = 0) -> Tensor:
    """(L, D) AnimateDiff's positional encoding of tokens (N, L, D): sine and cosine interleaved."""
    return cached(_time_table, x)(start + x.shape[1], x.shape[2], x.device, x.dtype)[start:]


@lru_cache(maxsize=64)
def _time_table(length: int, dim: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    cosine, sine = sinusoid(torch.arange(length, device=device), dim).chunk(2, dim=-1)
    return torch.stack([sine, cosine], dim=-1).flatten(1).to(dtype)


class TemporalTransformer(nn.Module):
    """AnimateDiff's motion module in diffusers' names; starts as an exact no-op (zero `proj_out`)."""

    def __init__(self, channels: int, config: UNetConfig, operations: type[Operations] = Operations):
        super().__init__()
        self.norm = operations.GroupNorm(config.norm_groups, channels, eps=1e-6)
        self.proj_in = operations.Linear(channels, channels)
        self.transformer_blocks = Modules([TemporalBlock(channels, config, operations)])
        self.proj_out = zero_module(operations.Linear(channels, channels))

    def tokens(self, x: Tensor, frames: int) -> Tensor:
        """(B*F, C, H, W) -> (B*H*W, F, C), normalised frame by frame."""
        # the speed stage's first module, and its motion maps, need no gradient
        h = self.norm(for_group_norm(x)).unflatten(0, (-1, frames)).permute(0, 3, 4, 1, 2)
        return self.proj_in(h.flatten(0, 2).contiguous())  # whose bias then needs no kernel of its own

    def motion(self, maps: Tensor, motion_frames: int) -> MotionTokens:
        """ReferenceNet's maps of the motion frames (B*M, C, H, W) -> what every step of the clip reads."""
        block, hidden = self.transformer_blocks[0], self.tokens(maps, motion_frames)
        query = block.norm1(hidden) + time_positions(hidden)
        return MotionTokens(hidden, block.attn1.project(query))

    def forward(
        self, x: Tensor, frames: int, motion: MotionTokens | None, speed: KeysValues | None
    ) -> Tensor:
        h = self.transformer_blocks[0](self.tokens(x, frames), motion, speed)
        h = self.proj_out(h).reshape(-1, *x.shape[-2:], frames, x.shape[1])
        return x + h.permute(0, 3, 4, 1, 2).flatten(0, 1)
