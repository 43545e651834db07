"""What happens across frames: temporal modules with motion frames and speed layers (EMO sec. 3.2,
3.2.4)."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..config import UNetConfig
from .attention import Attend, Attention, FeedForward, KeysValues, attend, sinusoid


class MotionTokens(NamedTuple):
    """Motion frames at one layer, ready for its temporal module. Constant over a clip's denoising steps."""

    hidden: Tensor  # (B*H*W, M, D)
    query: Tensor
    key: Tensor
    value: Tensor


class TemporalBlock(nn.Module):
    """Self-attention across time twice, speed cross-attention, feed-forward; tokens (B*H*W, M+F, D)."""

    def __init__(self, dim: int, config: UNetConfig, operations: Any = nn, attend: Attend = attend):
        super().__init__()
        ops = {"operations": operations, "attend": attend}
        self.norm1 = operations.LayerNorm(dim)
        self.attn1 = Attention(dim, config.heads, **ops)
        self.norm2 = operations.LayerNorm(dim)
        self.attn2 = Attention(dim, config.heads, **ops)
        if config.speed_dim:
            self.norm_speed = operations.LayerNorm(dim)
            self.attn_speed = Attention(dim, config.heads, config.speed_dim, **ops)
            nn.init.zeros_(self.attn_speed.to_out[0].weight)
            nn.init.zeros_(self.attn_speed.to_out[0].bias)
        self.norm3 = operations.LayerNorm(dim)
        self.ff = FeedForward(dim, operations)

    def prepare(self, motion: Tensor) -> MotionTokens:
        query = self.norm1(motion) + time_positions(motion)
        return MotionTokens(motion, self.attn1.to_q(query), *self.attn1.keys_values(query))

    def forward(self, x: Tensor, motion: MotionTokens | None, speed: KeysValues | None) -> Tensor:
        """x (B*H*W, F, D) -> same. Motion frames come first in time and leave before the last attention's
        queries."""
        past = 0 if motion is None else motion.hidden.shape[1]
        x = self.first_attention(x, motion, past)
        normed = self.norm2(x) + time_positions(x)
        keys = self.attn2.keys_values(normed)
        x = x[:, past:] + self.attn2(normed[:, past:], keys)
        if speed is not None:
            x = x + self.speed_attention(x, speed)
        return x + self.ff(self.norm3(x))

    def first_attention(self, x: Tensor, motion: MotionTokens | None, past: int) -> Tensor:
        normed = self.norm1(x) + time_positions(x, past)
        if motion is None:
            return x + self.attn1(normed)
        key, value = self.attn1.keys_values(normed)
        query = torch.cat([motion.query, self.attn1.to_q(normed)], dim=1)
        key, value = torch.cat([motion.key, key], dim=1), torch.cat([motion.value, value], dim=1)
        attended = self.attn1.to_out[0](self.attn1.attend(query, key, value, self.attn1.heads))
        return torch.cat([motion.hidden, x], dim=1) + attended

    def speed_attention(self, x: Tensor, speed: KeysValues) -> Tensor:
        """Speed keys and values (B, F, D) are the same for every pixel, so pixels join the query axis."""
        batch = speed[0].shape[0]
        pixels = self.norm_speed(x).unflatten(0, (batch, -1)).flatten(1, 2)
        return self.attn_speed(pixels, speed).reshape(x.shape)


def time_positions(x: Tensor, start: int = 0) -> Tensor:
    """(L, D) AnimateDiff's positional encoding: sine and cosine interleaved over channels."""
    dim = x.shape[-1]
    cosine, sine = sinusoid(torch.arange(start, start + x.shape[1], device=x.device), dim).chunk(2, dim=-1)
    return torch.stack([sine, cosine], dim=-1).flatten(1).to(x.dtype)


class TemporalTransformer(nn.Module):
    """AnimateDiff's motion module in diffusers' names; starts as an exact no-op (zero `proj_out`)."""

    def __init__(self, channels: int, config: UNetConfig, operations: Any = nn, attend: Attend = attend):
        super().__init__()
        self.norm = operations.GroupNorm(config.norm_groups, channels, eps=1e-6)
        self.proj_in = operations.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList([TemporalBlock(channels, config, operations, attend)])
        self.proj_out = operations.Linear(channels, channels)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def tokens(self, x: Tensor, frames: int) -> Tensor:
        """(B*F, C, H, W) -> (B*H*W, F, C), normalised frame by frame."""
        if torch.is_grad_enabled() and not x.requires_grad:
            # GroupNorm's backward pass in channels-last order crashes when its input needs no gradient
            # (torch 2.13, CPU): the speed stage's first temporal module and its motion maps
            x = x.contiguous()
        h = self.norm(x).unflatten(0, (-1, frames)).permute(0, 3, 4, 1, 2)
        return self.proj_in(h.flatten(0, 2))

    def prepare(self, features: Tensor, motion_frames: int) -> MotionTokens:
        """ReferenceNet's features of the motion frames (B*M, C, H, W) -> what every step of the clip
        reads."""
        return self.transformer_blocks[0].prepare(self.tokens(features, motion_frames))

    def forward(
        self, x: Tensor, frames: int, motion: MotionTokens | None, speed: KeysValues | None
    ) -> Tensor:
        h = self.transformer_blocks[0](self.tokens(x, frames), motion, speed)
        h = self.proj_out(h).reshape(-1, *x.shape[-2:], frames, x.shape[1])
        return x + h.permute(0, 3, 4, 1, 2).flatten(0, 1)
